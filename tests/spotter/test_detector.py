"""The ONNX detector: placement, layouts, batches, and clear words about files that are no detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="onnx is not installed ([train] extra)")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from spotter.detector import Detector, select, suppress  # noqa: E402
from spotter.errors import WeightsError  # noqa: E402
from spotter.letterbox import Letterbox, letterbox  # noqa: E402

SIZE = 64
# Rows of a detector that always sees the same: x, y, width, height, objectness, two classes.
ROWS = np.array(
    [
        [32, 32, 20, 10, 0.9, 0.8, 0.1],
        [33, 32, 20, 10, 0.8, 0.7, 0.1],  # the same object once more
        [32, 32, 20, 10, 0.9, 0.1, 0.9],  # another class in the same place
        *[[10, 40, 8, 8, 0.1, 0.9, 0.0]] * 9,  # too faint
    ],
    np.float32,
)


def model(
    path: Path, *, classic: bool = True, batch: int | None = None, names: str | None = '["person", "kettlebell"]'
) -> Path:
    """A detector whose output is `ROWS` whatever it is shown, in either layout."""
    rows = ROWS if classic else np.concatenate((ROWS[:, :4], ROWS[:, 5:] * ROWS[:, 4:5]), 1).T
    ones = [("one", np.ones((1, 1, 1), np.float32)), ("rows", rows[None])]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "axis"], ["flat"]),
        helper.make_node("Mul", ["flat", "zero"], ["nil"]),
        helper.make_node("Add", ["nil", "rows"], ["output"]),
    ]
    ones += [("axis", np.array([3])), ("zero", np.zeros(1, np.float32))]
    graph = helper.make_graph(
        nodes,
        "fixed",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch or "batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch or "batch", *rows.shape])],
        [numpy_helper.from_array(value, name) for name, value in ones],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if names is not None:
        helper.set_model_props(made, {"names": names})
    onnx.save(made, str(path))
    return path


@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.parametrize("batch", [None, 1, 2])
def test_both_layouts_and_any_batch_give_the_same_detections(tmp_path: Path, classic: bool, batch: int | None) -> None:
    path = model(tmp_path / "m.onnx", classic=classic, batch=batch)
    detector = Detector(path, threads=1, one_label_iou=None)
    assert detector.layout == ("classic" if classic else "no_objectness")
    assert detector.labels == ("person", "kettlebell")
    assert detector.size == SIZE
    assert detector.dynamic_batch is (batch is None)
    detector.warm_up()
    image = np.zeros((32, 64, 3), np.uint8)  # fits without scaling, 16 px of grey above and below
    for found in detector.detect([image] * 3):
        assert found.class_id.tolist() == [1, 0]
        assert found.data["class_name"].tolist() == ["kettlebell", "person"]
        np.testing.assert_allclose(found.confidence, [0.81, 0.72], atol=1e-6)
        np.testing.assert_allclose(found.xyxy[0], [22, 11, 42, 21])
        assert found.xyxy.dtype == np.float32
    assert detector.detect([]) == []


def test_one_thing_gets_one_label_unless_all_are_asked_for(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    image = np.zeros((64, 64, 3), np.uint8)
    assert Detector(path, threads=1).detect([image])[0].data["class_name"].tolist() == ["kettlebell"]
    assert len(Detector(path, threads=1, one_label_iou=None).detect([image])[0]) == 2


@pytest.mark.parametrize(
    "names", [json.dumps(["a", "b"]), "{0: 'a', 1: 'b'}", "['a', 'b']", json.dumps({"1": "b", "0": "a"})]
)
def test_class_names_are_read_in_every_form_that_exporters_write(tmp_path: Path, names: str) -> None:
    assert Detector(model(tmp_path / "m.onnx", names=names), threads=1).labels == ("a", "b")


def test_weights_without_names_are_numbered(tmp_path: Path) -> None:
    assert Detector(model(tmp_path / "m.onnx", names=None, classic=False), threads=1).labels == ("class0", "class1")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx: no such file; check"):
        Detector(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x08\x08\x12\x00"])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"m\.onnx") as error:
        Detector(path)
    assert "\n" not in str(error.value)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WeightsError, match="not a readable ONNX model"):
        Detector(path)


def test_a_model_that_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not fit its 3 class names"):
        Detector(model(tmp_path / "m.onnx", names='["a", "b", "c"]'))
    node = helper.make_node("Relu", ["x"], ["y"])
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8]) for n in "xy"]
    graph = helper.make_graph([node], "relu", info[:1], info[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "r.onnx")
    )
    with pytest.raises(WeightsError, match="not a YOLOv5 detector"):
        Detector(tmp_path / "r.onnx")


@given(
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    size=st.sampled_from([64, (96, 64), (64, 160)]),
    corners=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_a_box_returns_from_the_letterbox_to_where_it_was(
    width: int, height: int, size: int | tuple[int, int], corners: list[float]
) -> None:
    boxed, placed = letterbox(np.zeros((height, width, 3), np.uint8), size)
    assert boxed.shape == ((size, size, 3) if isinstance(size, int) else (size[1], size[0], 3))
    box = np.sort(np.array(corners).reshape(2, 2), axis=0).reshape(1, 4) * [width, height, width, height]
    pad = np.array([placed.pad_x, placed.pad_y] * 2)
    there = box * placed.scale + pad
    np.testing.assert_allclose(placed.to_source(there), box, atol=0.05 / placed.scale * 0.01 + 0.05)


def test_boxes_are_clipped_to_the_picture() -> None:
    placed = Letterbox(0.5, 0.0, 16.0, (128, 64))
    np.testing.assert_allclose(placed.to_source(np.array([[-5, 0, 90, 60]])), [[0, 0, 128, 64]])


def test_the_letterbox_is_grey_around_the_picture_and_fills_what_it_is_given() -> None:
    out = np.empty((64, 64, 3), np.uint8)
    boxed, _ = letterbox(np.full((20, 40, 3), 9, np.uint8), 64, out=out)
    assert boxed is out
    assert boxed[0, 0].tolist() == [114] * 3
    assert boxed[32, 32].tolist() == [9] * 3


def test_nothing_found_is_an_empty_answer_with_the_right_shapes() -> None:
    for layout, raw in (("classic", np.zeros((10, 7), np.float32)), ("no_objectness", np.zeros((6, 10), np.float32))):
        boxes, scores, classes = select(raw, layout, confidence=0.25, iou=0.45, max_detections=300)  # type: ignore[arg-type]
        assert (boxes.shape, scores.shape, classes.shape) == ((0, 4), (0,), (0,))


def test_suppression_keeps_classes_apart_and_the_best_first() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]], np.float32)
    kept = suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 0, 1]), 0.45)
    assert kept.tolist() == [0, 2]
