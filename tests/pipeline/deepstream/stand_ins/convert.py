"""The stand-in for nvvideoconvert."""

from __future__ import annotations

from typing import Any

import cv2

from pipeline.deepstream import strict_pyds
from pipeline.deepstream.listed import properties

from .shared import GLib, Gst, Properties, built, declared, hold, metas_of, pictures_of


class Convert(Properties, Gst.Element):
    """nvvideoconvert: another batch, with the metadata of the first, whose pictures are RGBA of the size asked for."""

    __gtype_name__ = "StandInNvvideoconvert"
    __gproperties__ = declared(properties("9.1")["nvvideoconvert"])

    fails: str | None = None
    loses_frames = False
    """Its metadata is of other frames."""
    on_jetson = False
    """Whether its pictures can be read by the processor without being told so."""

    def __init__(self) -> None:
        super().__init__()
        self.converted = 0
        self._held: list[Any] = []
        self._size: tuple[int, int] | None = None
        self._sink = Gst.Pad.new_from_template(self.get_pad_template("sink"), "sink")
        self._src = Gst.Pad.new_from_template(self.get_pad_template("src"), "src")
        self._sink.set_chain_function_full(lambda pad, parent, buffer: self._chain(buffer))
        self._sink.set_event_function_full(lambda pad, parent, event: self._event(event))
        self.add_pad(self._sink)
        self.add_pad(self._src)
        built.append(self)

    def _event(self, event: Any) -> bool:
        if event.type != Gst.EventType.CAPS:
            return self._src.push_event(event)
        caps = self._src.peer_query_caps(None).fixate()
        assert caps.get_features(0).contains("memory:NVMM")
        shape = caps.get_structure(0)
        assert shape.get_string("format") == "RGBA"
        self._size = shape.get_int("width")[1], shape.get_int("height")[1]
        return self._src.push_event(Gst.Event.new_caps(caps))

    def _chain(self, buffer: Any) -> Any:
        if Convert.fails:
            self.post_message(
                Gst.Message.new_error(self, GLib.Error(Convert.fails, "gst-stream-error-quark", 1), "nvvideoconvert")
            )
            return Gst.FlowReturn.ERROR
        self.converted += 1
        made = Gst.Buffer.new_allocate(None, 1, None)
        made.pts = buffer.pts
        metas = [dict(meta) for meta in metas_of[buffer.offset]]
        for meta in metas:
            meta["objects"] = []
            meta["frame_num"] += 1_000_000 if Convert.loses_frames else 0
        pictures = [
            cv2.cvtColor(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGBA)
            for picture in pictures_of[buffer.offset]
        ]
        readable = Convert.on_jetson or self.own.get("nvbuf-memory-type") == 3
        strict_pyds.attach(made, metas, pictures=pictures if readable else None)
        hold(self._held, made)
        return self._src.push(made)
