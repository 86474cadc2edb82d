"""`spotter pipeline`: puts the parts together, keeps an eye on them, and stops them in good order."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone

import numpy as np
import structlog
import supervision as sv
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from pipeline.capture import Feed, Frame, open_capture
from pipeline.detection import FindsObjects, best_batch, open_finder
from pipeline.engine import Engine, Lane
from pipeline.health import Vitals, has_picture, judge
from pipeline.keeper import Keeper
from pipeline.metrics import PipelineCollector
from pipeline.motion import LOOK_SECONDS
from pipeline.outbox import Outbox
from pipeline.preview import LEAST_SECONDS, make_preview, people_in
from pipeline.publisher import CameraLink, Courier
from pipeline.scene import Draft
from pipeline.stream_id import begun, run_prefix
from pipeline.watcher import Watcher
from spotter.errors import ServerError, SettingsError
from spotter.events import FramesPerSecond, Status
from spotter.metrics import serve_metrics
from spotter.settings import Camera, Mqtt, Settings

log = structlog.get_logger()

STATUS_SECONDS = 10.0
"""A status that does not change is repeated this often."""

_TICK_SECONDS = 0.25
_REFUSED_SECONDS = 5.0  # a broker that refuses the log-in this soon after the start is a mistake in the settings
_LAST_SENDING_SECONDS = 0.1
_HANG_UP_SECONDS = 0.5
_DROPS_SHOW_SECONDS = 60.0
_WATCHED_LOOK_SECONDS = 0.5  # a quiet camera that somebody watches is looked at this often, for its previews


def run(settings: Settings, *, metrics_port: int | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises SpotterError where it can't begin."""
    mqtt, finder = _needs(settings), open_finder(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    service = Service(settings, mqtt, finder)
    if metrics_port is not None:
        registry = CollectorRegistry()
        registry.register(PipelineCollector(service.cameras, service.outbox, service.keeper))
        serve_metrics(metrics_port, registry)
    service.run(stop)


def _needs(settings: Settings) -> Mqtt:
    if not settings.cameras:
        raise SettingsError("no camera in the settings; add one: `uri: rtsp://…` or `uri: clip.mp4`")
    if settings.mqtt is None:
        raise SettingsError(
            "no MQTT broker; add `mqtt: {url: mqtt://HOST:1883}`, or start everything with `spotter up`"
        )
    return settings.mqtt


class Watch:
    """One camera and all that belongs to it: feed, lane, connection, health."""

    def __init__(self, service: Service, name: str, camera: Camera) -> None:
        settings = service.settings
        self.name = name
        self.link = CameraLink(service.mqtt, service.outbox, settings.site, name, service.courier.wake)
        self._service = service
        self._watcher = Watcher(
            settings.site,
            name,
            camera,
            id_prefix=run_prefix(service.outbox.run),
            confidence=settings.detector.confidence,
        )
        self.feed = Feed(
            name,
            open_capture(name, camera),
            detect_fps=camera.detect_fps,
            loop_since=begun(service.outbox.stream(settings.site, name).stream) if camera.loop else None,
            wants=self._watcher.wants,
            on_frame=service.engine.wake,
        )
        self.lane = Lane(name, self.feed, self._watcher, service.keeper.put, self._preview)
        self._judged: tuple[str, str | None] | None = None
        self._published_at = self._preview_at = float("-inf")
        self._drawing: Future[None] | None = None

    def tick(self, now: float) -> None:
        """Judge the camera; say so when it changed, and now and then when not; say when there is no picture."""
        self._watcher.gate.look_seconds = _WATCHED_LOOK_SECONDS if self.link.watched else LOOK_SECONDS
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

    def farewell(self) -> Status:
        """The status to leave behind."""
        return Status(state="offline", time=datetime.now(timezone.utc), reason="the pipeline was stopped")

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
        if not self.link.watched or frame.at - self._preview_at < LEAST_SECONDS * 0.9:
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

    def __init__(self, settings: Settings, mqtt: Mqtt, finder: FindsObjects) -> None:
        self.settings, self.mqtt = settings, mqtt
        self.outbox = Outbox(
            settings.data / "outbox.db", hours=settings.outbox.hours, mebibytes=settings.outbox.mebibytes
        )
        self.keeper = Keeper(self.outbox, self._kept)
        self.engine = Engine(finder, batch=best_batch(finder, len(settings.cameras)))
        self.courier = Courier()
        self.artists = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self.watches = {name: Watch(self, name, camera) for name, camera in settings.cameras.items()}
        self.cameras = [(watch.lane, watch.feed) for watch in self.watches.values()]
        self._links = tuple(watch.link for watch in self.watches.values()) + self._left_over()
        self._dropped, self._dropped_at = 0, float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set. Raises ServerError when the broker refuses the log-in at the start."""
        began = time.monotonic()
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
        finally:
            self._stop()

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

    def _left_over(self) -> tuple[CameraLink, ...]:
        """Connections for scenes of cameras (or a site) that are no longer in the settings: they are owed, too."""
        known = {(self.settings.site, name) for name in self.watches}
        return tuple(
            CameraLink(self.mqtt, self.outbox, stream.site, stream.camera, self.courier.wake, with_status=False)
            for stream in self.outbox.streams()
            if stream.pending and (stream.site, stream.camera) not in known
        )

    def _stop(self) -> None:
        """Stop within 3 s, whatever hangs: what hangs is a daemon thread."""
        for _, feed in self.cameras:
            feed.stop()
        self.engine.stop(0.5)
        self.keeper.stop(0.5)
        self.artists.shutdown(wait=False, cancel_futures=True)
        time.sleep(_LAST_SENDING_SECONDS)  # the courier sends what was kept last
        self.courier.stop(0.3)
        self._hang_up()
        self.outbox.close()
        log.info("pipeline_stopped")

    def _hang_up(self) -> None:
        """Leave the broker, all connections at once: one that can't be reached takes its time."""
        farewells = {watch.link: watch.farewell() for watch in self.watches.values()}
        threads = [threading.Thread(target=link.stop, args=(farewells.get(link),), daemon=True) for link in self._links]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _HANG_UP_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
