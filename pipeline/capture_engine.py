"""The engine on the CPU: pictures of OpenCV or GStreamer, one feed a camera, through the detector of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pipeline.capture import Feed, Frame, open_capture
from pipeline.detection import best_batch
from pipeline.engine import Engine, Lane
from pipeline.renewing import RenewingFinder
from spotter.settings import Camera, Settings


class CaptureEngine(Engine):
    """Opens cameras and detects what is in their pictures."""

    def __init__(self, settings: Settings) -> None:
        """Raises WeightsError or SettingsError."""
        finder = self._renewing = RenewingFinder(settings)
        super().__init__(finder, batch=best_batch(finder, len(settings.cameras)))
        self._captures_by, self._longest = settings.engine, finder.size

    def open(self, name: str, camera: Camera, *, wants: Callable[[Frame], bool], loop_since: datetime | None) -> Feed:
        """A camera's feed."""
        return Feed(
            name,
            open_capture(name, camera, self._captures_by, self._longest),
            detect_fps=camera.detect_fps,
            loop_since=loop_since,
            wants=wants,
            on_frame=self.wake,
        )

    def start(self, lanes: Sequence[Lane]) -> None:
        """Begin to look, and to watch for another detector."""
        self._renewing.start()
        super().start(lanes)

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""
        self._renewing.stop()
        super().stop(seconds)
