"""NVIDIA's elements, stood in for by Python ones in a real GStreamer: names, properties, pads and ways as documented.

`nvurisrcbin` really decodes (files, and RTSP through rtspsrc), with sometimes-pads and a watchdog on the default main
context; `nvstreammux` batches with a push timeout and posts `stream-eos`; `nvinfer` reads its configuration, asks the
test's finder and attaches (strict, fake) metadata; `nvtracker` numbers what it follows, late, and anew after a reset;
`nvvideoconvert` makes a batch of pictures in the size of its caps, which the processor can read where it was told so.
A property that NVIDIA's element has not is refused by GObject itself.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import gi
import numpy as np
import supervision as sv
from trackers import ByteTrackTracker

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstApp", "1.0")

from gi.repository import GLib, GObject, Gst, GstApp, GstBase  # noqa: E402, F401 - GstApp gives appsink its methods

from pipeline.deepstream import configs, strict_pyds  # noqa: E402
from pipeline.deepstream.listed import Listed, properties  # noqa: E402

Gst.init(None)  # before the classes: GStreamer's own are not complete until then

FPS = 10
"""Decoded files are taken apart at their own rate; live ones as they come."""

Find = Callable[[np.ndarray], sv.Detections]

finders: list[Find] = []
"""What nvinfer finds in a picture: the last one, which the test puts there."""

built: list[Any] = []
"""Every element made, for tests to look at."""

_CLASSES = 100
"""More than any detector knows: no two objects have one number."""
_frames: dict[int, list[tuple[int, int, np.ndarray]]] = {}
_metas: dict[int, list[dict[str, Any]]] = {}
_pictures: dict[int, list[np.ndarray]] = {}
"""Of the last batches, for nvvideoconvert."""

_BATCHES_HELD = 64
"""A batch so old is long past the sink: its memory is used again."""


def _declared(listed: Mapping[str, Listed]) -> dict[str, tuple[Any, ...]]:
    """`__gproperties__` of a list."""
    flags, found = GObject.ParamFlags.READWRITE, {}
    for name, one in listed.items():
        kinds = {"uint": GObject.TYPE_UINT, "int": GObject.TYPE_INT, "uint64": GObject.TYPE_UINT64}
        if one.kind in kinds:
            low, high = one.bounds
            found[name] = (kinds[one.kind], name, name, low, high, min(max(0, low), high), flags)
        elif one.kind == "enum":
            found[name] = (GObject.TYPE_INT, name, name, min(one.bounds), max(one.bounds), min(one.bounds), flags)
        elif one.kind == "boolean":
            found[name] = (GObject.TYPE_BOOLEAN, name, name, False, flags)
        elif one.kind == "pointer":
            found[name] = (GObject.TYPE_POINTER, name, name, flags)
        elif one.kind == "string":
            found[name] = (GObject.TYPE_STRING, name, name, None, flags)
    return found


class _Properties:
    """Keeps what is set."""

    def do_set_property(self, prop: Any, value: Any) -> None:
        self.__dict__.setdefault("own", {})[prop.name] = value

    def do_get_property(self, prop: Any) -> Any:
        return self.__dict__.setdefault("own", {}).get(prop.name, prop.default_value)


def _pad_of(name: str, direction: Any, presence: Any) -> Any:
    return Gst.PadTemplate.new(name, direction, presence, Gst.Caps.new_any())


class Source(_Properties, Gst.Bin):
    """nvurisrcbin."""

    __gtype_name__ = "StandInNvurisrcbin"
    __gproperties__ = _declared(properties("9.1")["nvurisrcbin"])

    kept = True
    """Whether each one made stays, for tests to look at; a program that runs for long lets go of them."""

    paced = True
    """Whether a file plays like a camera, as the real one does; without, and without the sink's pace, at any speed."""

    may_end = threading.Event()
    """Cleared, it makes whoever takes a source down wait."""
    may_end.set()

    def __init__(self) -> None:
        super().__init__()
        self.resets = 0
        self.given = 0
        self._inner: list[Any] = []
        self._ghost: Any = None
        self._last = time.monotonic()
        self._timer = 0
        if Source.kept:
            built.append(self)

    def do_change_state(self, transition: Any) -> Any:
        if transition == Gst.StateChange.READY_TO_NULL:
            Source.may_end.wait()
        if transition == Gst.StateChange.NULL_TO_READY:
            self._build()
            interval = self.own.get("rtsp-reconnect-interval", 0)
            if self._live and interval:
                self._last = time.monotonic()
                self._timer = GLib.timeout_add(200, self._watch)  # the default context: no loop, no reconnection
        if transition == Gst.StateChange.READY_TO_NULL and self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        result = Gst.Bin.do_change_state(self, transition)
        if transition == Gst.StateChange.READY_TO_NULL:
            self._take_apart()
        return (
            Gst.StateChangeReturn.NO_PREROLL
            if self._live
            and result == Gst.StateChangeReturn.SUCCESS
            and (transition == Gst.StateChange.READY_TO_PAUSED)
            else result
        )

    @property
    def _live(self) -> bool:
        return str(self.own["uri"]).startswith("rtsp://")

    def _build(self) -> None:
        uri = str(self.own["uri"])
        decode = Gst.ElementFactory.make("decodebin" if self._live or uri.startswith("file:") else "uridecodebin", None)
        source = None
        if self._live:
            source = Gst.ElementFactory.make("rtspsrc", None)
            source.set_property("location", uri)
            source.set_property("protocols", self.own["select-rtp-protocol"])
            source.set_property("latency", self.own["latency"])
            source.set_property("tcp-timeout", 3_000_000)
        elif uri.startswith("file:"):
            source = Gst.ElementFactory.make("filesrc", None)
            source.set_property(
                "location", Gst.filename_from_uri(uri)[0] if hasattr(Gst, "filename_from_uri") else uri[7:]
            )
        else:
            decode.set_property("uri", uri)
        self._inner = [one for one in (source, decode) if one is not None]
        for one in self._inner:
            self.add(one)
        if self._live:
            source.connect("pad-added", lambda _, pad: pad.link(decode.get_static_pad("sink")))
            if self.own.get("rtsp-reconnect-interval", 0):
                kind = Gst.PadProbeType.EVENT_DOWNSTREAM
                decode.get_static_pad("sink").add_probe(kind, self._keep_end_back)
        elif source is not None:
            source.link(decode)
        decode.connect("pad-added", self._on_decoded)

    def _on_decoded(self, decode: Any, pad: Any) -> None:
        if not pad.get_current_caps().get_structure(0).get_name().startswith("video/"):
            return
        chain = [Gst.ElementFactory.make(kind, None) for kind in ("videoconvert", "capsfilter")]
        chain[1].set_property("caps", Gst.Caps.from_string("video/x-raw,format=BGR"))
        if self.own.get("simulate-fps-interval-ms") and Source.paced:
            chain.append(Gst.ElementFactory.make("clocksync", None))
        for one in chain:
            self.add(one)
        for left, right in itertools.pairwise(chain):
            left.link(right)
        pad.link(chain[0].get_static_pad("sink"))
        out = chain[-1].get_static_pad("src")
        out.add_probe(Gst.PadProbeType.BUFFER, self._on_buffer)
        self._inner += chain
        if self._ghost is None:
            self._ghost = Gst.GhostPad.new("vsrc_0", out)
            self._ghost.set_active(True)
            for one in chain:
                one.sync_state_with_parent()
            self.add_pad(self._ghost)
        else:
            self._ghost.set_target(out)
            for one in chain:
                one.sync_state_with_parent()

    @staticmethod
    def _keep_end_back(pad: Any, info: Any) -> Any:
        """A source that connects again lets no end through: nobody downstream hears that a camera has gone."""
        ends = info.get_event().type == Gst.EventType.EOS
        return Gst.PadProbeReturn.DROP if ends else Gst.PadProbeReturn.OK

    def _on_buffer(self, pad: Any, info: Any) -> Any:
        self._last = time.monotonic()
        self.given += 1
        return Gst.PadProbeReturn.OK

    def _watch(self) -> bool:
        if time.monotonic() - self._last > self.own["rtsp-reconnect-interval"]:
            self._reset()
        return True

    def _take_apart(self) -> None:
        """What is inside holds this bin, by what it calls here: without this, nobody would ever let go of either."""
        for one in self._inner:
            one.set_locked_state(True)
            one.set_state(Gst.State.NULL)
            self.remove(one)
        self._inner = []

    def _reset(self) -> None:
        self.resets += 1
        self._last = time.monotonic()
        self._take_apart()
        self._build()
        # Not with the state of the parent: after a refused connection it stays PAUSED until an inner element plays.
        for one in self._inner:
            one.set_state(Gst.State.PLAYING)

    def do_handle_message(self, message: Any) -> None:
        """An RTSP source's error is only a warning while it is going to connect again."""
        reconnects = self._live and self.own.get("rtsp-reconnect-interval", 0) > 0
        own = self._inner and message.src is self._inner[0]
        if reconnects and message.type == Gst.MessageType.ERROR and own:
            error, debug = message.parse_error()
            message = Gst.Message.new_warning(message.src, error, debug)
        if reconnects and message.type == Gst.MessageType.EOS:
            return
        Gst.Bin.do_handle_message(self, message)


