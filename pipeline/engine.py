"""The detection loop: one detector for all cameras, shared fairly."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import structlog
import supervision as sv

from pipeline.capture import Frame
from pipeline.detection import FindsObjects
from pipeline.rates import Rate
from pipeline.scene import Draft
from pipeline.watcher import Watcher

log = structlog.get_logger()

_IDLE_SECONDS = 0.25
_AFTER_ERROR_SECONDS = 1.0

Looked = Callable[[Frame, sv.Detections], None]
"""Gets every frame that was looked at, with what was found in it."""


class GivesFrames(Protocol):
    """A slot with a camera's newest frame; `Feed` is one."""

    @property
    def has_frame(self) -> bool:
        """Whether a frame waits to be taken."""

    def take(self) -> Frame | None:
        """The newest frame, once."""


class Lane:
    """One camera's way through the engine."""

    def __init__(
        self,
        name: str,
        feed: GivesFrames,
        watcher: Watcher,
        keep: Callable[[Draft], None],
        looked: Looked | None = None,
    ) -> None:
        self.name, self.feed, self.watcher = name, feed, watcher
        self.detected = Rate()
        self.processed_at: float | None = None
        """Monotonic time at which a frame was last looked at."""
        self.served = 0
        """The turn in which a frame was last taken."""
        self._keep, self._looked = keep, looked
        self._lock = threading.Lock()

    def handle(self, frame: Frame, detections: sv.Detections) -> None:
        """Take in what was found in a frame."""
        with self._lock:
            draft = self.watcher.see(frame, detections)
            if draft:
                self._keep(draft)
        self.show(frame, detections)
        self.processed_at = time.monotonic()
        self.detected.note(self.processed_at)

    def show(self, frame: Frame, detections: sv.Detections) -> None:
        """Only show a frame, with what was found in it: where its picture comes later than its objects."""
        if self._looked:
            self._looked(frame, detections)

    def see_nothing(self, time_now: datetime, at: float) -> None:
        """There is no picture; say so if that is due."""
        with self._lock:
            draft = self.watcher.see_nothing(time_now, at)
            if draft:
                self._keep(draft)


class Engine:
    """Runs the detector over the lanes' newest frames, longest waiting camera first.

    While the network looks at one batch, in a thread of its own, the engine's thread prepares the next one and tracks
    what was found in the last: on a full load the network never waits.
    """

    follows = False

    def __init__(self, finder: FindsObjects, *, batch: int = 1) -> None:
        self.error: str | None = None
        """Why the detector failed last, until it works again."""
        self.busy_since: float | None = None
        """Monotonic time at which the network began what it is at."""
        self.looked = 0
        """Frames looked at so far."""
        self._finder, self._batch = finder, batch
        self._lanes: tuple[Lane, ...] = ()
        self._turn = 0
        self._picked: list[tuple[Lane, Frame]] = []
        self._network = _Network(finder)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def wake(self) -> None:
        """There may be a new frame."""
        self._wake.set()

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin to look."""
        self.use(lanes)
        self._thread.start()

    def use(self, lanes: Sequence[Lane]) -> None:
        """Look at these cameras, when `step` is called."""
        self._lanes = tuple(lanes)

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""
        self._stop.set()
        self._wake.set()
        until = time.monotonic() + seconds
        self._network.stop()
        self._thread.join(seconds)
        self._network.join(max(0.0, until - time.monotonic()))

    def step(self, *, begin: bool = True) -> bool:
        """Send the frames of the cameras that waited longest to the network (unless not to `begin` anything) and take
        in what it found in those before; whether there was anything to do.
        """
        picked = self._pick() if begin else []
        try:
            prepared = self._finder.prepare([frame.image for _, frame in picked]) if picked else None
            before, self._picked = self._picked, []
            found = self._network.found() if before else []
            if picked:
                self._network.look(prepared)
                self._picked, self.busy_since = picked, time.monotonic()
            for (lane, frame), detections in zip(before, found, strict=True):
                lane.handle(frame, detections)
                self.looked += 1
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no base; cameras must go on being watched
            self._fail(error)
        else:
            if before:
                self.error = None
        if not self._picked:
            self.busy_since = None
        return bool(picked or before)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.step():
                self._wake.wait(_IDLE_SECONDS)
                self._wake.clear()

    def _pick(self) -> list[tuple[Lane, Frame]]:
        waiting = sorted((lane for lane in self._lanes if lane.feed.has_frame), key=lambda lane: lane.served)
        picked = [(lane, frame) for lane in waiting[: self._batch] if (frame := lane.feed.take()) is not None]
        for lane, _ in picked:
            self._turn += 1
            lane.served = self._turn
        return picked

    def _fail(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        if reason != self.error:
            log.error("detection_failed", error=reason, exc_info=error)
        self.error = reason
        self._stop.wait(_AFTER_ERROR_SECONDS)


class _Network:
    """The thread in which the network runs: a daemon, for a native call that hangs must not hold up the end."""

    def __init__(self, finder: FindsObjects) -> None:
        self._finder = finder
        self._wanted: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[list[sv.Detections] | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    def look(self, prepared: Any) -> None:
        """Begin to look; `found` gives the outcome. One at a time."""
        self._wanted.put(prepared)

    def found(self) -> list[sv.Detections]:
        """What was found, waiting for it. Raises what the detector raised."""
        result = self._results.get()
        if isinstance(result, Exception):
            raise result
        return result

    def stop(self) -> None:
        """End after what is being looked at."""
        self._wanted.put(_END)

    def join(self, seconds: float) -> None:
        """Wait for the end, for at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while (prepared := self._wanted.get()) is not _END:
            self._results.put(self._outcome(prepared))

    def _outcome(self, prepared: Any) -> list[sv.Detections] | Exception:
        try:
            return self._finder.find(prepared)
        except Exception as error:  # noqa: BLE001 - handed to the engine's thread, which tells of it
            return error


_END = object()
