"""Finds objects in pictures with a YOLOv5 model in ONNX form; the pipeline and the model tools share it."""

from __future__ import annotations

import ast
import json
import shlex
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnxruntime
import supervision as sv
from numpy.typing import NDArray

from spotter.class_names import class_names
from spotter.errors import WeightsError
from spotter.letterbox import Letterbox, letterbox

Layout = Literal["classic", "no_objectness"]

DEFAULT_SIZE = 640
MAX_CANDIDATES = 3000
"""Boxes that enter non-maximum suppression, best first; a full gym has fewer above any useful score."""

ONE_LABEL_IOU = 0.8
"""Two boxes of different classes that overlap by more are one thing with two names: the better name stays."""

_CLASS_OFFSET = 8192  # wider than any input: moves classes apart, so that one suppression serves all of them


_PER_LEVEL = np.float32(1 / 255)


@dataclass(slots=True)
class _Scratch:
    """Buffers that are filled again and again."""

    batch: NDArray[np.float32]
    boxed: NDArray[np.uint8]
    planes: list[NDArray[np.uint8]]


class Detector:
    """An ONNX detector through onnxruntime.

    Reads both of YOLOv5's output layouts: `[batch, N, 5 + C]` with objectness (`classic`) and `[batch, 4 + C, N]`
    without (`no_objectness`). Raises `WeightsError`, naming file, cause and mend, for anything else.
    """

    labels: tuple[str, ...]
    size: int
    """The longer side of the network's input, in pixels."""
    dynamic_batch: bool
    layout: Layout
    metadata: Mapping[str, str]
    """What the file says of itself."""

    def __init__(
        self,
        weights: Path,
        *,
        confidence: float = 0.25,
        iou: float = 0.45,
        max_detections: int = 300,
        one_label_iou: float | None = ONE_LABEL_IOU,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.weights = Path(weights)
        self.confidence = confidence
        self.iou = iou
        self.max_detections = max_detections
        self.one_label_iou = one_label_iou
        self._scratch = threading.local()
        self._session = open_session(self.weights, threads, providers)
        self._read_input()
        self._read_output()

    def preprocess(
        self, image: NDArray[np.uint8], out: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], Letterbox]:
        """One BGR picture as the network's input `[3, height, width]` (RGB, 0..1), written into `out` where given."""
        width, height = self._input_size
        scratch = self._scratch_of_thread(1)
        boxed, placed = letterbox(image, self._input_size, out=scratch.boxed)
        if out is None:
            out = np.empty((3, height, width), dtype=np.float32)
        # Splitting first is ten times as fast as blobFromImage, which walks the picture channel by channel.
        cv2.split(boxed, scratch.planes)
        for plane, target in zip(reversed(scratch.planes), out, strict=True):
            np.multiply(plane, _PER_LEVEL, out=target)
        return out, placed

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's raw output for `[batch, 3, height, width]`, in its own layout."""
        batch = batch.astype(self._dtype, copy=False)
        if self.dynamic_batch or len(batch) == self._fixed_batch:
            return self._run(batch)
        rows = []
        for start in range(0, len(batch), self._fixed_batch):
            part = batch[start : start + self._fixed_batch]
            missing = self._fixed_batch - len(part)
            padded = np.concatenate((part, np.zeros((missing, *part.shape[1:]), part.dtype))) if missing else part
            rows.append(self._run(padded)[: len(part)])
        return np.concatenate(rows)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[sv.Detections]:
        """What is in each BGR picture: boxes in its pixels, scores, class numbers and `class_name`."""
        if not images:
            return []
        batch = self._scratch_of_thread(len(images)).batch[: len(images)]
        placed = [self.preprocess(image, out)[1] for image, out in zip(images, batch, strict=True)]
        return [self.postprocess(raw, box) for raw, box in zip(self.infer(batch), placed, strict=True)]

    def postprocess(self, raw: NDArray[np.float32], placed: Letterbox) -> sv.Detections:
        """Detections from one picture's raw output, best first."""
        boxes, scores, classes = select(
            raw, self.layout, confidence=self.confidence, iou=self.iou, max_detections=self.max_detections
        )
        if self.one_label_iou is not None and len(boxes) > 1:
            kept = suppress(boxes, scores, np.zeros_like(classes), self.one_label_iou)
            boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
        return sv.Detections(
            xyxy=placed.to_source(boxes),
            confidence=scores,
            class_id=classes,
            data={"class_name": self._label_array[classes]},
        )

    def warm_up(self) -> None:
        """Run once on grey, so that the first real picture is not the slow one."""
        width, height = self._input_size
        self.infer(np.full((1, 3, height, width), 0.5, dtype=np.float32))

    def _scratch_of_thread(self, count: int) -> _Scratch:
        """The calling thread's buffers for `count` pictures or more: fresh megabytes cost more than filling them."""
        scratch: _Scratch | None = getattr(self._scratch, "buffers", None)
        if scratch is None or len(scratch.batch) < count:
            width, height = self._input_size
            scratch = self._scratch.buffers = _Scratch(
                batch=np.empty((count, 3, height, width), dtype=np.float32),
                boxed=np.empty((height, width, 3), dtype=np.uint8),
                planes=[np.empty((height, width), dtype=np.uint8) for _ in range(3)],
            )
        return scratch

    def _run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        output = self._session.run([self._output_name], {self._input_name: batch})[0]
        return np.asarray(output, dtype=np.float32)

    def _read_input(self) -> None:
        """Input name, type and size; a side left open in the model is the metadata's `size`."""
        first = self._session.get_inputs()[0]
        shape = first.shape
        if len(shape) != 4 or shape[1] != 3 or len(self._session.get_inputs()) != 1:
            raise self._refused(f"its input {first.name!r} has shape {shape}, not [batch, 3, height, width]")
        try:
            self.metadata = self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError:
            raise self._refused("its metadata is damaged") from None
        open_side = _metadata_size(self.metadata)
        height, width = (side if isinstance(side, int) and side > 0 else open_side for side in shape[2:])
        self._input_name = first.name
        self._dtype: type[np.generic] = np.float16 if first.type == "tensor(float16)" else np.float32
        self._input_size = (width, height)
        self.size = max(width, height)
        self.dynamic_batch = not isinstance(shape[0], int)
        self._fixed_batch = 1 if self.dynamic_batch else max(1, int(shape[0]))

    def _read_output(self) -> None:
        """Output name, labels and layout; run once where the model leaves the output's shape open."""
        output = self._session.get_outputs()[0]
        self._output_name = output.name
        shape = list(output.shape)
        if len(shape) != 3 or not all(isinstance(n, int) for n in shape[1:]):
            width, height = self._input_size
            try:
                shape = list(self._run(np.zeros((self._fixed_batch, 3, height, width), self._dtype)).shape)
            except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base class
                raise self._refused(f"it does not run at {width}x{height} ({_first_line(error)})") from None
        if len(shape) != 3:
            raise self._refused(f"its output {output.name!r} has shape {shape}, not one of YOLOv5's")
        try:
            names = _metadata_names(self.metadata)
        except ValueError as error:
            raise self._refused(f"its class names are mixed up ({error})") from None
        self.layout = self._layout_of(shape[1], shape[2], len(names) if names else None)
        count = shape[2] - 5 if self.layout == "classic" else shape[1] - 4
        self.labels = names or tuple(f"class{i}" for i in range(count))
        self._label_array = np.array(self.labels)

    def _layout_of(self, rows: int, columns: int, classes: int | None) -> Layout:
        """Which of the two layouts an output `[batch, rows, columns]` is."""
        if classes is None:
            return "classic" if columns < rows else "no_objectness"  # a detector has more candidates than classes
        if columns == classes + 5:
            return "classic"
        if rows == classes + 4:
            return "no_objectness"
        raise self._refused(f"its output [{rows}, {columns}] does not fit its {classes} class names")

    def _refused(self, cause: str) -> WeightsError:
        return WeightsError(
            f"weights {self.weights}: not a YOLOv5 detector: {cause}; give a model made by `spotter model export`"
        )


