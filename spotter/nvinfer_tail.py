"""Adds a tail to a YOLOv5 ONNX file that NVIDIA's nvinfer reads with a parser it ships: no C++, no TensorRT plug-in.

The four outputs are those that `NvDsInferParseCustomBatchedNMSTLT` of `libnvds_infercustomparser.so` takes by their
places: how many, boxes as shares of the input (x1, y1, x2, y2), scores, and classes *as floats* (it reads whatever
bytes it is given as floats: whole numbers would all be class 0). All but the batch is static, as nvinfer demands, and
every operator is one that TensorRT and ONNX Runtime both have.

Suppression within a class compares all pairs at once, and again in `ROUNDS`, so that a box that went takes no other
with it. nvinfer's own (`cluster-mode=2`, from a larger overlap on) then finds next to nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from spotter.errors import WeightsError

OUTPUTS = ("num_dets", "boxes", "scores", "classes")
MOST_DETECTIONS = 200
"""Rows of the outputs; the stock parser stops at 201."""

ROUNDS = 12
"""Each settles one more link of chains in which a box would be suppressed by one that is suppressed itself. An even
number never takes a box too many. With the shipped detector a wall of dumbbells had one too many after
six; others of ours needed up to ten."""

MOST_CANDIDATES = 1536
"""Boxes that are compared with each other, best first: a wall of 95 kettlebells had 1,109 from 0.1 up, where the CPU
engine begins. TensorRT's TopK takes at most 3840."""

LEAST_SCORE = 0.05
"""Fainter boxes are not counted; below every threshold in use."""

MARK = "nvinfer-tail"
"""Key of the metadata that holds the overlap which a file's tail suppresses from."""

_PREFIX = "tail/"
_OLDEST_OPSET, _AXES_ARE_INPUTS = 13, 18  # of ReduceMax


def add_tail(source: Path, target: Path, iou: float = 0.45) -> None:
    """Write `source` (either of YOLOv5's layouts) with the tail to `target`; `iou` as in the settings.

    Raises WeightsError where the file is no such detector, or has the tail already.
    """
    model = _read(source)
    properties = {one.key: one.value for one in model.metadata_props}
    if MARK in properties:
        raise WeightsError(f"weights {source}: it has the tail for DeepStream already; give the file without it")
    _Tail(model, source, properties, iou).attach()
    helper.set_model_props(model, properties | {MARK: f"{iou:g}"})
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(target))


def _read(source: Path) -> onnx.ModelProto:
    if not source.is_file():
        raise WeightsError(f"weights {source}: no such file")
    try:
        return onnx.load(str(source))
    except Exception as error:  # noqa: BLE001 - protobuf's errors share no base that is part of its API
        raise WeightsError(f"weights {source}: not a readable ONNX file ({type(error).__name__})") from None


