"""The stand-in for nvurisrcbin."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from pipeline.deepstream.listed import properties

from .shared import GLib, Gst, Properties, built, declared


class Source(Properties, Gst.Bin):
    """nvurisrcbin."""

    __gtype_name__ = "StandInNvurisrcbin"
    __gproperties__ = declared(properties("9.1")["nvurisrcbin"])

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