def select(
    raw: NDArray[np.float32], layout: Layout, *, confidence: float, iou: float, max_detections: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (x1, y1, x2, y2), scores and classes above `confidence` after non-maximum suppression within classes."""
    if layout == "classic":
        rows = raw[raw[:, 4] > confidence]
        class_scores = rows[:, 5:] * rows[:, 4:5]
    else:
        rows = raw[:, raw[4:].max(axis=0) > confidence].T
        class_scores = rows[:, 4:]
    classes = class_scores.argmax(axis=1).astype(np.int64)
    scores = np.take_along_axis(class_scores, classes[:, None], axis=1)[:, 0]
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    order = order[scores[order] > confidence]
    scores, classes, centres = scores[order], classes[order], rows[order, :4]
    half = centres[:, 2:4] / 2
    boxes = np.concatenate((centres[:, :2] - half, centres[:, :2] + half), axis=1, dtype=np.float32)
    kept = suppress(boxes, scores, classes, iou)[:max_detections]
    return boxes[kept], scores[kept], classes[kept]


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int64], iou: float
) -> NDArray[np.int64]:
    """Non-maximum suppression within classes: the indices that stay, best first."""
    if not len(boxes):
        return np.empty(0, dtype=np.int64)
    moved = np.empty((len(boxes), 4), dtype=np.float64)  # x, y, width, height, as OpenCV wants them
    moved[:, :2] = boxes[:, :2] + (classes * _CLASS_OFFSET)[:, None]
    moved[:, 2:] = boxes[:, 2:] - boxes[:, :2]
    kept = cv2.dnn.NMSBoxes(moved, scores.astype(np.float32), 0.0, iou)  # type: ignore[arg-type, unused-ignore]
    return np.asarray(kept, dtype=np.int64).reshape(-1)


def open_session(
    weights: Path, threads: int | None = None, providers: Sequence[str] | None = None
) -> onnxruntime.InferenceSession:
    """An ONNX file in onnxruntime. Raises `WeightsError` where it is missing or unreadable."""
    if not weights.is_file():
        raise WeightsError(f"weights {weights}: no such file; check `model:` in gym.yaml or give --weights FILE.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its errors come as exceptions, its warnings are for model authors
    if threads is not None:
        options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between runs triple the processor time of a camera that is looked at five times a second.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = list(providers) if providers is not None else onnxruntime.get_available_providers()
    try:
        return onnxruntime.InferenceSession(str(weights), options, providers=wanted)
    except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base class
        if zipfile.is_zipfile(weights):
            command = shlex.join(["spotter", "model", "export", str(weights), "--out", f"{weights.stem}.onnx"])
            raise WeightsError(f"weights {weights}: a torch checkpoint, not ONNX; run `{command}`") from None
        raise WeightsError(
            f"weights {weights}: not a readable ONNX model ({_first_line(error)}); copy or export the file again"
        ) from None


def _metadata_size(metadata: Mapping[str, str]) -> int:
    """`size` (ours) or `imgsz` (YOLOv5's exports) as one side in pixels."""
    text = metadata.get("size") or metadata.get("imgsz") or str(DEFAULT_SIZE)
    try:
        value = ast.literal_eval(text)
        return max(value) if isinstance(value, list | tuple) else int(value)
    except (ValueError, SyntaxError, TypeError):
        return DEFAULT_SIZE


def _metadata_names(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Class names: a JSON list or object (ours), or a Python dict or list (YOLOv5's exports).

    Raises ValueError where they leave open which class has which number.
    """
    text = metadata.get("names")
    if not text:
        return None
    try:
        names = json.loads(text)
    except ValueError:
        try:
            names = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return None
    return class_names(names)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
