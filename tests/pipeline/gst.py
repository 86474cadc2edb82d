"""Skips tests where GStreamer is not installed; with GSTREAMER=1, as in continuous integration, they fail there."""

from __future__ import annotations

import os

import pytest

from spotter.errors import SettingsError


def gstreamer() -> None:
    """Go on only where GStreamer is."""
    try:
        import pipeline.capture.gstreamer  # noqa: F401
    except SettingsError as missing:
        if os.environ.get("GSTREAMER") == "1":
            raise
        pytest.skip(f"needs GStreamer: {missing}")