class Muxer(_Properties, Gst.Bin):
    """The old nvstreammux."""

    __gtype_name__ = "StandInNvstreammux"
    __gproperties__ = _declared(properties("9.1")["nvstreammux.old"])

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
        _frames[buffer.offset], _metas[buffer.offset] = pictures, metas
        self._source.push_buffer(buffer)


class _Transform(_Properties, GstBase.BaseTransform):
    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        built.append(self)


class Infer(_Transform):
    """nvinfer: reads its configuration as it would, and finds what the test's finder finds, in the muxer's pixels."""

    __gtype_name__ = "StandInNvinfer"
    __gproperties__ = _declared(properties("9.1")["nvinfer"])

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Any] = []
        self._labels: list[str] = []

    seconds_to_build = 0.0
    fails: str | None = None

    def do_start(self) -> bool:
        config = configs.parse(Path(self.own["config-file-path"]).read_text(encoding="utf-8"))["property"]
        self._labels = Path(config["labelfile-path"]).read_text(encoding="utf-8").splitlines()
        engine = Path(config["model-engine-file"])
        if not engine.is_file():
            time.sleep(Infer.seconds_to_build)
            if Infer.fails:
                self.post_message(
                    Gst.Message.new_error(self, GLib.Error(Infer.fails, "gst-resource-error-quark", 1), "nvinfer")
                )
                return False
            engine.write_bytes(b"engine")
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        key = buffer.offset
        mux = next(one for one in reversed(built) if isinstance(one, Muxer))
        frames = _frames.pop(key)
        _pictures[key] = [picture for _, _, picture in frames]
        while len(_pictures) > _BATCHES_HELD:
            _pictures.pop(next(iter(_pictures)), None)
        for (width, height, picture), meta in zip(frames, _metas[key], strict=True):
            scale = np.array([mux.own["width"] / width, mux.own["height"] / height] * 2, dtype=float)
            found = finders[-1](picture)
            meta["bInferDone"] = 1
            meta["objects"] = [
                {"class_id": self._labels.index(str(name)), "confidence": float(score), "box": _ltwh(box * scale)}
                for name, score, box in zip(found.data["class_name"], found.confidence, found.xyxy, strict=True)
            ]
        strict_pyds.attach(buffer, _metas[key])
        _hold(self._held, buffer)
        return Gst.FlowReturn.OK


