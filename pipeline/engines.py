"""What an engine is to the service, and which one the settings name.

An engine opens cameras, and hands every picture that was looked at to its camera's lane (`Lane.handle`), with what was
found in it. All that follows (tracks, scenes, status, previews) is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from spotter.settings import Camera, Settings

if TYPE_CHECKING:  # each engine brings its own packages
    from pipeline.capture import FeedState, Frame
    from pipeline.engine import Lane
    from pipeline.rates import Rate


class Source(Protocol):
    """An opened camera: how it is doing, and what it gives. `Feed` is one.

    One camera's trouble shows here and nowhere else; it is opened again and again until `stop`.
    """

    state: FeedState
    last_frame_at: float | None
    """Monotonic time of the newest picture of the camera, looked at or not."""

    captured: Rate
    """Pictures that came."""

    offered: Rate
    """Pictures that were to be looked at."""

    overtaken: Rate
    """Those of them that a newer one replaced before they were looked at."""

    watched: bool
    """Whether somebody looks at its previews, as the service sets it: where pictures stay in the engine, it fetches
    some only then, and hands them to `Lane.show`."""

    def start(self) -> None:
        """Begin to connect."""

    def stop(self) -> None:
        """Let go of the camera for good; does not wait for it."""

    def take(self) -> Frame | None:
        """The newest frame, once; always None where pictures never leave the engine."""

    @property
    def has_frame(self) -> bool:
        """Whether a frame waits to be taken."""


class WatchesCameras(Protocol):
    """An engine. Its methods are called from one thread; lanes are called from a thread of its own."""

    error: str | None
    """Why looking at pictures failed last, until it works again."""

    follows: bool
    """Whether its detections carry the numbers of tracks (`tracker_id`) that it follows itself."""

    def open(self, name: str, camera: Camera, *, wants: Callable[[Frame], bool], loop_since: datetime | None) -> Source:
        """A camera, not started yet, whose pictures are looked at where `wants` says so.

        `loop_since` is when a looping file began; see `Feed`.
        """

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin to look at the pictures of these cameras."""

    def use(self, lanes: Sequence[Lane]) -> None:
        """Look at these from now on: some may be new, others gone; all the same lanes go on undisturbed."""

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""


def open_engine(settings: Settings) -> WatchesCameras:
    """The engine that the settings name, ready to open cameras. Raises SpotterError."""
    if settings.engine == "deepstream":
        from pipeline.deepstream.engine import DeepStreamEngine

        return DeepStreamEngine(settings)
    from pipeline.capture_engine import CaptureEngine

    return CaptureEngine(settings)
