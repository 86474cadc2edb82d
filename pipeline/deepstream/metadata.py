"""The only module that imports NVIDIA's Python bindings: copies what a scene needs out of a batch, and hands it over.

A back end is two functions: `iter_frames` over a batch and `iter_objects` over one of its frames. What they give are
plain numbers: NVIDIA's memory is used again as soon as a probe returns. `Handover.probe` is what GStreamer calls. It
always returns OK, for anything else (None, an exception) would drop every buffer without a word.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from spotter.errors import SpotterError

log = structlog.get_logger()

UNTRACKED = 0xFFFFFFFFFFFFFFFF
"""The object id of what the tracker does not follow (yet)."""

MOST_WAITING = 64
"""Batches that wait to be taken; the oldest beyond it are let go, and counted."""


class SeenObject(NamedTuple):
    """One object, in the muxer's pixels."""

    object_id: int | None
    """The tracker's number, unique within a camera; None where it does not follow the object."""
    class_id: int
    score: float
    """The detector's; below zero where only the tracker saw it."""
    left: float
    top: float
    width: float
    height: float


class SeenFrame(NamedTuple):
    """One camera's frame of a batch."""

    pad_index: int
    """Which camera: the number of its pad at the muxer. Neither `batch_id` nor `source_id` tell that for certain."""
    number: int
    pts_ns: int
    """Presentation time; begins anew when a camera was connected again."""
    wall_ns: int
    """Unix time at which the muxer had it; zero where unknown."""
    width: int
    """Of the camera's picture, before the muxer scaled it."""
    height: int
    looked_at: bool
    """Whether the detector looked at this frame."""
    objects: tuple[SeenObject, ...] | None
    """None where the frame was not wanted."""


class Backend(Protocol):
    """What reads NVIDIA's metadata."""

    name: str

    def iter_frames(self, batch: Any) -> Iterator[tuple[SeenFrame, Any]]:
        """Each frame without its objects, and what `iter_objects` takes; valid until the next step only."""

    def iter_objects(self, frame: Any) -> Iterator[SeenObject]:
        """Each object of a frame, in no certain order."""


class ShowsPictures(Backend, Protocol):
    """A back end that also gives pictures."""

    def picture(self, batch: Any, frame: Any) -> NDArray[np.uint8]:
        """A copy of a frame's picture, RGBA, out of a batch that the processor can read. Raises what NVIDIA's raise."""


class PydsBackend:
    """NVIDIA's pyds: DeepStream 7.1, and 9.x where it was built. `batch` is a Gst.Buffer."""

    name = "pyds"

    def __init__(self, *, jetson: bool = False) -> None:
        """`jetson`: pictures are mapped, and so must be unmapped. Raises SpotterError where pyds is missing."""
        try:
            import pyds
        except ImportError as error:
            raise SpotterError(
                f"engine: deepstream needs NVIDIA's pyds ({error}); install the wheel of your DeepStream's version, as "
                "docs/deepstream.md says"
            ) from None
        self._batch_of = pyds.gst_buffer_get_nvds_batch_meta
        self._frame_of, self._object_of = pyds.NvDsFrameMeta.cast, pyds.NvDsObjectMeta.cast
        self._map, self._unmap = pyds.get_nvds_buf_surface, pyds.unmap_nvds_buf_surface if jetson else None

    def iter_frames(self, batch: Any) -> Iterator[tuple[SeenFrame, Any]]:
        """As in `Backend`; a buffer without metadata has no frames."""
        meta = self._batch_of(hash(batch))  # the hash is the buffer's address
        node = meta.frame_meta_list if meta is not None else None
        while node is not None:
            try:
                frame = self._frame_of(node.data)
            except StopIteration:
                return
            seen = SeenFrame(
                frame.pad_index,
                frame.frame_num,
                frame.buf_pts,
                frame.ntp_timestamp,
                frame.source_frame_width,
                frame.source_frame_height,
                bool(frame.bInferDone),
                None,
            )
            yield seen, frame
            try:
                node = node.next
            except StopIteration:
                return

    def iter_objects(self, frame: Any) -> Iterator[SeenObject]:
        """As in `Backend`: newest first, as pyds has them."""
        node, object_of = frame.obj_meta_list, self._object_of
        try:
            while node is not None:
                one = object_of(node.data)
                box, number = one.rect_params, one.object_id
                yield SeenObject(
                    None if number == UNTRACKED else number,
                    one.class_id,
                    one.confidence,
                    box.left,
                    box.top,
                    box.width,
                    box.height,
                )
                node = node.next
        except StopIteration:  # how some versions say that a list has ended
            return

    def picture(self, batch: Any, frame: Any) -> NDArray[np.uint8]:
        """As in `ShowsPictures`."""
        address, place = hash(batch), frame.batch_id
        try:
            return np.array(self._map(address, place), np.uint8, copy=True, order="C")
        finally:
            if self._unmap is not None:  # else every picture stays mapped, and memory runs out
                self._unmap(address, place)


