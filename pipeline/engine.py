"""The detection loop: one detector for all cameras, shared fairly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
import supervision as sv

from pipeline.capture import Feed, Frame
from pipeline.detection import FindsObjects
from pipeline.rates import Rate
from pipeline.scene import Draft
from pipeline.watcher import Watcher

log = structlog.get_logger()

_IDLE_SECONDS = 0.25
_AFTER_ERROR_SECONDS = 1.0

Looked = Callable[[Frame, sv.Detections], None]
"""Gets every frame that was looked at, with what was found in it."""


class Lane:
    """One camera's way through the engine."""

    def __init__(
        self, name: str, feed: Feed, watcher: Watcher, keep: Callable[[Draft], None], looked: Looked | None = None
    ) -> None:
        self.name, self.feed, self.watcher = name, feed, watcher
        self.detected = Rate()
        self.processed_at: float | None = None
        """Monotonic time at which a frame was last looked at."""
        self.served_at = 0.0
        self._keep, self._looked = keep, looked
        self._lock = threading.Lock()

    def handle(self, frame: Frame, detections: sv.Detections) -> None:
        """Take in what was found in a frame."""
        with self._lock:
            draft = self.watcher.see(frame, detections)
            if draft:
                self._keep(draft)
        if self._looked:
            self._looked(frame, detections)
        self.processed_at = time.monotonic()
        self.detected.note(self.processed_at)

    def see_nothing(self, time_now: datetime, at: float) -> None:
        """There is no picture; say so if that is due."""
        with self._lock:
            draft = self.watcher.see_nothing(time_now, at)
            if draft:
                self._keep(draft)


class Engine:
    """Runs the detector over the lanes' newest frames, longest waiting camera first, in its own thread."""

    def __init__(self, detector: FindsObjects, *, batch: int = 1) -> None:
        self.error: str | None = None
        """Why the detector failed last, until it works again."""
        self.busy_since: float | None = None
        """Monotonic time at which the detector began what it is at."""
        self._detector, self._batch = detector, batch
        self._lanes: tuple[Lane, ...] = ()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def wake(self) -> None:
        """There may be a new frame."""
        self._wake.set()

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin to look."""
        self._lanes = tuple(lanes)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""
        self._stop.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.step():
                self._wake.wait(_IDLE_SECONDS)
                self._wake.clear()

    def step(self) -> bool:
        """Look at the frames of the cameras that waited longest; whether there were any."""
        waiting = sorted((lane for lane in self._lanes if lane.feed.has_frame), key=lambda lane: lane.served_at)
        picked = [(lane, frame) for lane in waiting[: self._batch] if (frame := lane.feed.take()) is not None]
        if not picked:
            return False
        self.busy_since = time.monotonic()
        for lane, _ in picked:
            lane.served_at = self.busy_since
        try:
            found = self._detector.detect([frame.image for _, frame in picked])
            for (lane, frame), detections in zip(picked, found, strict=True):
                lane.handle(frame, detections)
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
            if reason != self.error:
                log.exception("detection_failed", cameras=[lane.name for lane, _ in picked])
            self.error = reason
            self._stop.wait(_AFTER_ERROR_SECONDS)
        else:
            self.error = None
        finally:
            self.busy_since = None
        return True
