"""Run by a test: a hardware decoder that fails stands in for one of V4L2; prints what capture does about it."""

from __future__ import annotations

import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, GObject, Gst  # noqa: E402

Gst.init(None)


PADS = (("sink", Gst.PadDirection.SINK, "video/mpeg"), ("src", Gst.PadDirection.SRC, "video/x-raw"))


class Failing(Gst.Element):
    def __init__(self) -> None:
        super().__init__()
        self._pads = [Gst.Pad.new_from_template(self.get_pad_template(name), name) for name, *_ in PADS]
        for pad in self._pads:
            self.add_pad(pad)
        self._pads[0].set_chain_function_full(self._chain)
        self._pads[0].set_event_function_full(self._event)

    def _event(self, pad: Any, parent: Any, event: Any) -> bool:
        if event.type == Gst.EventType.CAPS:
            caps = Gst.Caps.from_string("video/x-raw,format=NV12,width=320,height=180,framerate=10/1")
            return bool(self._pads[1].push_event(Gst.Event.new_caps(caps)))
        return bool(pad.event_default(parent, event))

    def _chain(self, _: Any, __: Any, ___: Any) -> Any:
        error = GLib.Error.new_literal(Gst.StreamError.quark(), "stand-in", Gst.StreamError.DECODE)
        self.post_message(Gst.Message.new_error(self, error, "it always fails"))
        return Gst.FlowReturn.ERROR


GObject.type_register(Failing)
Failing.set_metadata("stand-in", "Codec/Decoder/Video/Hardware", "refuses every picture", "tests")
for name, direction, caps in PADS:
    there = Gst.PadPresence.ALWAYS
    Failing.add_pad_template(Gst.PadTemplate.new(name, direction, there, Gst.Caps.from_string(caps)))
Gst.Element.register(None, "v4l2standin", Gst.Rank.NONE, Failing)

from pipeline.capture import open_capture  # noqa: E402
from spotter.errors import CameraError  # noqa: E402
from spotter.settings import Camera  # noqa: E402

capture = open_capture("rack", Camera(uri=sys.argv[1]), "gstreamer")
try:
    capture.open()
except CameraError as error:
    print(str(error).split(": ")[-1])  # noqa: T201
print(capture.open().codec)  # noqa: T201
