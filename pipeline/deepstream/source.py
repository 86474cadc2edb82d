"""One camera of the DeepStream engine: its place in the graph, how it is doing, and when its frames are wanted."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import structlog

from pipeline.capture.base import Frame, Sampler
from pipeline.capture.diagnosis import log_in_refused, why_not_open
from pipeline.capture.feed import REFUSED_WAIT_SECONDS, FeedState, Phase
from pipeline.deepstream.metadata import SeenFrame
from pipeline.preview import LEAST_SECONDS
from pipeline.rates import Rate
from spotter.settings import Camera

if TYPE_CHECKING:
    from pipeline.deepstream.engine import DeepStreamEngine

log = structlog.get_logger()

SILENT_SECONDS = 20.0
"""A source that gives nothing for so long is built anew: nvurisrcbin itself tries before that, several times."""

ASK_SECONDS = 4.0
"""A camera whose source gives nothing for so long is asked why, while the source goes on trying."""

RETRY_SECONDS = 2.0
"""After an error."""

SETTLED_SECONDS = 2.0
"""No preview before: pictures of the camera that had the place before may still be under way."""

_NO_PICTURE = np.empty((0, 0, 3), dtype=np.uint8)
_MOST_SKEW_SECONDS = 10.0  # a muxer's time stamp that is further from this machine's clock is not believed


class DeepStreamSource:
    """A camera, opened by the engine; `pipeline.engines.Source` says what the service reads of it."""

    has_frame = False

    def __init__(self, engine: DeepStreamEngine, name: str, camera: Camera) -> None:
        self.name, self.camera = name, camera
        self.state = FeedState("preparing", "the graph is started", time.monotonic())
        self.last_frame_at: float | None = None
        self.captured, self.offered, self.overtaken = Rate(), Rate(), Rate()
        self.number: int | None = None
        """Its place at the muxer, while it has one."""
        self.stopped = False
        self.due_at = 0.0
        """Monotonic time from which on it may be built (again)."""
        self.built_at: float | None = None
        self.watched = False
        self.lives = 0
        """How often it was built: the tracker counts anew each time."""
        self._engine = engine
        self._sampler = Sampler(camera.detect_fps)
        self._origin: float | None = None
        self._shown_at = float("-inf")
        self._diagnosing = False

    def start(self) -> None:
        """Begin to connect."""
        self._engine.added(self)

    def stop(self) -> None:
        """Let go of the camera for good."""
        self.stopped = True
        self._engine.gone(self)

    def take(self) -> None:
        """Always nothing: pictures stay on the GPU."""

    def wants(self, pts_ns: int) -> bool:
        """Whether this frame's objects are wanted; called in GStreamer's thread, for every frame."""
        return self._sampler.takes(pts_ns / 1e9)

    def shows(self, now: float) -> bool:
        """Whether a picture of it is wanted for a preview; if so, that counts as the last one."""
        settled = self.built_at is not None and now - self.built_at > SETTLED_SECONDS
        if not (self.watched and settled and now - self._shown_at >= LEAST_SECONDS):
            return False
        self._shown_at = now
        return True

    def built(self, number: int) -> None:
        """It has a place in the graph now."""
        self.number, self.built_at, self._origin = number, time.monotonic(), None
        self.lives += 1
        if self.state.phase == "connecting":
            self.enter("connecting")

    def lost(self, reason: str) -> None:
        """It gives nothing; it is built anew after a while. Where this machine can tell why, that is said instead."""
        self.due_at = time.monotonic() + RETRY_SECONDS
        if self.state.phase != "retrying":
            log.warning("camera_lost", camera=self.name, reason=reason)
            self.enter("retrying", reason)
        self._ask()

    def silent(self, now: float) -> bool:
        """Whether it has given nothing for too long, or nvurisrcbin would go on with a log-in that is refused."""
        if self.state.phase in ("ended", "preparing"):
            return False
        quiet = now - max(self.last_frame_at or 0.0, self.built_at or now)
        if quiet > ASK_SECONDS and self.state.reason is None:
            self._ask()
        refused = self.state.phase == "connecting" and self.state.reason == log_in_refused(self.camera)
        return refused or quiet > SILENT_SECONDS

    def enter(self, phase: Phase, reason: str | None = None) -> None:
        """Another phase, or another reason of the same."""
        since = self.state.since if self.state.phase == phase else time.monotonic()
        self.state = FeedState(phase, reason, since, self.state.size)

    def note(self, seen: SeenFrame, came_at: float) -> None:
        """A frame of it came."""
        self.captured.note(came_at)
        self.last_frame_at = came_at
        if self.state.phase == "playing" and self.state.reason is not None:
            self.enter("playing")
        if self.state.phase not in ("playing", "ended"):  # of a file that has ended, the last batches still come
            self.state = FeedState("playing", None, came_at, (seen.width, seen.height))
            log.info("camera_playing", camera=self.name, width=seen.width, height=seen.height)

    def frame(self, seen: SeenFrame, came_at: float) -> Frame:
        """The frame as the rest of the pipeline knows it: when, and how large, but no picture."""
        size = (seen.width, seen.height)
        now = datetime.now(timezone.utc)
        if self.camera.is_file:  # its own clock: how early the graph works ahead does not matter
            if self._origin is None:
                self._origin = came_at - seen.pts_ns / 1e9
            at = self._origin + seen.pts_ns / 1e9
            return Frame(_NO_PICTURE, now + timedelta(seconds=at - time.monotonic()), at, size)
        captured = datetime.fromtimestamp(seen.wall_ns / 1e9, timezone.utc)
        if abs((now - captured).total_seconds()) > _MOST_SKEW_SECONDS:
            captured = now
        return Frame(_NO_PICTURE, captured, came_at, size)

    def _ask(self) -> None:
        if not self._diagnosing:
            self._diagnosing = True
            threading.Thread(target=self._diagnose, name=f"diagnosis-{self.name}", daemon=True).start()

    def _diagnose(self) -> None:
        asked_at = time.monotonic()
        try:
            reason = why_not_open(self.camera)
            if self.state.phase in ("connecting", "playing", "retrying") and (self.last_frame_at or 0.0) < asked_at:
                self.enter(self.state.phase, reason)
                if reason == log_in_refused(self.camera):
                    self.due_at = time.monotonic() + REFUSED_WAIT_SECONDS
        finally:
            self._diagnosing = False
