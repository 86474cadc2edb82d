"""What GStreamer says on a pipeline's bus, in plain words: its own quote addresses and are for developers."""

from __future__ import annotations

from typing import Any

from gi.repository import GLib, Gst

from pipeline.capture.diagnosis import log_in_refused
from spotter.settings import Camera

PACKAGES = {
    "rtspsrc": "gstreamer1.0-plugins-good",
    "souphttpsrc": "gstreamer1.0-plugins-good",
    "v4l2src": "gstreamer1.0-plugins-good",
}
"""Debian's package of an element; all others are in gstreamer1.0-plugins-base."""

_BASE = "gstreamer1.0-plugins-base"
_DECODERS = "gstreamer1.0-libav"
_OTHERS = "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
_CODECS = {"video/x-h264": "H.264", "video/x-h265": "H.265", "video/x-av1": "AV1", "image/jpeg": "JPEG"}


def missing_element(element: str) -> str:
    """An element that is not installed, and the mend."""
    return f"GStreamer's {element} is not installed; apt install {PACKAGES.get(element, _BASE)}"


def missing_plugin(message: Any) -> str | None:
    """What a message says about a decoder or the like that is not installed; None when it is about something else."""
    told = message.get_structure()
    if told is None or told.get_name() != "missing-plugin":
        return None
    kind, detail = told.get_string("type"), told.get_string("detail") or ""
    if kind != "decoder":
        return f"GStreamer can't read {told.get_string('name') or 'its format'}; apt install {_OTHERS}"
    media = detail.split(",", 1)[0]
    package = _OTHERS if media.startswith("application/") else _DECODERS
    return f"GStreamer can't decode {_CODECS.get(media, media)}; apt install {package}"


def why_lost(error: Any) -> str:
    """The reason for a stream that played and broke off."""
    broken_off = error.matches(Gst.StreamError.quark(), Gst.StreamError.FAILED)
    if error.domain == GLib.quark_to_string(Gst.StreamError.quark()) and not broken_off:
        return "its pictures can't be decoded; check the camera"
    return "the stream has broken off"


def why_refused(error: Any, camera: Camera) -> str | None:
    """The reason for a stream that did not open; None where the error does not say, and the camera must be asked."""
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_AUTHORIZED):
        return log_in_refused(camera)
    if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_FOUND) and str(camera.uri).startswith("rtsp"):
        return "the camera has no stream at this path; check the address's end"
    return None
