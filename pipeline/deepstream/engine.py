"""The DeepStream engine as the service sees it: opens cameras, hands what NVIDIA's elements found to their lanes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
import supervision as sv

from pipeline.capture.base import Frame
from pipeline.deepstream import configs, model_file
from pipeline.deepstream.graph import INFER, TRACKER, VIEW, Graph, core_of, files_of, source_of, wants_new_mux
from pipeline.deepstream.metadata import Backend, Handover, PydsBackend, SeenFrame, SeenObject
from pipeline.deepstream.running import MainLoop, RunningGraph, gstreamer
from pipeline.deepstream.source import RETRY_SECONDS, DeepStreamSource
from pipeline.deepstream.view import Picture, Views
from spotter.errors import SettingsError, SpotterError
from spotter.settings import Camera, Settings
from spotter.weights import store_of

if TYPE_CHECKING:
    from pipeline.engine import Lane

log = structlog.get_logger()

BUILDING = "the detector's engine is built for this GPU; that takes minutes, once"

_RESTART_SECONDS = 10.0
_TOLD_EVERY_SECONDS = 15.0
_TICK_SECONDS = 1
_TAKE_SECONDS = 0.25


class DeepStreamEngine:
    """All cameras in one graph."""

    follows = True

    def __init__(self, settings: Settings, backend: Backend | None = None) -> None:
        """Writes what nvinfer and nvtracker read. Raises SpotterError where something is missing."""
        if len(settings.cameras) > settings.deepstream.max_cameras:
            raise SettingsError(
                f"{len(settings.cameras)} cameras, but `deepstream.max_cameras` is {settings.deepstream.max_cameras}"
            )
        self.error: str | None = None
        self._settings = settings
        gstreamer()
        self._jetson = model_file.is_jetson()
        own = PydsBackend(jetson=self._jetson) if backend is None else backend
        self._handover = Handover(own, self._wants)
        self._views: Views | None = None
        if isinstance(own, PydsBackend):
            self._views = Views(own, watched=self._watched, due=self._due, let_through=self._let_through)
        self._store = store_of(settings)
        self._version = self._store.version()
        self._model = model_file.prepare(settings)
        self._new_mux = wants_new_mux(os.environ)
        self._write_files()
        self._by_number: dict[int, DeepStreamSource] = {}
        self._sources: list[DeepStreamSource] = []
        self._lanes: dict[str, Lane] = {}
        self._graph: RunningGraph | None = None
        self._playing = False
        self._restart_at: float | None = None
        self._loop = MainLoop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take, name="handover", daemon=True)

    @property
    def handover(self) -> Handover:
        """What counts lost batches."""
        return self._handover

    @property
    def views(self) -> Views | None:
        """What fetches pictures for previews; None where none can be had."""
        return self._views

    def open(
        self, name: str, camera: Camera, *, wants: Callable[[Frame], bool], loop_since: datetime | None
    ) -> DeepStreamSource:
        """A camera; the GPU looks at every frame, so that nothing is asked of `wants`."""
        source_of(0, camera, self._settings)  # what it can't open is refused here
        return DeepStreamSource(self, name, camera)

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin; cameras come as they start."""
        self.use(lanes)
        self._loop.start()
        self._thread.start()
        self._restart_at = time.monotonic()  # at the first tick: by then the first cameras have come
        self._loop.every(_TICK_SECONDS, self._tick)

    def use(self, lanes: Sequence[Lane]) -> None:
        """Hand over to these from now on."""
        self._lanes = {lane.name: lane for lane in lanes}

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""
        self._stop.set()
        ended = threading.Event()

        def end() -> None:
            if self._graph is not None and self._playing:
                self._graph.stop()
            self._graph = None
            ended.set()

        self._loop.call(end)
        ended.wait(seconds)
        self._loop.stop(seconds)
        self._thread.join(seconds)

    # What sources ask for, from any thread.

    def added(self, source: DeepStreamSource) -> None:
        """Give a camera a place, as soon as there is one."""

        def take_in() -> None:
            self._sources.append(source)
            self._place(source)

        self._loop.call(take_in)

    def gone(self, source: DeepStreamSource) -> None:
        """Take a camera out."""

        def take_out() -> None:
            self._release(source)
            if source in self._sources:
                self._sources.remove(source)

        self._loop.call(take_out)

    # What the graph tells, in the main loop's thread.

    def camera_failed(self, number: int, reason: str) -> None:
        """Build that camera anew after a while; no other is touched."""
        source = self._by_number.get(number)
        if source is not None:
            self._release(source)
            source.lost(reason)

    def camera_ended(self, number: int) -> None:
        """A file has ended; a camera that ends its stream is lost."""
        source = self._by_number.get(number)
        if source is None:
            return
        if source.camera.is_file and not source.camera.loop:
            log.info("file_ended", camera=source.name)
            source.enter("ended", "the file has ended")
        else:
            self._release(source)
            source.lost("the camera has ended the stream")

    def graph_failed(self, reason: str) -> None:
        """What all share has failed: begin anew."""
        if self._stop.is_set():
            return
        log.error("deepstream_failed", error=reason, again_seconds=_RESTART_SECONDS)
        if self._views is not None and self._views.opened and not self._views.came:
            # Whatever it says: it failed as the branch for previews was first used. Scenes matter more.
            log.error("previews_off", error=reason, mend="scenes go on without; send the report of `spotter doctor`")
            self._views = None
        self.error = reason
        if self._graph is not None and self._playing:
            self._graph.stop()
        self._graph, self._playing = None, False
        self._by_number.clear()
        for source in self._sources:
            source.number = None
            source.enter("retrying", f"DeepStream has failed ({reason})")
        self._restart_at = time.monotonic() + _RESTART_SECONDS

    def _begin(self) -> None:
        """Build the graph and start it in a thread of its own: nvinfer may build its engine for minutes."""
        self._restart_at = None
        engine = self._model.engine(self._settings)
        if not engine.is_file():
            for source in self._sources:
                source.enter("preparing", BUILDING)
        self._graph = graph = RunningGraph(self._core(), self._probes(), self)
        for source in self._sources:
            source.due_at = 0.0
            self._place(source, starting=True)
        threading.Thread(target=self._start, args=(graph, engine), name="graph-start", daemon=True).start()

    def _start(self, graph: RunningGraph, engine: Path) -> None:
        done = threading.Event()
        if not engine.is_file():
            threading.Thread(target=self._tell_of_building, args=(engine, done), daemon=True).start()
        failure: str | None = None
        try:
            graph.start()
        except SpotterError as error:
            failure = str(error)
        finally:
            done.set()
        self._loop.call(lambda: self._started(graph, failure))

    def _started(self, graph: RunningGraph, failure: str | None) -> None:
        if self._stop.is_set() or graph is not self._graph:
            graph.stop()
            return
        self._playing = True
        if failure is not None:
            self.graph_failed(failure)
            return
        self.error = None
        graph.let_in()
        for source in self._sources:
            if source.state.phase in ("preparing", "retrying"):
                source.enter("connecting")
                source.built_at = time.monotonic()  # silence counts from here
            self._place(source)

    def _tell_of_building(self, engine: Path, done: threading.Event) -> None:
        """So that nobody takes a build for a stall."""
        began = time.monotonic()
        log.info("engine_building", engine=engine.name, precision=self._settings.deepstream.precision)
        while not done.wait(_TOLD_EVERY_SECONDS):
            seconds = round(time.monotonic() - began)
            log.info("engine_building", engine=engine.name, seconds=seconds)
            for source in list(self._sources):
                if source.state.phase == "preparing":
                    source.enter("preparing", f"{BUILDING} ({seconds} s so far)")

    def _tick(self) -> None:
        """Once a second: build what is due, and anew what is silent."""
        now = time.monotonic()
        if self._restart_at is not None and now >= self._restart_at and not self._stop.is_set():
            try:
                self._begin()
            except Exception as error:  # whatever it is: without another try no camera ever comes back
                self.graph_failed(str(error) or type(error).__name__)
                if not isinstance(error, SpotterError):
                    raise
        self._tell_of_another_model()
        for source in list(self._sources):
            if self._playing and source.number is not None and source.silent(now):
                self._release(source)
                source.lost(f"no picture for {round(now - (source.last_frame_at or source.built_at or now))} s")
            elif source.number is None:
                self._place(source)

    def _tell_of_another_model(self) -> None:
        """It is not taken up by itself: to build its engine may take minutes, in which no camera is watched."""
        version = self._store.version()
        if self._settings.model is None and version != self._version:
            log.warning("model_changed", mend="restart the pipeline to use it: this engine goes on with the one before")
        self._version = version

    def _place(self, source: DeepStreamSource, *, starting: bool = False) -> None:
        """Build a camera where it may be built, and has none."""
        if self._graph is None or not (self._playing or starting) or source.stopped or source.number is not None:
            return
        if source.state.phase == "ended" or time.monotonic() < source.due_at:
            return
        free = set(range(self._settings.deepstream.max_cameras)) - self._by_number.keys()
        if not free:
            source.enter("retrying", f"all {self._settings.deepstream.max_cameras} places of the graph are taken")
            return
        number = min(free)
        self._by_number[number] = source
        source.built(number)
        if self._playing and source.state.phase == "preparing":  # one that was added later, or it would never be missed
            source.enter("connecting")
        try:
            self._graph.add(source_of(number, source.camera, self._settings), number)
        except SpotterError as error:
            self._release(source)
            source.lost(str(error))

    def _release(self, source: DeepStreamSource) -> None:
        number, source.number = source.number, None
        source.due_at = time.monotonic() + RETRY_SECONDS
        if number is None:
            return
        if self._graph is not None:
            self._graph.remove(number)
        self._by_number.pop(number, None)

    def _wants(self, pad_index: int, pts_ns: int) -> bool:
        """In GStreamer's thread."""
        source = self._by_number.get(pad_index)
        return source is not None and source.wants(pts_ns)

    def _take(self) -> None:
        while not self._stop.is_set():
            taken = self._handover.take(_TAKE_SECONDS)
            for picture in self._views.take() if self._views is not None else ():
                self._show(picture)
            if taken is None:
                continue
            came_at, frames = taken
            for seen in frames:
                source = self._by_number.get(seen.pad_index)
                if source is not None:
                    self._hand_on(source, seen, came_at)

    def _hand_on(self, source: DeepStreamSource, seen: SeenFrame, came_at: float) -> None:
        source.note(seen, came_at)
        lane = self._lanes.get(source.name)
        if seen.objects is None or lane is None or lane.feed is not source:
            return
        frame = source.frame(seen, came_at)
        source.offered.note(frame.at)
        try:
            lane.handle(frame, self._followed(source, seen))
            self.error = self._handover.error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if reason != self.error:
                log.error("frame_failed", camera=source.name, error=reason, exc_info=error)
            self.error = reason

    def _show(self, picture: Picture) -> None:
        """Hand a picture to its camera's lane, where it is blurred as with every engine."""
        source, seen = picture.source, picture.seen
        lane = self._lanes.get(source.name)
        if lane is not None and lane.feed is source:
            frame = replace(source.frame(seen, picture.at), image=picture.image)
            lane.show(frame, self._detections(seen, seen.objects or ()))

    def _followed(self, source: DeepStreamSource, seen: SeenFrame) -> sv.Detections:
        """What is followed, with the numbers of tracks."""
        found = [one for one in seen.objects or () if one.object_id is not None and one.score >= 0]
        found = [one for one in found if 0 <= one.class_id < len(self._model.labels)]
        detections = self._detections(seen, found)
        detections.tracker_id = np.array([_key(source.lives, one.object_id) for one in found], int)
        return detections

    def _detections(self, seen: SeenFrame, objects: Sequence[SeenObject]) -> sv.Detections:
        """Objects of a known class, in pixels of the camera's picture."""
        own = self._settings.deepstream
        scale_x, scale_y = (1.0, 1.0) if self._new_mux else (seen.width / own.width, seen.height / own.height)
        labels = self._model.labels
        found = [one for one in objects if 0 <= one.class_id < len(labels)]
        boxes = np.array([(o.left, o.top, o.left + o.width, o.top + o.height) for o in found], np.float32)
        return sv.Detections(
            xyxy=boxes.reshape(-1, 4) * np.array([scale_x, scale_y, scale_x, scale_y], np.float32),
            confidence=np.array([one.score for one in found], np.float32),
            class_id=np.array([one.class_id for one in found], int),
            data={"class_name": np.array([labels[one.class_id] for one in found], str)},
        )

    def _watched(self) -> bool:
        """In GStreamer's thread, as the next two."""
        return any(source.watched for source in self._by_number.copy().values())

    def _due(self, pad_index: int, now: float) -> DeepStreamSource | None:
        source = self._by_number.get(pad_index)
        return source if source is not None and source.shows(now) else None

    def _let_through(self, is_open: bool) -> None:
        graph = self._graph
        if graph is not None:
            graph.open_view(is_open)

    def _core(self) -> Graph:
        files = files_of(self._settings)
        view = self._views is not None
        return core_of(self._settings, files, new_mux=self._new_mux, jetson=self._jetson, view=view)

    def _probes(self) -> list[tuple[str, Callable[[Any, Any], Any]]]:
        probes: list[tuple[str, Callable[[Any, Any], Any]]] = [(TRACKER, self._handover.probe)]
        if self._views is not None:
            views = self._views
            probes += [(INFER, views.detected), (TRACKER, views.followed), (VIEW, views.converted)]
        return probes

    def _write_files(self) -> None:
        files = files_of(self._settings)
        files.infer_config.parent.mkdir(parents=True, exist_ok=True)
        labels = files.infer_config.with_name("labels.txt")
        labels.write_text("".join(f"{label}\n" for label in self._model.labels), encoding="utf-8")
        text = configs.infer_config(self._settings, self._model, labels)
        wrong = configs.lint(text)
        if wrong:
            raise SpotterError("\n".join(wrong))
        files.infer_config.write_text(text, encoding="utf-8")
        if self._settings.deepstream.tracker_config is None:
            files.tracker_config.write_text(configs.tracker_config(self._settings), encoding="utf-8")
        engine = self._model.engine(self._settings)
        if self._settings.deepstream.precision == "int8" and not engine.is_file():
            command = " ".join(self._model.trtexec(self._settings))
            raise SpotterError(f"there is no INT8 engine yet, and nvinfer can't build one; run, once: {command}")


def _key(lives: int, object_id: int | None) -> int:
    """The tracker's number, told apart from those of the source's earlier lives, within 63 bits."""
    return ((object_id or 0) ^ (lives << 48)) & 0x7FFFFFFFFFFFFFFF
