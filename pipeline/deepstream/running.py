"""The graph in GStreamer: built from its description, its cameras added and taken out while it runs.

Everything that changes it happens in the thread of a GLib main loop on the default context, which nvurisrcbin needs
for its own timers: without one it never connects again. One camera's error or end never ends the graph.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from pipeline.deepstream.graph import MUX, VALVE, Element, Graph
from spotter.errors import SpotterError

log = structlog.get_logger()

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_CAMERA = re.compile(r"camera-(\d+)$")
_END_SECONDS = 3.0

_KEPT_MS = 1000
"""How long a source that was taken out is kept: nvurisrcbin leaves a timer of 20 ms behind that still reads it."""


class HearsGraph(Protocol):
    """Who is told what happens, in the main loop's thread."""

    def camera_failed(self, number: int, reason: str) -> None:
        """A camera's source reports an error, and gives nothing any more."""

    def camera_ended(self, number: int) -> None:
        """A camera's stream has ended."""

    def graph_failed(self, reason: str) -> None:
        """What all cameras share reports an error."""


def gstreamer() -> Any:
    """The module Gst, ready. Raises SpotterError where it is missing."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError) as error:
        raise SpotterError(
            f"engine: deepstream needs GStreamer's Python bindings ({error}): apt install python3-gi python3-gst-1.0, "
            "and a virtual environment made with --system-site-packages"
        ) from None
    Gst.init(None)
    return Gst


class MainLoop:
    """A GLib main loop on the default context, in a thread of its own."""

    def __init__(self) -> None:
        from gi.repository import GLib

        self._glib = GLib
        self._loop = GLib.MainLoop()
        self._thread = threading.Thread(target=self._loop.run, name="glib", daemon=True)
        self._ended = False

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def call(self, work: Callable[[], None]) -> None:
        """Do this in the loop's thread, soon."""

        def once() -> bool:
            work()
            return False

        self._glib.idle_add(once)

    def every(self, seconds: int, work: Callable[[], None]) -> None:
        """Do this again and again, until the loop stops."""
        told: str | None = None

        def again() -> bool:
            nonlocal told
            if self._ended:  # the context goes on with whatever loop comes next
                return False
            try:
                work()
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                if reason != told:
                    log.error("timer_failed", error=reason, exc_info=error)
                told = reason
            return True

        self._glib.timeout_add_seconds(seconds, again)

    def stop(self, seconds: float) -> None:
        """End, waiting for at most so long."""
        self._ended = True
        self._loop.quit()
        self._thread.join(seconds)