class Tracker(_Transform):
    """nvtracker: ids by camera; what it does not follow yet is not handed on."""

    __gtype_name__ = "StandInNvtracker"
    __gproperties__ = _declared(properties("9.1")["nvtracker"])

    def __init__(self) -> None:
        super().__init__()
        self._by_camera: dict[int, dict[int, Any]] = {}
        self._newest: dict[int, int] = {}
        self._held: list[Any] = []

    def do_start(self) -> bool:
        assert Path(self.own["ll-config-file"]).is_file()
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        metas = [dict(meta) for meta in _metas[buffer.offset]]
        for meta in metas:
            tracked = []
            pad = meta["pad_index"]
            if meta["buf_pts"] <= self._newest.get(pad, -1):  # another stream has the pad now: count anew
                self._by_camera.pop(pad, None)
            self._newest[pad] = meta["buf_pts"]
            trackers = self._by_camera.setdefault(pad, {})
            for class_id in sorted({one["class_id"] for one in meta["objects"]} | trackers.keys()):
                tracker = trackers.setdefault(
                    class_id,
                    ByteTrackTracker(
                        minimum_consecutive_frames=2,
                        frame_rate=FPS,
                        track_activation_threshold=0.4,
                        high_conf_det_threshold=0.4,
                    ),
                )
                mine = [one for one in meta["objects"] if one["class_id"] == class_id]
                boxes = np.array([_xyxy(one["box"]) for one in mine], np.float32).reshape(-1, 4)
                scores = np.array([one["confidence"] for one in mine], np.float32)
                found = tracker.update(
                    sv.Detections(xyxy=boxes, confidence=scores, class_id=np.full(len(mine), class_id)),
                    timestamp=meta["buf_pts"] / 1e9,
                )
                tracked += [
                    {
                        "class_id": class_id,
                        "confidence": float(score),
                        "object_id": _CLASSES * int(number) + class_id,
                        "box": _ltwh(box),
                    }
                    for box, score, number in zip(found.xyxy, found.confidence, found.tracker_id, strict=True)
                    if number >= 0
                ]
            meta["objects"] = tracked
        _metas[buffer.offset] = metas
        while len(_metas) > 2 * _BATCHES_HELD:
            _metas.pop(next(iter(_metas)), None)
        strict_pyds.attach(buffer, metas)
        _hold(self._held, buffer)
        return Gst.FlowReturn.OK


class Convert(_Properties, Gst.Element):
    """nvvideoconvert: another batch, with the metadata of the first, whose pictures are RGBA of the size asked for."""

    __gtype_name__ = "StandInNvvideoconvert"
    __gproperties__ = _declared(properties("9.1")["nvvideoconvert"])

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
        metas = [dict(meta) for meta in _metas[buffer.offset]]
        for meta in metas:
            meta["objects"] = []
            meta["frame_num"] += 1_000_000 if Convert.loses_frames else 0
        pictures = [
            cv2.cvtColor(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGBA)
            for picture in _pictures[buffer.offset]
        ]
        readable = Convert.on_jetson or self.own.get("nvbuf-memory-type") == 3
        strict_pyds.attach(made, metas, pictures=pictures if readable else None)
        _hold(self._held, made)
        return self._src.push(made)


def _hold(held: list[Any], buffer: Any) -> None:
    """Keep a buffer for a while, so that no other one gets its address, and then use its memory again."""
    held.append(buffer)
    if len(held) > _BATCHES_HELD:
        strict_pyds.release(held.pop(0))


def _ltwh(box: Any) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right - left, bottom - top


def _xyxy(box: Any) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return left, top, left + width, top + height


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
