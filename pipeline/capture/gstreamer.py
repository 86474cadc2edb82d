"""Capture through GStreamer: files, RTSP over TCP, HTTP and webcams, decoded by hardware where a plug-in offers it.

One pipeline a camera, so that nothing that happens to one touches another:

    source -> decodebin -> (rate) -> videoscale -> videoconvert -> appsink

Pictures that nobody will look at are let go right behind the decoder, before anything is scaled or converted. Colours
are OpenCV's business, so that both engines see the same: the detector is trained on what OpenCV makes of a video.
decodebin takes the decoder of the highest rank: VA-API and V4L2 stand before software where they are installed.
Elements and properties: https://gstreamer.freedesktop.org/documentation/, 1.20 and newer.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from pipeline.capture.base import Capture, Image, Sampler, VideoInfo
from pipeline.capture.diagnosis import failure, why_not_open
from spotter.errors import CameraError, SettingsError, install
from spotter.settings import Camera

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    from gi.repository import Gst, GstApp  # noqa: F401 - GstApp gives appsink its methods
except (ImportError, ValueError) as missing:
    raise SettingsError(
        f"engine: gstreamer lacks system parts ({missing}): apt install gcc pkg-config python3-dev libcairo2-dev "
        "libgirepository1.0-dev gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad "
        f"gstreamer1.0-libav, then {install('gstreamer')}"
    ) from None

from pipeline.capture.gstreamer_faults import missing_element, missing_plugin, why_lost, why_refused

OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 8.0, 5.0
KEY_FRAME_SECONDS = 20.0
"""A camera that sends may take so long for a picture: decoding begins at a key frame, and some send few."""

_LEAST_FPS = 2.0  # are let through, so that a camera which is looked at seldom does not seem silent
_LATENCY_MS = 200  # that the jitter buffer waits for a lost packet; over TCP none is
_POLL_NS = 100_000_000
_TCP = 1 << 2  # of GstRTSPLowerTrans: UDP loses packets, which smears pictures
_NEWEST = 1  # picture is held; a camera's next one takes its place, a file waits
_FULL_RANGE = "1:"  # begins the colorimetry of pictures whose black is 0 and not 16, as JPEG cameras give them
_LIMITED_LUMA = np.rint(16 + np.arange(256) * 219 / 255).astype(np.uint8)  # ITU-R BT.601, 8 bits
_LIMITED_CHROMA = np.rint(128 + (np.arange(256) - 128) * 224 / 255).astype(np.uint8)
_SENDING_SECONDS = 1.0  # without data: it does not send
_LATE_SECONDS = 0.5  # is a picture, before it is asked whether anything comes at all
_PREFERRED = ("va", "v4l2")
"""Hardware decoders whose names begin so stand before software: Debian's GStreamer gives some of them a low rank."""


