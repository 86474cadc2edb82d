"""A camera's own thread: keeps it open and hands over its newest frame, never an old one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

import structlog

from pipeline.capture.base import Capture, Frame, Sampler
from pipeline.capture.diagnosis import without_credentials
from pipeline.rates import Rate
from spotter.errors import CameraError, LogInRefusedError

log = structlog.get_logger()

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 5.0
"""Between two tries: a camera that comes back is seen within 10 s, connecting included."""

REFUSED_WAIT_SECONDS = 60.0
"""After a refused log-in: many cameras lock an account that is tried often."""

STEADY_SECONDS = 10.0
"""A camera that gave pictures for so long has recovered: its next retry is quick again."""

_LATE_SECONDS = 1.0  # a file that plays later than this is slowed down, for its times must stay true
_SKIP_SECONDS = 0.5  # a loop that is less behind than this catches up; one that is more behind skips

Phase = Literal["preparing", "connecting", "playing", "retrying", "ended"]


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a camera is doing."""

    phase: Phase
    reason: str | None
    """Why it is not playing, in plain words and without credentials."""
    since: float
    """Monotonic time at which the phase began."""
    size: tuple[int, int] | None = None
    """Width and height of its pictures, once known."""


class Feed:
    """Runs one capture in a thread and keeps its newest wanted frame in a slot of one.

    Frames are sampled at `detect_fps`, and of those the ones that `wants` refuses (the motion gate) are let go.
    `on_frame` is called when the slot was filled. A file plays in real time, its frames stamped with the time at
    which they are due. With `loop_since` it plays again and again as if it had begun at that moment and never
    stopped: after a restart it goes on where the wall clock has it, as a camera does.
    """

    def __init__(
        self,
        name: str,
        capture: Capture,
        *,
        detect_fps: float,
        loop_since: datetime | None = None,
        wants: Callable[[Frame], bool] = lambda frame: True,
        on_frame: Callable[[], None] = lambda: None,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self.name = name
        self.state = FeedState("connecting", None, time.monotonic())
        self.last_frame_at: float | None = None
        """Monotonic time of the newest picture of the camera, looked at or not."""
        self.captured, self.offered, self.overtaken = Rate(), Rate(), Rate()
        """Pictures that came; those that were offered to the detector; those that a newer one replaced in the slot."""
        self.watched = False
        self._capture, self._loop_since = capture, loop_since
        self._detect_fps = detect_fps
        self._wants, self._on_frame = wants, on_frame
        self._first_wait = first_wait_seconds
        self._slot: Frame | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        # A native call may hang in spite of all timeouts; a daemon thread never holds up the end of the program.
        self._thread = threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; does not wait for it."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, for at most so long."""
        self._thread.join(seconds)

    def take(self) -> Frame | None:
        """The newest frame, once."""
        with self._lock:
            frame, self._slot = self._slot, None
            return frame

    @property
    def has_frame(self) -> bool:
        """Whether a frame waits to be taken."""
        return self._slot is not None

    def _run(self) -> None:
        wait = self._first_wait
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                again = self._play_once()
            except Exception as error:  # noqa: BLE001 - without its thread a camera is never tried again
                if time.monotonic() - began > STEADY_SECONDS:
                    wait = self._first_wait
                this_wait = REFUSED_WAIT_SECONDS if isinstance(error, LogInRefusedError) else wait
                self._lost(self._reason(error), this_wait)
                self._stop.wait(this_wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                if not again:
                    return
            finally:
                self._capture.close()

    def _reason(self, error: Exception) -> str:
        text = str(error)
        if isinstance(error, CameraError):
            return text.removeprefix(f"camera '{self.name}': ")
        return without_credentials(f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}")

    def _play_once(self) -> bool:
        """Play until the end; whether to play again. Raises CameraError when the camera is lost."""
        info = self._capture.open()
        sampler = Sampler(self._detect_fps)
        start = time.monotonic() - self._find_place(info.seconds)
        while not self._stop.is_set():
            if not self._capture.grab():
                if self._loop_since is None:
                    self._enter("ended", "the file has ended")
                    log.info("file_ended", camera=self.name)
                    return False
                self._stop.wait(max(0.0, start + info.seconds - time.monotonic()))
                return True
            if self._capture.is_file:
                at = start + self._capture.position
                if self._stop.wait(max(0.0, at - time.monotonic())):
                    return False
                behind = time.monotonic() - at
                if behind > _LATE_SECONDS:
                    start += behind
                    at += behind
            else:
                at = time.monotonic()
            self.captured.note(at, self._capture.came)
            self.last_frame_at = at
            if self.state.phase != "playing":
                self._enter("playing", None, (info.width, info.height))
                log.info("camera_playing", camera=self.name, width=info.width, height=info.height, fps=info.fps)
            own = self._capture.clocked or self._capture.is_file
            if sampler.takes(self._capture.position if own else at - start):
                self._offer(Frame(self._capture.retrieve(), _wall_clock(at), at))
        return False

    def _find_place(self, length: float) -> float:
        """Seconds from the beginning of the file to where it plays now; the capture is taken there."""
        if self._loop_since is None or length <= 0:
            return 0.0
        place = (datetime.now(timezone.utc) - self._loop_since).total_seconds() % length
        if place > length - _SKIP_SECONDS:  # hardly a picture is left: wait for the beginning
            return place - length
        if place > _SKIP_SECONDS:
            self._capture.seek(place)
        return place

    def _offer(self, frame: Frame) -> None:
        if self._wants(frame):
            with self._lock:
                overtaken, self._slot = self._slot is not None, frame
            self.offered.note(frame.at)
            if overtaken:
                self.overtaken.note(frame.at)
            self._on_frame()

    def _lost(self, reason: str, wait: float) -> None:
        if self.state.reason != reason:
            log.warning("camera_lost", camera=self.name, reason=reason, retry_seconds=wait)
        if self.state.phase != "retrying" or self.state.reason != reason:
            self._enter("retrying", reason)

    def _enter(self, phase: Phase, reason: str | None, size: tuple[int, int] | None = None) -> None:
        since = self.state.since if self.state.phase == phase else time.monotonic()
        self.state = FeedState(phase, reason, since, size or self.state.size)
        self._on_frame()


def _wall_clock(at: float) -> datetime:
    """The wall-clock time of a monotonic moment near now."""
    return datetime.now(timezone.utc) - timedelta(seconds=time.monotonic() - at)