class RunningGraph:
    """One life of the graph. Only `start` and `open_view` may be called outside the main loop's thread."""

    def __init__(self, core: Graph, probes: Sequence[tuple[str, Callable[[Any, Any], Any]]], hears: HearsGraph) -> None:
        """Builds all but the cameras, with probes behind elements, by name.

        Raises SpotterError where an element or property is missing.
        """
        self._gst = gstreamer()
        from gi.repository import GLib

        self._glib = GLib
        self._hears = hears
        self._pipeline: Any = self._gst.Pipeline.new("spotter")
        self._made = {element.name: self._make(element) for element in core.elements}
        for element in self._made.values():
            self._pipeline.add(element)
        for link in core.links:
            if not self._made[link.source].link(self._made[link.target]):
                raise SpotterError(f"DeepStream: {link.source} does not link to {link.target}")
        for name, probe in probes:
            self._made[name].get_static_pad("src").add_probe(self._gst.PadProbeType.BUFFER, probe)
        self._cameras: dict[int, tuple[Any, Any]] = {}
        self._plays = False
        self._pipeline.connect("deep-element-added", _trust_certificates)
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        self._watching = bus.connect("message", self._on_message)
        self._bus: Any = bus

    def start(self) -> None:
        """Begin to play; the first time this builds the detector's engine, which takes minutes. Raises SpotterError."""
        if self._pipeline.set_state(self._gst.State.PLAYING) == self._gst.StateChangeReturn.FAILURE:
            message = self._bus.timed_pop_filtered(0, self._gst.MessageType.ERROR)
            raise SpotterError(f"DeepStream does not start: {_said(message) if message else 'see GST_DEBUG=3'}")

    def open_view(self, is_open: bool) -> None:
        """Let batches through to the branch for previews, or not; in the thread of a batch: that one, already."""
        self._made[VALVE].set_property("drop", not is_open)

    def add(self, element: Element, number: int) -> None:
        """Add a camera at this place. Raises SpotterError."""
        source = self._make(element)
        mux = self._made[MUX]
        pad = getattr(mux, "request_pad_simple", mux.get_request_pad)(f"sink_{number}")
        if pad is None:
            raise SpotterError(f"DeepStream: the muxer gives no pad sink_{number}")
        self._cameras[number] = (source, pad)
        source.connect("pad-added", self._on_pad, pad)
        source.set_locked_state(not self._plays)
        self._pipeline.add(source)
        source.sync_state_with_parent()

    def let_in(self) -> None:
        """After the start: set the cameras going that were added before. One that fails would fail the start of all."""
        self._plays = True
        for source, _ in self._cameras.values():
            source.set_locked_state(False)
            source.sync_state_with_parent()

    def remove(self, number: int) -> None:
        """Take a camera out; nothing happens where there is none.

        Here, in the main loop's thread, and nowhere else: nvurisrcbin's own timers run there without a lock, and one
        of them would set a source playing again that it met on its way down. The pictures of all others go on
        meanwhile, in threads of their own.
        """
        gst = self._gst
        source, pad = self._cameras.pop(number, (None, None))
        if source is None:
            return
        source.set_locked_state(True)
        if source.set_state(gst.State.NULL) == gst.StateChangeReturn.ASYNC:
            source.get_state(round(_END_SECONDS * gst.SECOND))
        # Without this end the muxer waits for the pad's next picture for ever.
        pad.send_event(gst.Event.new_eos())
        pad.send_event(gst.Event.new_flush_start())
        pad.send_event(gst.Event.new_flush_stop(False))
        self._made[MUX].release_request_pad(pad)
        self._pipeline.remove(source)
        self._glib.timeout_add(_KEPT_MS, lambda: source is None)  # never again; until then it holds the source

    def stop(self) -> None:
        """End, and let go of everything."""
        self._bus.disconnect(self._watching)
        self._bus.remove_signal_watch()
        for number in list(self._cameras):
            self.remove(number)
        self._pipeline.set_state(self._gst.State.NULL)

    def _make(self, element: Element) -> Any:
        made = self._gst.ElementFactory.make(element.kind, element.name)
        if made is None:
            raise SpotterError(
                f"DeepStream: there is no element {element.kind}; run inside NVIDIA's image, and see `spotter doctor`"
            )
        for setting in element.settings:
            if made.find_property(setting.name) is None:
                if setting.optional:
                    continue
                raise SpotterError(f"DeepStream: {element.kind} has no property {setting.name}; see `spotter doctor`")
            caps = setting.name == "caps"
            made.set_property(setting.name, self._gst.Caps.from_string(setting.value) if caps else setting.value)
        return made

    def _on_pad(self, source: Any, pad: Any, target: Any) -> None:
        """A source's sometimes-pad: only video goes to the muxer."""
        caps = pad.get_current_caps() or pad.query_caps(None)
        video = caps is not None and (caps.is_any() or caps.get_structure(0).get_name().startswith("video"))
        if video and not target.is_linked():
            result = pad.link(target)
            if result != self._gst.PadLinkReturn.OK:
                log.error("camera_not_linked", source=source.get_name(), result=str(result))

    def _on_message(self, bus: Any, message: Any) -> None:
        kinds = self._gst.MessageType
        if message.type == kinds.ERROR:
            if message.src != self._pipeline and not message.src.has_as_ancestor(self._pipeline):
                return  # what was taken out, or a part of it, may still complain
            number, reason = self._owner(message.src), _said(message)
            if number is None:
                self._hears.graph_failed(reason)
            else:
                self._hears.camera_failed(number, reason)
        elif message.type == kinds.ELEMENT:
            structure = message.get_structure()
            if structure is not None and structure.get_name() == "stream-eos":
                known, number = structure.get_uint("stream-id")
                if known and number in self._cameras:
                    self._hears.camera_ended(number)

    @staticmethod
    def _owner(source: Any) -> int | None:
        """Which camera an element belongs to."""
        while source is not None:
            match = _CAMERA.match(source.get_name() or "")
            if match:
                return int(match[1])
            source = source.get_parent()
        return None


def _trust_certificates(_: Any, __: Any, element: Any) -> None:
    """Cameras sign their own: what nvurisrcbin makes for rtsps:// would refuse them, and the other engines don't."""
    if element.find_property("tls-validation-flags") is not None:
        element.set_property("tls-validation-flags", 0)


def _said(message: Any) -> str:
    """An error's text, without credentials."""
    error, _ = message.parse_error()
    return _CREDENTIALS.sub("", str(error.message)).strip()