class GStreamerCapture(Capture):
    """One camera or file through a GStreamer pipeline of its own, its pictures at most `longest` pixels a side."""

    clocked = True

    def __init__(self, name: str, camera: Camera, longest: int) -> None:
        Gst.init(None)
        _prefer_hardware()
        self.name, self.camera = name, camera
        self.is_file = camera.is_file
        self._longest = longest
        self._pipeline: Any = None
        self._sink: Any = None
        self._sample: Any = None
        self._position = 0.0
        self._played = False
        self._info = VideoInfo(0, 0, 0.0, "")
        self._decoder: Any = None
        self._software = False
        self._passed = self._told = 0
        self._origin: int | None = None
        self._sampler = self._new_sampler()
        self._entry: Any = None
        self._data_at, self._listening = float("-inf"), False

    def open(self) -> VideoInfo:
        """Connect and wait for the first picture; a failure is looked into, so that the error says why."""
        self.close()
        self._played, self._passed, self._told, self._origin = False, 0, 0, None
        self._data_at, self._listening, self._sampler = float("-inf"), False, self._new_sampler()
        try:
            return self._connect()
        except CameraError:
            self.close()
            raise

    def _connect(self) -> VideoInfo:
        self._build()
        self._pipeline.set_state(Gst.State.PLAYING)
        began = time.monotonic()
        while self._sample is None:
            self._sample = self._sink.try_pull_sample(_POLL_NS)
            self._check_bus()
            if self._sample is None:
                sends = self._sends()
                patience = KEY_FRAME_SECONDS if sends else OPEN_TIMEOUT_SECONDS
                if self._sink.is_eos() or time.monotonic() - began > patience:
                    if self._on_hardware or (sends and not self.is_file):
                        raise self._no_sense()
                    raise self._error(why_not_open(self.camera))
        info, frames = self._info, 0
        if self.is_file:
            known, length = self._pipeline.query_duration(Gst.Format.TIME)
            frames = round(length / Gst.SECOND * info.fps) if known else 0
        codec = self._decoder.get_factory().get_name() if self._decoder else ""
        return VideoInfo(info.width, info.height, info.fps, codec, frames)

    def seek(self, seconds: float) -> None:
        """Go on at this place of the file."""
        self._sample, self._sampler = None, self._new_sampler()
        how, place = Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, round(seconds * Gst.SECOND)
        if not self._pipeline.seek_simple(Gst.Format.TIME, how, place):
            raise self._error(f"can't be played from {seconds:.0f} s on")

    def grab(self) -> bool:
        """Wait for the next picture that is not let go, for at most the read timeout."""
        if self._played:
            self._sample = None
        began = time.monotonic()
        while self._sample is None:
            self._sample = self._sink.try_pull_sample(_POLL_NS)
            if self._sample is None and self._sink.is_eos():
                if self.is_file:
                    return False
                raise self._error("the camera has ended the stream")
            self._check_bus()
            waited = time.monotonic() - began
            sends = waited > _LATE_SECONDS and self._sends()
            if self._sample is None and waited > READ_TIMEOUT_SECONDS:
                silent = f"no picture for {READ_TIMEOUT_SECONDS:.0f} s; check the camera"
                raise self._no_sense() if sends else self._error(silent)
        self._position, self._played = self._since_first(self._sample.get_buffer().pts), True
        passed = self._passed
        self.came, self._told = max(1, passed - self._told), passed
        return True

    @property
    def position(self) -> float:
        """Seconds on the clock of the pictures: from the beginning of a file, or of a connection."""
        return self._position

    def retrieve(self) -> Image:
        """The grabbed picture in colour."""
        shape, buffer = self._sample.get_caps().get_structure(0), self._sample.get_buffer()
        width, height = shape.get_int("width")[1], shape.get_int("height")[1]
        stride = -(-width // 4) * 4  # GStreamer's own for NV12
        data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), dtype=np.uint8)
        luma = data[: stride * height].reshape(height, stride)[:, :width]
        chroma = data[stride * height :].reshape(height // 2, stride // 2, 2)[:, : width // 2]
        if (shape.get_string("colorimetry") or "").startswith(_FULL_RANGE):
            luma, chroma = _LIMITED_LUMA[luma], _LIMITED_CHROMA[chroma]
        image = cv2.cvtColorTwoPlane(np.ascontiguousarray(luma), np.ascontiguousarray(chroma), cv2.COLOR_YUV2BGR_NV12)
        return np.asarray(image, dtype=np.uint8)

    def close(self) -> None:
        """Let go of the camera."""
        self._sample = None
        if self._pipeline is not None:
            self._pipeline.set_state(Gst.State.NULL)
            # Without these two the callbacks would keep pipeline and capture alive for each other.
            self._pipeline = self._sink = self._entry = self._decoder = None

    def _sends(self) -> bool:
        """Whether data came lately, pictures or not; ask it more than once, for it listens only while it is asked."""
        if not self._listening:
            self._listening = True
            self._entry.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, self._note_data)
        return time.monotonic() - self._data_at < _SENDING_SECONDS

    def _note_data(self, *_: Any) -> Any:
        self._data_at, self._listening = time.monotonic(), False
        return Gst.PadProbeReturn.REMOVE

    def _new_sampler(self) -> Sampler:
        return Sampler(max(self.camera.detect_fps, _LEAST_FPS))

    def _build(self) -> None:
        self._pipeline = Gst.Pipeline.new(None)
        source, decode = self._source(), self._element("decodebin")
        self._entry = decode.get_static_pad("sink")
        decode.set_property("expose-all-streams", False)  # sound is not decoded
        decode.set_property("force-sw-decoders", self._software)
        decode.set_property("caps", Gst.Caps.from_string("video/x-raw(ANY)"))
        scale, convert, size = (self._element(kind) for kind in ("videoscale", "videoconvert", "capsfilter"))
        scale.set_property("add-borders", False)
        size.set_property("caps", Gst.Caps.from_string("video/x-raw,format=NV12"))
        self._sink = self._element("appsink")
        settings = {"sync": False, "max-buffers": _NEWEST, "drop": not self.is_file, "enable-last-sample": False}
        for key, value in settings.items():
            self._sink.set_property(key, value)
        for left, right in ((scale, convert), (convert, size), (size, self._sink)):
            left.link(right)
        if not source.link(decode):  # rtspsrc has no pads until it knows the camera's streams
            source.connect("pad-added", _link_video, self._entry)
        decoded = scale.get_static_pad("sink")
        decode.connect("pad-added", lambda _, pad: decoded.is_linked() or pad.link(decoded))
        decode.connect("deep-element-added", self._note_decoder)
        decoded.add_probe(Gst.PadProbeType.BUFFER, self._let_go)
        decoded.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._fit, size)

    def _source(self) -> Any:
        uri, camera = self.camera.uri, self.camera
        secret = camera.password.get_secret_value() if camera.password else None
        if isinstance(uri, int):
            return self._element("v4l2src", device=f"/dev/video{uri}")
        if self.is_file:
            return self._element("filesrc", location=uri)
        if uri.startswith(("http://", "https://")):
            timeout = round(READ_TIMEOUT_SECONDS)
            log_in = {"user-id": camera.username, "user-pw": secret}
            return self._element("souphttpsrc", location=uri, is_live=True, timeout=timeout, **log_in)
        return self._element(
            "rtspsrc",
            location=uri,
            **{"user-id": camera.username, "user-pw": secret},
            protocols=_TCP,
            latency=_LATENCY_MS,
            tcp_timeout=round(READ_TIMEOUT_SECONDS * 1e6),
            do_rtsp_keep_alive=True,
            tls_validation_flags=0,  # cameras sign their own certificates; FFmpeg does not check them either
        )

    def _element(self, kind: str, **settings: Any) -> Any:
        element = Gst.ElementFactory.make(kind, None)
        if element is None:
            raise self._error(missing_element(kind))
        for key, value in settings.items():
            element.set_property(key.replace("_", "-"), value)
        self._pipeline.add(element)
        return element

    def _let_go(self, _: Any, info: Any) -> Any:
        """For each decoded picture, in GStreamer's thread: whether it goes on."""
        self._passed += 1
        stamp = info.get_buffer().pts
        if self._origin is None:
            self._origin = stamp  # not zero in all files, but there a picture's time counts from the first one
        taken = self._sampler.takes(self._since_first(stamp))
        return Gst.PadProbeReturn.OK if taken else Gst.PadProbeReturn.DROP

    def _fit(self, _: Any, info: Any, size: Any) -> Any:
        """When the decoder states its pictures' size, also in mid-stream: the size they are handed over in."""
        event = info.get_event()
        if event.type == Gst.EventType.CAPS:
            shape = event.parse_caps().get_structure(0)
            width, height = shape.get_int("width")[1], shape.get_int("height")[1]
            known, over, under = shape.get_fraction("framerate")
            self._info = VideoInfo(width, height, over / under if known and under else 0.0, "")
            share = min(1.0, self._longest / max(width, height))
            width, height = (max(2, 2 * round(side * share / 2)) for side in (width, height))  # NV12 has only even ones
            caps = f"video/x-raw,format=NV12,width={width},height={height}"
            size.set_property("caps", Gst.Caps.from_string(caps))
        return Gst.PadProbeReturn.OK

    def _note_decoder(self, _: Any, __: Any, element: Any) -> None:
        if "Decoder" in _kind(element) and "Video" in _kind(element):
            self._decoder = element

    def _since_first(self, stamp: int) -> float:
        if stamp == Gst.CLOCK_TIME_NONE or self._origin in (None, Gst.CLOCK_TIME_NONE):
            return time.monotonic()
        return (stamp - self._origin) / float(Gst.SECOND)

    def _check_bus(self) -> None:
        """Raise what the pipeline has to say, in plain words."""
        bus, lacking = self._pipeline.get_bus(), None
        while message := bus.pop_filtered(Gst.MessageType.ERROR | Gst.MessageType.ELEMENT):
            if message.type == Gst.MessageType.ELEMENT:
                lacking = missing_plugin(message) or lacking
                continue
            error, _ = message.parse_error()
            if message.src == self._decoder:
                raise self._no_sense()
            if lacking is None and self._played:
                raise self._error(why_lost(error))
            raise self._error(lacking or why_refused(error, self.camera) or why_not_open(self.camera))

    @property
    def _on_hardware(self) -> bool:
        return self._decoder is not None and "Hardware" in _kind(self._decoder)

    def _no_sense(self) -> CameraError:
        """What comes can't be decoded. Where hardware could not, software is tried next."""
        if self._on_hardware:
            self._software = True
            return self._error(f"hardware decoding by {self._decoder.get_factory().get_name()} fails; trying without")
        return self._error("it sends, but nothing that can be decoded; check the camera and its codec")

    def _error(self, reason: str) -> CameraError:
        return failure(self.name, self.camera, reason)


def _link_video(_: Any, pad: Any, entry: Any) -> None:
    """Take the first video stream of an RTSP camera; the others stay unlinked, which rtspsrc allows."""
    shape = pad.get_current_caps().get_structure(0)
    if shape.get_string("media") == "video" and not entry.is_linked():
        pad.link(entry)


def _kind(element: Any) -> str:
    factory = element.get_factory()
    return (factory.get_metadata("klass") or "") if factory else ""


@lru_cache(maxsize=1)
def _prefer_hardware() -> None:
    """Let decodebin take hardware decoders first, but for those whose rank the user chose."""
    chosen = os.environ.get("GST_PLUGIN_FEATURE_RANK", "")
    for factory in Gst.ElementFactory.list_get_elements(Gst.ELEMENT_FACTORY_TYPE_DECODER, Gst.Rank.NONE):
        name = factory.get_name()
        if name.startswith(_PREFERRED) and name not in chosen and "Hardware" in factory.get_metadata("klass"):
            factory.set_rank(max(factory.get_rank(), Gst.Rank.PRIMARY + 1))
