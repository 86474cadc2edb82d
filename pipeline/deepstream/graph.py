"""The graph as data: elements, their properties with the reason of each, and links.

    nvurisrcbin (one a camera) -> nvstreammux -> queue -> nvinfer -> nvtracker -> tee -> queue -> fakesink
                                                                               |
                                       previews, while somebody watches:    valve -> queue -> nvvideoconvert -> fakesink

The branch for previews is behind the tracker: before it, the tracker would write into what the branch reads. It is

It is printed, checked against property lists and built from the same description.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from spotter.errors import SettingsError
from spotter.settings import Camera, Settings

MUX, INFER, TRACKER, SINK = "mux", "infer", "tracker", "sink"
VALVE, VIEW = "view-valve", "view-caps"
"""What lets a batch through to the branch for previews, and behind which its pictures are read."""

VIEW_WIDTH = 640
"""Of a preview's picture, in pixels; `pipeline.preview.WIDTH`, which can't be imported without OpenCV."""

MOST_FPS = 25.0
"""A camera's usual rate: a batch waits for the slower ones no longer than one of its frames lasts."""

RECONNECT_SECONDS = 5
"""nvurisrcbin opens a camera anew when it was silent for so long; zero would switch that off."""

_TCP, _DEVICE_MEMORY, _UNIFIED_MEMORY, _LEAK_OLDEST = 4, 0, 3, 2


@dataclass(frozen=True, slots=True)
class Setting:
    """A property that is set, and why."""

    name: str
    value: bool | int | str
    why: str
    optional: bool = False
    """Set only where the element has it: not every version does."""
    secret: bool = False
    """Never shown: it may hold a camera's password."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the graph."""

    name: str
    kind: str
    settings: tuple[Setting, ...] = ()
    shown: str = ""
    """What stands for secret values."""


@dataclass(frozen=True, slots=True)
class Link:
    """From one element's pad to another's; `None` is the pad that is always there."""

    source: str
    target: str
    source_pad: str | None = None
    target_pad: str | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """Elements and links."""

    elements: tuple[Element, ...]
    links: tuple[Link, ...]
    new_mux: bool = False

    def element(self, name: str) -> Element:
        """The element of this name. Raises KeyError."""
        return {element.name: element for element in self.elements}[name]


@dataclass(frozen=True, slots=True)
class Files:
    """What the graph's elements read."""

    infer_config: Path
    tracker_config: Path
    tracker_library: Path


def wants_new_mux(environment: Mapping[str, str]) -> bool:
    """Whether the environment chooses the new nvstreammux: its plug-in demands exactly this word."""
    return environment.get("USE_NEW_NVSTREAMMUX") == "yes"


def files_of(settings: Settings) -> Files:
    """Where the graph's files are; the first two are written at the start."""
    folder = settings.data / "deepstream"
    library = settings.deepstream.install / "lib" / "libnvds_nvmultiobjecttracker.so"
    tracker = settings.deepstream.tracker_config or folder / "tracker.yml"
    return Files(folder / "infer.txt", tracker, library)


def build(settings: Settings, *, new_mux: bool = False, jetson: bool = False) -> Graph:
    """The whole graph, with a source for every camera in the settings."""
    core = core_of(settings, files_of(settings), new_mux=new_mux, jetson=jetson)
    sources = [source_of(number, camera, settings) for number, camera in enumerate(settings.cameras.values())]
    links = [link_of(number) for number in range(len(sources))]
    return Graph((*sources, *core.elements), (*links, *core.links), new_mux)


