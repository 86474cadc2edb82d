"""`spotter pipeline`: puts the parts together, keeps an eye on them, and stops them in good order."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone

import numpy as np
import structlog
import supervision as sv
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from pipeline.capture import Frame
from pipeline.engine import Lane
from pipeline.engines import Source, WatchesCameras, open_engine
from pipeline.health import Vitals, has_picture, judge
from pipeline.keeper import Keeper
from pipeline.memory import give_back, keep_together
from pipeline.metrics import PipelineCollector
from pipeline.motion import LOOK_SECONDS
from pipeline.outbox import Outbox
from pipeline.preview import LEAST_SECONDS, make_preview, people_in
from pipeline.publisher import CameraLink, Courier
from pipeline.scene import Draft
from pipeline.stream_id import begun, run_prefix
from pipeline.watcher import Watcher
from spotter.errors import ServerError, SettingsError, SpotterError
from spotter.events import FramesPerSecond, Status
from spotter.metrics import serve_metrics
from spotter.settings import Camera, Mqtt, Settings

log = structlog.get_logger()

STATUS_SECONDS = 10.0
"""A status that does not change is repeated this often."""

_MEND = "correct them and send SIGHUP again"
_TIDY_SECONDS = 60.0
_TICK_SECONDS = 0.25
_REFUSED_SECONDS = 5.0  # a broker that refuses the log-in this soon after the start is a mistake in the settings
_LAST_SENDING_SECONDS = 0.1
_HANG_UP_SECONDS = 0.5
_DROPS_SHOW_SECONDS = 60.0
_WATCHED_LOOK_SECONDS = 0.5  # a quiet camera that somebody watches is looked at this often, for its previews


def run(read: Callable[[], Settings], *, metrics_port: int | None = None) -> None:
    """Run with the settings that `read` gives until SIGTERM or SIGINT; SIGHUP reads the cameras again.

    Raises SpotterError where it can't begin.
    """
    keep_together()
    settings = read()
    mqtt, engine = _needs(settings), open_engine(settings)
    stop, again = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: again.set())
    service = Service(settings, mqtt, engine)
    if metrics_port is not None:
        registry = CollectorRegistry()
        registry.register(PipelineCollector(lambda: service.cameras, service.outbox, service.keeper))
        serve_metrics(metrics_port, registry)
    service.run(stop, news=lambda: _news(read, settings, again))


def _news(read: Callable[[], Settings], before: Settings, again: threading.Event) -> Mapping[str, Camera] | None:
    """The cameras of new settings, when they were asked to be read; what is wrong with them is only logged."""
    if not again.is_set():
        return None
    again.clear()
    try:
        settings = read()
        _needs(settings)
    except SettingsError as error:
        log.error("settings_refused", problems=error.problems, mend=_MEND)
        return None
    if settings.model_copy(update={"cameras": {}}) != before.model_copy(update={"cameras": {}}):
        log.warning("restart_needed", mend="only cameras are read while running; restart for the other changes")
    return settings.cameras


def _needs(settings: Settings) -> Mqtt:
    if not settings.cameras:
        raise SettingsError("no camera in the settings; add one: `uri: rtsp://…` or `uri: clip.mp4`")
    if settings.mqtt is None:
        raise SettingsError(
            "no MQTT broker; add `mqtt: {url: mqtt://HOST:1883}`, or start everything with `spotter up`"
        )
    return settings.mqtt


class Watch:
    """One camera and all that belongs to it: feed, lane, connection, health.

    A camera that is opened anew with other settings keeps its connection: `link`.
    """

    def __init__(self, service: Service, name: str, camera: Camera, link: CameraLink | None = None) -> None:
        settings = service.settings
        self.name, self.camera = name, camera
        self.link = link or CameraLink(service.mqtt, service.outbox, settings.site, name, service.courier.wake)
        self._service = service
        self._watcher = Watcher(
            settings.site,
            name,
            camera,
            id_prefix=f"{run_prefix(service.outbox.run)}{service.changes or ''}",
            confidence=settings.detector.confidence,
            given_tracks=service.engine.follows,
        )
        self.feed = service.engine.open(
            name,
            camera,
            wants=self._watcher.wants,
            loop_since=begun(service.outbox.stream(settings.site, name).stream) if camera.loop else None,
        )
        self.lane = Lane(name, self.feed, self._watcher, service.keeper.put, self._preview)
        self._judged: tuple[str, str | None] | None = None
        self._published_at = self._preview_at = float("-inf")
        self._drawing: Future[None] | None = None

    def tick(self, now: float) -> None:
        """Judge the camera; say so when it changed, and now and then when not; say when there is no picture."""
        self.feed.watched = self.link.watched
        self._watcher.gate.look_seconds = _WATCHED_LOOK_SECONDS if self.feed.watched else LOOK_SECONDS
        vitals = self._vitals(now)
        if not has_picture(vitals):
            self.lane.see_nothing(datetime.now(timezone.utc), now)
        judged = judge(vitals)
        if judged != self._judged:
            report = log.info if judged[0] == "online" else log.warning
            report("camera_state", camera=self.name, state=judged[0], reason=judged[1])
        if judged != self._judged or now - self._published_at >= STATUS_SECONDS:
            self._judged, self._published_at = judged, now
            self.link.publish_status(self._status(vitals, now))

    def fits(self, camera: Camera) -> bool:
        """Whether these settings of the camera are the ones it runs with; zones are the consumers' matter."""
        mine, other = (one.model_copy(update={"zones": {}}) for one in (self.camera, camera))
        return mine == other and self.camera.is_kiosk == camera.is_kiosk

    def farewell(self, reason: str) -> Status:
        """The status to leave behind."""
        return Status(state="offline", time=datetime.now(timezone.utc), reason=reason)

    def _vitals(self, now: float) -> Vitals:
        feed, lane = self.feed, self.lane
        state, frame_at, looked_at = feed.state, feed.last_frame_at, lane.processed_at
        return Vitals(
            phase=state.phase,
            reason=state.reason,
            phase_age=now - state.since,
            frame_age=None if frame_at is None else now - frame_at,
            look_age=None if looked_at is None else now - looked_at,
            offered_fps=feed.offered.per_second(now),
            overtaken_fps=feed.overtaken.per_second(now),
            detector_error=self._service.engine.error,
            outbox_trouble=self._service.outbox_trouble(now),
        )

    def _status(self, vitals: Vitals, now: float) -> Status:
        state, reason = judge(vitals)
        fps = FramesPerSecond(
            captured=round(self.feed.captured.per_second(now), 1),
            detected=round(self.lane.detected.per_second(now), 1),
        )
        return Status(
            state=state,
            time=datetime.now(timezone.utc),
            fps=fps,
            latency_ms=self.link.delivery.latency_ms(now),
            reason=reason[:500] if reason else None,
        )

    def _preview(self, frame: Frame, detections: sv.Detections) -> None:
        """Send a picture while somebody watches; only ever one whose people were looked for."""
        if not frame.image.size or not self.link.watched or frame.at - self._preview_at < LEAST_SECONDS * 0.9:
            return
        if self._drawing is not None and not self._drawing.done():
            return
        self._preview_at = frame.at
        people = people_in(detections, self._watcher.tracker, frame.at)
        self._drawing = self._service.artists.submit(self._draw, frame, people)

    def _draw(self, frame: Frame, people: list[NDArray[np.float32]]) -> None:
        jpeg = make_preview(frame, people, blur=self._service.settings.privacy.blur_people)
        self.link.publish_preview(jpeg)