SERVICE_MAKER_FRAME = frozenset(
    {"pad_index", "frame_number", "buffer_pts", "ntp_timestamp", "source_width", "source_height", "object_items"}
)
SERVICE_MAKER_OBJECT = frozenset({"object_id", "class_id", "confidence", "rect_params"})
"""What the back end below reads of a frame and of an object: the doctor looks for it."""


class ServiceMakerBackend:
    """NVIDIA's pyservicemaker: DeepStream 9.x. `batch` is the metadata that an operator is given."""

    name = "pyservicemaker"

    def iter_frames(self, batch: Any) -> Iterator[tuple[SeenFrame, Any]]:
        """As in `Backend`; its lists can be walked once."""
        for frame in batch.frame_items:
            seen = SeenFrame(
                frame.pad_index,
                frame.frame_number,
                frame.buffer_pts,
                frame.ntp_timestamp,
                frame.source_width,
                frame.source_height,
                True,  # it does not say; the detector looks at every batch
                None,
            )
            yield seen, frame

    def iter_objects(self, frame: Any) -> Iterator[SeenObject]:
        """As in `Backend`."""
        for one in frame.object_items:
            box, number = one.rect_params, one.object_id
            yield SeenObject(
                None if number == UNTRACKED else number,
                one.class_id,
                one.confidence,
                box.left,
                box.top,
                box.width,
                box.height,
            )


def service_maker_operator(handover: Handover) -> Any:
    """The operator to attach behind nvtracker in a pyservicemaker pipeline. Raises SpotterError where it is missing."""
    try:
        from pyservicemaker import BatchMetadataOperator
    except ImportError as error:
        raise SpotterError(f"pyservicemaker is missing ({error}); it comes with DeepStream 9") from None

    class Operator(BatchMetadataOperator):  # type: ignore[misc]
        def handle_metadata(self, batch_meta: Any) -> None:
            handover.take_in(batch_meta)

    return Operator()


class Handover:
    """Between NVIDIA's threads and ours: a bounded queue of batches, filled without waiting."""

    def __init__(self, backend: Backend, wants: Callable[[int, int], bool] = lambda pad_index, pts_ns: True) -> None:
        """`wants` says, by pad index and presentation time, whether a frame's objects are to be copied."""
        self.dropped = 0
        """Batches that were let go because nobody took them."""
        self.failed = 0
        """Batches that could not be read."""
        self.error: str | None = None
        """Why a batch could not be read last, until one can again."""
        self._backend, self._wants = backend, wants
        self._waiting: deque[tuple[float, list[SeenFrame]]] = deque(maxlen=MOST_WAITING)
        self._filled = threading.Event()
        self._ok: Any = probe_ok()

    def probe(self, pad: Any, info: Any) -> Any:
        """The pad probe; always lets the buffer pass."""
        try:
            buffer = info.get_buffer()
            if buffer is not None:
                self.take_in(buffer)
        except Exception as error:  # noqa: BLE001 - whatever it is, an exception here would silently drop all buffers
            self._fail(error)
        return self._ok

    def take_in(self, batch: Any) -> None:
        """Copy a batch's frames and hand them over; never raises."""
        try:
            frames = self._copied(batch)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            return
        self.error = None
        if frames:
            if len(self._waiting) == MOST_WAITING:
                self.dropped += 1
            self._waiting.append((time.monotonic(), frames))
            self._filled.set()

    def take(self, seconds: float) -> tuple[float, list[SeenFrame]] | None:
        """The oldest batch and when it came (monotonic), waiting for one for at most so long."""
        if not self._waiting:
            self._filled.clear()
            if not self._waiting:  # none came between the two
                self._filled.wait(seconds)
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _copied(self, batch: Any) -> list[SeenFrame]:
        backend, wants = self._backend, self._wants
        frames = []
        for seen, frame in backend.iter_frames(batch):
            if seen.looked_at and wants(seen.pad_index, seen.pts_ns):
                seen = seen._replace(objects=tuple(backend.iter_objects(frame)))
            frames.append(seen)
        return frames

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        reason = f"{type(error).__name__}: {error}"
        if reason != self.error:  # said once per cause: a log line for every batch would stall the graph
            log.error("metadata_unreadable", error=reason)
        self.error = reason


def probe_ok() -> Any:
    """`Gst.PadProbeReturn.OK`, or its number where GStreamer is not installed."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError):
        return 1
    return Gst.PadProbeReturn.OK
