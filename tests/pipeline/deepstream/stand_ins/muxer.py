"""The stand-in for the old nvstreammux."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from pipeline.deepstream.listed import properties

from .shared import GObject, Gst, Properties, built, declared, frames_of, metas_of


class Muxer(Properties, Gst.Bin):
    """The old nvstreammux."""

    __gtype_name__ = "StandInNvstreammux"
    __gproperties__ = declared(properties("9.1")["nvstreammux.old"])

    def __init__(self) -> None:
        super().__init__()
        self._sinks: dict[int, Any] = {}
        self._ended: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._source = Gst.ElementFactory.make("appsrc", None)
        self._source.set_property("format", Gst.Format.TIME)
        self._source.set_property("caps", Gst.Caps.from_string("video/x-raw"))
        self._source.set_property("block", True)
        self._source.set_property("max-buffers", 4)
        self.add(self._source)
        ghost = Gst.GhostPad.new("src", self._source.get_static_pad("src"))
        self.add_pad(ghost)
        self._thread: threading.Thread | None = None
        self._count = 0
        self._numbers: dict[int, int] = {}
        built.append(self)

    def do_request_new_pad(self, template: Any, name: str | None, caps: Any) -> Any:
        assert name is not None
        assert name.startswith("sink_")
        number = int(name.removeprefix("sink_"))
        sink = Gst.ElementFactory.make("appsink", None)
        for key, value in {"sync": False, "async": False, "max-buffers": 2, "enable-last-sample": False}.items():
            sink.set_property(key, value)
        self.add(sink)
        sink.sync_state_with_parent()
        pad = Gst.GhostPad.new(name, sink.get_static_pad("sink"))
        pad.set_active(True)
        self.add_pad(pad)
        with self._lock:
            self._sinks[number] = sink
            self._ended.discard(number)
        return pad

    def do_release_pad(self, pad: Any) -> None:
        with self._lock:
            sink = self._sinks.pop(int(pad.get_name().removeprefix("sink_")))
        self.remove_pad(pad)
        sink.set_state(Gst.State.NULL)
        self.remove(sink)

    def do_change_state(self, transition: Any) -> Any:
        if transition == Gst.StateChange.READY_TO_PAUSED:
            assert self.own["width"], "the old muxer's width MUST be set"
            assert self.own["height"], "the old muxer's height MUST be set"
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        if transition == Gst.StateChange.PAUSED_TO_READY:
            self._stop.set()
        return Gst.Bin.do_change_state(self, transition)

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = self._batch()
            if batch:
                self._push(batch)

    def _batch(self) -> dict[int, Any]:
        """One frame of each camera, or of those that have one when the push timeout is over."""
        timeout = self.own["batched-push-timeout"] / 1e6
        batch: dict[int, Any] = {}
        deadline: float | None = None
        while not self._stop.is_set():
            with self._lock:
                waiting = {n: sink for n, sink in self._sinks.items() if n not in batch and n not in self._ended}
            for number, sink in waiting.items():
                sample = sink.try_pull_sample(0)
                if sample is not None:
                    batch[number] = sample
                    deadline = deadline or time.monotonic() + timeout
                elif sink.is_eos():
                    self._ended.add(number)
                    self._tell_end(number)
            if batch and (waiting.keys() <= batch.keys() or (timeout >= 0 and time.monotonic() > (deadline or 0))):
                return batch
            self._stop.wait(0.002)
        return {}

    def _tell_end(self, number: int) -> None:
        structure = Gst.Structure.new_empty("stream-eos")
        structure.set_value("stream-id", GObject.Value(GObject.TYPE_UINT, number))
        self.post_message(Gst.Message.new_element(self, structure))

    def _push(self, batch: dict[int, Any]) -> None:
        buffer = Gst.Buffer.new_allocate(None, 1, None)
        pictures, metas = [], []
        for place, (number, sample) in enumerate(batch.items()):
            shape, held = sample.get_caps().get_structure(0), sample.get_buffer()
            width, height = shape.get_int("width")[1], shape.get_int("height")[1]
            rows = np.frombuffer(held.extract_dup(0, held.get_size()), np.uint8).reshape(height, -1)
            pictures.append((width, height, rows[:, : width * 3].reshape(height, width, 3)))
            self._numbers[number] = self._numbers.get(number, -1) + 1
            metas.append(
                {
                    "pad_index": number,
                    "source_id": number,
                    "batch_id": place,
                    "frame_num": self._numbers[number],
                    "buf_pts": held.pts,
                    "ntp_timestamp": time.time_ns(),
                    "source_frame_width": width,
                    "source_frame_height": height,
                    "bInferDone": 0,
                }
            )
        buffer.pts = max(meta["buf_pts"] for meta in metas)
        self._count += 1
        buffer.offset = self._count + (id(self) % 1_000_003 << 40)  # stays when an element copies the buffer
        frames_of[buffer.offset], metas_of[buffer.offset] = pictures, metas
        self._source.push_buffer(buffer)