class Service:
    """The running pipeline."""

    def __init__(self, settings: Settings, mqtt: Mqtt, engine: WatchesCameras) -> None:
        self.settings, self.mqtt, self.engine = settings, mqtt, engine
        self.outbox = Outbox(
            settings.data / "outbox.db", hours=settings.outbox.hours, mebibytes=settings.outbox.mebibytes
        )
        self.keeper = Keeper(self.outbox, self._kept)
        self.courier = Courier()
        self.artists = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self.changes = 0
        """How often the cameras changed since the start: no track's id may come twice in a stream."""
        self.watches = {name: Watch(self, name, camera) for name, camera in settings.cameras.items()}
        self._left_over: tuple[CameraLink, ...] = ()
        self._left_over = self._find_left_over()
        self._dropped, self._dropped_at = 0, float("-inf")

    @property
    def cameras(self) -> list[tuple[Lane, Source]]:
        """Every camera's lane and feed."""
        return [(watch.lane, watch.feed) for watch in self.watches.values()]

    def run(self, stop: threading.Event, news: Callable[[], Mapping[str, Camera] | None] = lambda: None) -> None:
        """Watch until `stop` is set; `news` may give other cameras to watch.

        Raises ServerError when the broker refuses the log-in at the start.
        """
        began = tidied = time.monotonic()
        for link in self._links:
            link.start()
        self.keeper.start()
        self.courier.start(self._links)
        self.engine.start([lane for lane, _ in self.cameras])
        for _, feed in self.cameras:
            feed.start()
        try:
            while not stop.wait(_TICK_SECONDS):
                now = time.monotonic()
                for watch in self.watches.values():
                    watch.tick(now)
                refusal = next((link.refusal for link in self._links if link.refusal), None)
                if refusal and now - began < _REFUSED_SECONDS:
                    raise ServerError(f"MQTT broker {self.mqtt.url}: {refusal}; check `mqtt:` in the settings")
                if (cameras := news()) is not None:
                    self.use_cameras(cameras)
                if now - tidied > _TIDY_SECONDS:
                    tidied = now
                    give_back()
                    self._send_left_over()
        finally:
            self._stop()

    def use_cameras(self, cameras: Mapping[str, Camera]) -> None:
        """Watch these from now on: add, remove and open anew what differs. The others go on as if nothing had been.

        Where one of them can't be, that is logged and nothing changes.
        """
        self.changes += 1
        before = self.watches
        stay = {name for name, camera in cameras.items() if name in before and before[name].fits(camera)}
        gone = [watch for name, watch in before.items() if name not in cameras]
        links = {name: watch.link for name, watch in before.items()}
        try:
            watches = {
                name: before[name] if name in stay else Watch(self, name, camera, links.get(name))
                for name, camera in cameras.items()
            }
        except (SpotterError, sqlite3.Error) as error:
            log.error("settings_refused", problems=str(error).splitlines(), mend=_MEND)
            return
        for name in before.keys() - stay:
            before[name].feed.stop()
        self.watches = watches
        self.engine.use([lane for lane, _ in self.cameras])
        farewells: dict[CameraLink, Status | None] = {
            watch.link: watch.farewell("the camera was taken out of the settings") for watch in gone
        }
        self._hang_up(farewells | dict.fromkeys(self._left_over))
        self._left_over = ()
        self._left_over = self._find_left_over()
        self.courier.use(self._links)
        for link in set(self._links) - set(links.values()):
            link.start()
        for name in cameras.keys() - stay:
            self.watches[name].feed.start()
        log.info("cameras_changed", opened=sorted(cameras.keys() - stay), removed=sorted(watch.name for watch in gone))

    def outbox_trouble(self, now: float) -> str | None:
        """What is wrong with keeping scenes, if anything."""
        if self.keeper.failing is not None:
            return f"scenes can't be written to the outbox ({self.keeper.failing})"
        dropped = self.outbox.dropped + self.keeper.lost
        if dropped > self._dropped:
            self._dropped, self._dropped_at = dropped, now
        if now - self._dropped_at < _DROPS_SHOW_SECONDS:
            return "the outbox is full: the oldest scenes are dropped; bring the broker and the database back"
        return None

    def _kept(self, draft: Draft, seq: int) -> None:
        watch = self.watches.get(draft.camera)
        if watch is not None:
            watch.link.delivery.appended(seq, draft.time)
        self.courier.wake()

    @property
    def _links(self) -> tuple[CameraLink, ...]:
        return tuple(watch.link for watch in self.watches.values()) + self._left_over

    def _find_left_over(self) -> tuple[CameraLink, ...]:
        """Connections for scenes of cameras (or a site) that are no longer in the settings: they are owed, too."""
        known = {(link.site, link.camera) for link in self._links}
        return tuple(
            CameraLink(self.mqtt, self.outbox, stream.site, stream.camera, self.courier.wake, with_status=False)
            for stream in self.outbox.streams()
            if stream.pending and (stream.site, stream.camera) not in known
        )

    def _send_left_over(self) -> None:
        """Of a camera that was just taken out, the keeper may have had scenes yet to write."""
        found = self._find_left_over()
        if found:
            self._left_over += found
            self.courier.use(self._links)
            for link in found:
                link.start()

    def _stop(self) -> None:
        """Stop within 3 s, whatever hangs: what hangs is a daemon thread."""
        for _, feed in self.cameras:
            feed.stop()
        self.engine.stop(0.5)
        self.keeper.stop(0.5)
        self.artists.shutdown(wait=False, cancel_futures=True)
        time.sleep(_LAST_SENDING_SECONDS)  # the courier sends what was kept last
        self.courier.stop(0.3)
        farewells: dict[CameraLink, Status | None] = {
            watch.link: watch.farewell("the pipeline was stopped") for watch in self.watches.values()
        }
        self._hang_up(farewells | dict.fromkeys(self._left_over))
        self.outbox.close()
        log.info("pipeline_stopped")

    def _hang_up(self, farewells: Mapping[CameraLink, Status | None]) -> None:
        """Leave the broker, all connections at once: one that can't be reached takes its time."""
        threads = [threading.Thread(target=link.stop, args=(last,), daemon=True) for link, last in farewells.items()]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _HANG_UP_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