def core_of(settings: Settings, files: Files, *, new_mux: bool, jetson: bool = False, view: bool = True) -> Graph:
    """All but the cameras. `jetson`: the GPU shares the processor's memory; `view`: with the branch for previews."""
    live = not all_files(settings)
    elements = (
        _mux(settings, new_mux=new_mux, live=live),
        _queue("infer-queue"),
        Element(
            INFER,
            "nvinfer",
            (
                Setting(
                    "config-file-path", str(files.infer_config), "model, engine, thresholds: written from gym.yaml"
                ),
                Setting("unique-id", 1, "left alone it is 15, and the tracker would look for another"),
                Setting("batch-size", settings.deepstream.max_cameras, "fixed at the most cameras: no rebuild later"),
            ),
        ),
        Element(
            TRACKER,
            "nvtracker",
            (
                Setting("ll-lib-file", str(files.tracker_library), "NVIDIA's tracker; it needs libmosquitto1"),
                Setting("ll-config-file", str(files.tracker_config), "NvSORT: needs no pixels, so next to no GPU"),
                Setting("tracker-width", 640, "a multiple of 32; NvSORT does not look at pixels anyway"),
                Setting("tracker-height", 384, "a multiple of 32"),
                Setting("gpu-id", settings.deepstream.gpu, "the same GPU as all others"),
                Setting("display-tracking-id", False, "nothing is drawn"),
                Setting("tracking-id-reset-mode", 1, "a stream that was reset begins new tracks"),
            ),
        ),
    )
    ends = (_queue("sink-queue"), _sink(SINK, sync=not live))
    if not view:
        return Graph((*elements, *ends), _chain(*elements, *ends), new_mux)
    split = Element("split", "tee")
    branch = _view(settings, jetson=jetson)
    return Graph(
        (*elements, split, *ends, *branch),
        (*_chain(*elements, split, *ends), *_chain(split, *branch)),
        new_mux,
    )


