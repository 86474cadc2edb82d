"""Which back end reads a camera."""

from __future__ import annotations

from pipeline.capture.base import Capture
from spotter.errors import SettingsError
from spotter.settings import Camera

LEAST_LONGEST = 640
"""Pixels of the longer side that a preview has; a picture is never made smaller."""


def open_capture(name: str, camera: Camera, engine: str = "opencv", longest: int = LEAST_LONGEST) -> Capture:
    """The back end of this engine for this camera; not connected yet.

    GStreamer makes pictures whose longer side exceeds `longest` pixels smaller: what the detector would do anyway.
    Raises SettingsError where the engine lacks system parts.
    """
    if engine == "gstreamer":
        from pipeline.capture.gstreamer import GStreamerCapture

        return GStreamerCapture(name, camera, max(longest, LEAST_LONGEST))
    if engine == "opencv":
        from pipeline.capture.opencv import OpenCVCapture

        return OpenCVCapture(name, camera)
    raise SettingsError(f"engine: {engine} can't give single pictures; use `engine: opencv` or `engine: gstreamer`")