class _Tail:
    """The nodes that are added to one graph."""

    def __init__(self, model: onnx.ModelProto, source: Path, properties: dict[str, str], iou: float) -> None:
        self._graph, self._source, self._iou = model.graph, source, iou
        self._opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        if self._opset < _OLDEST_OPSET:
            raise self._refused(f"it has opset {self._opset}; export it with {_OLDEST_OPSET} or newer")
        self._width, self._height = self._input_size(properties)
        self._rows, self._columns = self._output_shape(model)

    def attach(self) -> None:
        """Add the nodes and put their outputs in the place of the graph's own."""
        raw = self._graph.output[0].name
        boxes, scores, classes, count = self._candidates(raw)
        kept = self._thinned(boxes, scores, classes, count)
        rows = min(MOST_DETECTIONS, count)
        best, order = self._best(kept, "rows", rows)
        picked = self._gather_rows(boxes, order)
        labels = self._node("GatherElements", [classes, order], axis=1)
        # Counted in floats: sums of whole numbers are the operators that engines lack most often.
        above = self._node("Cast", [self._node("Greater", [best, self._constant("least", LEAST_SCORE)])], to=_FLOAT)
        number = self._node("ReduceSum", [above, self._constant("row", [1])], keepdims=1)
        self._node("Cast", [number], to=TensorProto.INT32, named="num_dets")
        for name, value in (("boxes", picked), ("scores", best), ("classes", labels)):
            self._node("Identity", [value], named=name)
        shapes = ([1], [rows, 4], [rows], [rows])
        batch = self._graph.input[0].type.tensor_type.shape.dim[0]
        first = batch.dim_value or batch.dim_param or "batch"
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.INT32 if name == "num_dets" else _FLOAT, [first, *shape])
            for name, shape in zip(OUTPUTS, shapes, strict=True)
        ]
        del self._graph.output[:]
        self._graph.output.extend(outputs)

    def _candidates(self, raw: str) -> tuple[str, str, str, int]:
        """Boxes (shares, x1 y1 x2 y2), scores and classes of the best rows, best first, and how many those are."""
        if self._rows < self._columns:  # [batch, 4 + C, N], without objectness
            raw, number, classes_from = self._node("Transpose", [raw], perm=[0, 2, 1]), self._columns, 4
            width = self._rows
        else:
            number, classes_from, width = self._rows, 5, self._columns
        if _is_half(self._graph, self._graph.output[0].name):
            raw = self._node("Cast", [raw], to=_FLOAT)
        each_class = self._columns_of(raw, classes_from, width)
        best = self._reduce_max(each_class, axis=2)
        if classes_from == 5:
            objectness = self._node("Squeeze", [self._columns_of(raw, 4, 5), self._constant("last", [2])])
            best = self._node("Mul", [objectness, best])
        label = self._node("Cast", [self._node("ArgMax", [each_class], axis=2, keepdims=0)], to=_FLOAT)
        count = min(MOST_CANDIDATES, number)
        scores, order = self._best(best, "candidates", count)
        classes = self._node("GatherElements", [label, order], axis=1)
        corners = self._gather_rows(self._columns_of(raw, 0, 4), order)
        # Shares first: in half precision areas in pixels overflow.
        size = [self._width, self._height, self._width, self._height]
        corners = self._node("Mul", [corners, self._constant("shares", [1 / side for side in size])])
        centre, extent = self._columns_of(corners, 0, 2), self._columns_of(corners, 2, 4)
        half = self._node("Mul", [extent, self._constant("half", 0.5)])
        ends = [self._node("Sub", [centre, half]), self._node("Add", [centre, half])]
        return self._node("Concat", ends, axis=2), scores, classes, count

    def _thinned(self, boxes: str, scores: str, classes: str, count: int) -> str:
        """The scores, zero where a better box of the same class is in nearly the same place."""
        near, far = self._constant("near", [1]), self._constant("far", [2])

        def pair(value: str, operator: str) -> str:
            one, other = (self._node("Unsqueeze", [value, axis]) for axis in (far, near))
            return self._node(operator, [one, other])

        edges = [
            self._node("Squeeze", [self._columns_of(boxes, edge, edge + 1), self._constant("last", [2])])
            for edge in range(4)
        ]
        left, top, right, bottom = edges
        zero = self._constant("zero", 0.0)
        wide = self._node("Max", [self._node("Sub", [pair(right, "Min"), pair(left, "Max")]), zero])
        high = self._node("Max", [self._node("Sub", [pair(bottom, "Min"), pair(top, "Max")]), zero])
        both = self._node("Mul", [wide, high])
        area = self._node("Mul", [self._node("Sub", [right, left]), self._node("Sub", [bottom, top])])
        either = self._node("Sub", [pair(area, "Add"), both])
        iou = self._node("Div", [both, self._node("Max", [either, self._constant("tiny", 1e-6)])])
        apart = self._node("Abs", [pair(classes, "Sub")])
        same = self._node("Less", [apart, self._constant("half", 0.5)])
        near_by = self._node("Greater", [iou, self._constant("iou", self._iou)])
        over = self._node("Cast", [self._node("And", [same, near_by])], to=_FLOAT)
        better = self._constant("better", np.tril(np.ones((count, count), np.float32), -1))  # row by row: who is before
        over, kept = self._node("Mul", [over, better]), ""
        for _ in range(ROUNDS):
            counting = self._node("Mul", [over, self._node("Unsqueeze", [kept, near])]) if kept else over
            kept = self._node("Sub", [self._constant("one", 1.0), self._reduce_max(counting, axis=2)])
        return self._node("Mul", [scores, kept])

    def _gather_rows(self, values: str, order: str) -> str:
        """Rows of `values` `[batch, N, 4]` in the order `[batch, K]`."""
        index = self._node("Unsqueeze", [order, self._constant("far", [2])])
        return self._node("GatherElements", [values, self._node("Concat", [index] * 4, axis=2)], axis=1)

    def _columns_of(self, value: str, start: int, end: int) -> str:
        bounds = [self._constant(f"at{place}", [place]) for place in (start, end)]
        return self._node("Slice", [value, *bounds, self._constant("last", [2])])

    def _reduce_max(self, value: str, axis: int) -> str:
        if self._opset >= _AXES_ARE_INPUTS:
            return self._node("ReduceMax", [value, self._constant("last", [axis])], keepdims=0)
        return self._node("ReduceMax", [value], axes=[axis], keepdims=0)

    def _best(self, scores: str, name: str, count: int) -> tuple[str, str]:
        """The best scores, and where they were."""
        values, places = f"{_PREFIX}{name}.values", f"{_PREFIX}{name}.places"
        constant = self._constant(name, [count])
        self._graph.node.append(
            helper.make_node("TopK", [scores, constant], [values, places], name=f"{_PREFIX}{name}-TopK", axis=1)
        )
        return values, places

    def _node(self, kind: str, inputs: Sequence[str], named: str | None = None, **rest: Any) -> str:
        """Add a node; the name of its output."""
        number = sum(one.name.startswith(_PREFIX) for one in self._graph.node)
        name = named or f"{_PREFIX}{number}-{kind}.0"
        self._graph.node.append(helper.make_node(kind, list(inputs), [name], name=f"{_PREFIX}{number}-{kind}", **rest))
        return name

    def _constant(self, name: str, value: Any) -> str:
        """A constant by its name; whole numbers as int64, all else as float32."""
        name = _PREFIX + name
        if all(one.name != name for one in self._graph.initializer):
            array = np.asarray(value)
            array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _input_size(self, properties: dict[str, str]) -> tuple[int, int]:
        if len(self._graph.input) != 1 or len(self._graph.output) != 1:
            raise self._refused("it must have one input and one output")
        sides = [one.dim_value for one in self._graph.input[0].type.tensor_type.shape.dim]
        if len(sides) != 4:
            raise self._refused(f"its input has {len(sides)} dimensions, not [batch, 3, height, width]")
        stated = properties.get("size", "")
        open_side = int(stated) if stated.isdigit() else 0
        height, width = (side or open_side for side in sides[2:])
        if not (width and height):
            raise self._refused("its input's size is left open; nvinfer needs a fixed one")
        for dim, side in zip(self._graph.input[0].type.tensor_type.shape.dim[2:], (height, width), strict=True):
            dim.ClearField("dim_param")
            dim.dim_value = side
        return width, height

    def _output_shape(self, model: onnx.ModelProto) -> tuple[int, int]:
        """The two dimensions of the output after the batch, worked out where the file leaves them open."""
        shape = _dims(self._graph.output[0])
        if len(shape) != 3 or not all(shape[1:]):
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output[0]
            shape = _dims(inferred)
        if len(shape) != 3 or not all(shape[1:]):
            shape = self._by_running(model)
        return shape[1], shape[2]

    def _by_running(self, model: onnx.ModelProto) -> list[int]:
        import onnxruntime

        try:
            runner = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            first = runner.get_inputs()[0]
            kind = np.float16 if first.type == "tensor(float16)" else np.float32
            batch = first.shape[0] if isinstance(first.shape[0], int) else 1
            shape = list(runner.run(None, {first.name: np.zeros((batch, 3, self._height, self._width), kind)})[0].shape)
        except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base class
            raise self._refused(f"it does not run ({str(error).splitlines()[0]})") from None
        if len(shape) != 3:
            raise self._refused(f"its output has shape {shape}, not one of YOLOv5's")
        return shape

    def _refused(self, cause: str) -> WeightsError:
        return WeightsError(f"weights {self._source}: {cause}; give a model made by `spotter model export`")


def _is_half(graph: onnx.GraphProto, output: str) -> bool:
    """Whether an output is in half precision."""
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.output}
    return bool(kinds[output] == TensorProto.FLOAT16)


def _dims(value: onnx.ValueInfoProto) -> list[int]:
    return [one.dim_value for one in value.type.tensor_type.shape.dim]


_FLOAT = TensorProto.FLOAT
