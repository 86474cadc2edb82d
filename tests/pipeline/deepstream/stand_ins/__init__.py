"""NVIDIA's elements, stood in for by Python ones in a real GStreamer: names, properties, pads and ways as documented.

`nvurisrcbin` really decodes (files, and RTSP through rtspsrc), with sometimes-pads and a watchdog on the default main
context; `nvstreammux` batches with a push timeout and posts `stream-eos`; `nvinfer` reads its configuration, asks the
test's finder and attaches (strict, fake) metadata; `nvtracker` numbers what it follows, late, and anew after a reset;
`nvvideoconvert` makes a batch of pictures in the size of its caps, which the processor can read where it was told so.
A property that NVIDIA's element has not is refused by GObject itself.
"""

from __future__ import annotations

from typing import Any

from .convert import Convert
from .found import Infer, Tracker
from .muxer import Muxer
from .shared import GLib, Gst, built, finders
from .source import Source

__all__ = ["Convert", "GLib", "Infer", "Muxer", "Source", "Tracker", "built", "finders", "register"]


def _pad_of(name: str, direction: Any, presence: Any) -> Any:
    return Gst.PadTemplate.new(name, direction, presence, Gst.Caps.new_any())


def register() -> None:
    """Put the stand-ins under NVIDIA's names."""
    if Gst.ElementFactory.find("nvstreammux") is not None:
        return
    sometimes, request, always = Gst.PadPresence.SOMETIMES, Gst.PadPresence.REQUEST, Gst.PadPresence.ALWAYS
    source, sink = Gst.PadDirection.SRC, Gst.PadDirection.SINK
    for name, kind, pads in (
        ("nvurisrcbin", Source, [_pad_of("vsrc_%u", source, sometimes)]),
        ("nvstreammux", Muxer, [_pad_of("sink_%u", sink, request), _pad_of("src", source, always)]),
        ("nvinfer", Infer, [_pad_of("sink", sink, always), _pad_of("src", source, always)]),
        ("nvtracker", Tracker, [_pad_of("sink", sink, always), _pad_of("src", source, always)]),
        ("nvvideoconvert", Convert, [_pad_of("sink", sink, always), _pad_of("src", source, always)]),
    ):
        kind.set_metadata(name, "stand-in", "stands in for NVIDIA's", "tests")
        for pad in pads:
            kind.add_pad_template(pad)
        assert Gst.Element.register(None, name, Gst.Rank.NONE, kind)