def source_of(number: int, camera: Camera, settings: Settings) -> Element:
    """A camera's source; `number` is its place at the muxer."""
    gpu = settings.deepstream.gpu
    common = (
        Setting("uri", _address(camera), "the camera or file", secret=True),
        Setting("gpu-id", gpu, "the same GPU as all others"),
        Setting("source-id", number, "equal to the muxer's pad, by which everything is told apart"),
        Setting("disable-audio", True, "nobody listens"),
        Setting("cudadec-memtype", _DEVICE_MEMORY, "pictures stay on the GPU; Jetson ignores it", optional=True),
        Setting("num-extra-surfaces", 4, "a batch holds surfaces while the decoder needs more", optional=True),
    )
    if camera.is_file:
        special: tuple[Setting, ...] = (
            Setting("file-loop", camera.loop, "as `loop:` says"),
            Setting("simulate-fps-interval-ms", 1000 // 30, "a file beside cameras plays like one", optional=True),
        )
    else:
        special = (
            Setting("rtsp-reconnect-interval", RECONNECT_SECONDS, "zero, its default, never connects again"),
            Setting("rtsp-reconnect-attempts", -1, "never give up a camera"),
            Setting("init-rtsp-reconnect-interval", 5, "tries again soon where the first one failed", optional=True),
            Setting("select-rtp-protocol", _TCP, "TCP: lost UDP packets smear pictures and freeze decoders"),
            Setting("latency", 200, "ms of jitter buffer: Wi-Fi cameras need more than the default 100"),
            Setting("drop-on-latency", True, "late pictures are dropped, or latency grows for ever"),
            Setting("leaky", _LEAK_OLDEST, "before a slow decoder the oldest go", optional=True),
            Setting("max-size-buffers", 30, "about one second", optional=True),
        )
    return Element(
        f"camera-{number}",
        "nvurisrcbin",
        (*common, *special),
        shown=_address(camera) if camera.is_file else str(camera.uri),
    )


def link_of(number: int) -> Link:
    """A camera's sometimes-pad to the muxer's request pad of its number."""
    return Link(f"camera-{number}", MUX, "vsrc_%u", f"sink_{number}")


def all_files(settings: Settings) -> bool:
    """Whether there is no live camera."""
    return bool(settings.cameras) and all(camera.is_file for camera in settings.cameras.values())


def _mux(settings: Settings, *, new_mux: bool, live: bool) -> Element:
    own = settings.deepstream
    common = (
        Setting("batch-size", own.max_cameras, "the most cameras, so that adding one changes nothing"),
        Setting(
            "batched-push-timeout", int(1e6 / MOST_FPS), "µs: a dead camera holds the others one frame, not for ever"
        ),
        Setting("attach-sys-ts", True, "this machine's clock at the muxer: cameras' clocks are wrong more often"),
        Setting("sync-inputs", False, "every picture as it comes"),
        Setting("drop-pipeline-eos", True, "the end of all streams is not the end: cameras come back"),
    )
    if new_mux:
        return Element(MUX, "nvstreammux", common)
    size = (
        Setting("width", own.width, "the old muxer must scale; boxes are in these pixels"),
        Setting("height", own.height, "as above"),
        Setting("enable-padding", False, "stretched, so that a share of the muxer's picture is one of the camera's"),
        Setting("live-source", live, "else a batch waits by time stamps that cameras do not share"),
        Setting("gpu-id", own.gpu, "the same GPU as all others"),
        Setting("nvbuf-memory-type", 0, "the platform's own kind"),
        Setting("buffer-pool-size", 4, "batches in flight"),
    )
    return Element(MUX, "nvstreammux", (*common, *size))


def _view(settings: Settings, *, jetson: bool) -> tuple[Element, ...]:
    """The branch for previews: a batch's pictures, small and where the processor can read them."""
    own = settings.deepstream
    height = max(2, round(VIEW_WIDTH * own.height / own.width / 2) * 2)
    memory: tuple[Setting, ...] = ()
    if not jetson:
        memory = (Setting("nvbuf-memory-type", _UNIFIED_MEMORY, "a card's own memory can't be read by the processor"),)
    convert = (Setting("gpu-id", own.gpu, "the same GPU as all others", optional=True), *memory)
    caps = f"video/x-raw(memory:NVMM), format=(string)RGBA, width=(int){VIEW_WIDTH}, height=(int){height}"
    return (
        Element(VALVE, "valve", (Setting("drop", True, "shut: opened for each batch that somebody wants to see"),)),
        Element(
            "view-queue",
            "queue",
            (
                Setting("leaky", _LEAK_OLDEST, "previews may be lost; they never hold up what is found"),
                Setting("max-size-buffers", 1, "the muxer has few batches to give"),
                Setting("max-size-bytes", 0, "buffers count, not their size"),
                Setting("max-size-time", 0, "buffers count, not their length"),
            ),
        ),
        Element("view-convert", "nvvideoconvert", convert),
        Element(VIEW, "capsfilter", (Setting("caps", caps, "RGBA: all that pyds gives out; made small on the GPU"),)),
        _sink("view-sink", sync=False),
    )


def _sink(name: str, *, sync: bool) -> Element:
    return Element(
        name,
        "fakesink",
        (
            Setting("sync", sync, "live pictures are never waited for; files play at their own pace"),
            Setting("async", False, "else a camera that is added holds the graph in PAUSED"),
            Setting("enable-last-sample", False, "the last batch would keep decoder surfaces"),
            Setting("qos", False, "nothing upstream may skip pictures on a sink's word"),
        ),
    )


def _chain(*elements: Element) -> tuple[Link, ...]:
    return tuple(Link(left.name, right.name) for left, right in itertools.pairwise(elements))


def _queue(name: str) -> Element:
    return Element(
        name,
        "queue",
        (
            Setting("max-size-buffers", 4, "a thread of its own; more batches would only add latency"),
            Setting("max-size-bytes", 0, "buffers count, not their size"),
            Setting("max-size-time", 0, "buffers count, not their length"),
        ),
    )


def _address(camera: Camera) -> str:
    if camera.is_file:
        return Path(str(camera.uri)).absolute().as_uri()
    if isinstance(camera.uri, int):
        raise SettingsError(f"webcam {camera.uri}: engine: deepstream takes rtsp://, http:// and files, no webcams")
    return str(camera.connection_uri())


def settings_of(graph: Graph) -> Iterator[tuple[Element, Setting]]:
    """Every setting of every element."""
    for element in graph.elements:
        for setting in element.settings:
            yield element, setting
