"""The tail for nvinfer: run by ONNX Runtime and read by a port of the stock parser, it gives the CPU engine's boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from models.cli import model as model_command  # noqa: E402
from pipeline.deepstream.configs import left_to_nvinfer  # noqa: E402
from spotter.detector import Detector, select  # noqa: E402
from spotter.errors import WeightsError  # noqa: E402
from spotter.nvinfer_tail import MARK, OUTPUTS, add_tail  # noqa: E402
from spotter.weights import weights_path  # noqa: E402

from .nvinfer_rules import Parsed, black_letterbox, cluster, parse_batched_nms, to_frame  # noqa: E402

PHOTOS = Path(__file__).parents[4] / "shared" / "data" / "photos" / "val" / "images"
SIZE = 640
MOST_PIXELS, MOST_SCORE = 2.0, 0.02
CONFIDENCE = 0.1


def seen_by_nvinfer(layers: list[np.ndarray], size: tuple[int, int], thresholds: list[float]) -> list[Parsed]:
    """What is left of one picture's outputs with the configuration that we write."""
    return cluster(parse_batched_nms(layers, size, thresholds), thresholds, left_to_nvinfer(0.45), 300)


def runner(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def with_tail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tail") / "gym-nvinfer.onnx"
    add_tail(weights_path(None), path)
    return path


def test_the_outputs_are_those_that_the_stock_parser_takes_by_place(with_tail: Path) -> None:
    graph = onnx.load(str(with_tail)).graph
    assert tuple(one.name for one in graph.output) == OUTPUTS
    kinds = [one.type.tensor_type.elem_type for one in graph.output]
    assert kinds == [TensorProto.INT32, TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT]
    shapes = [[one.dim_value for one in output.type.tensor_type.shape.dim[1:]] for output in graph.output]
    assert shapes == [[1], [200, 4], [200], [200]]
    domains = {node.domain for node in graph.node}
    assert domains <= {"", "ai.onnx"}, "no plug-in"
    assert not {node.op_type for node in graph.node} & {
        "NonMaxSuppression",
        "NonZero",
        "Loop",
        "If",
        "EfficientNMS_TRT",
    }


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the real photos are not here")
def test_real_photos_give_the_boxes_of_the_cpu_engine(with_tail: Path) -> None:
    detector = Detector(weights_path(None), confidence=CONFIDENCE, one_label_iou=None)
    thresholds = [CONFIDENCE] * len(detector.labels)
    session, compared = runner(with_tail), 0
    for path in sorted(PHOTOS.iterdir()):
        image = cv2.imread(str(path))
        tensor, placed = black_letterbox(image, (SIZE, SIZE))
        theirs = detector.postprocess(detector.infer(tensor[None])[0], placed)
        layers = [output[0] for output in session.run(None, {"images": tensor[None]})]
        parsed = seen_by_nvinfer(layers, (SIZE, SIZE), thresholds)
        ours = [(one.class_id, one.score, to_frame(one, placed, crop=True)) for one in parsed]
        assert len(ours) == len(theirs), path.name
        for box, score, class_id in zip(theirs.xyxy, theirs.confidence, theirs.class_id, strict=True):
            gaps = [
                max(abs(left - box[0]), abs(top - box[1]), abs(left + wide - box[2]), abs(top + high - box[3]))
                for label, mine, (left, top, wide, high) in ours
                if label == class_id and abs(mine - score) <= MOST_SCORE
            ]
            assert min(gaps, default=np.inf) * min(placed.scale, 1) <= MOST_PIXELS, (path.name, box, class_id)
            compared += 1
    assert compared > 300


def rows_model(path: Path, rows: np.ndarray, *, opset: int, half: bool = False, open_shape: bool = False) -> Path:
    """A detector that gives `rows` `[1, A, B]` whatever it is shown."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    values = rows.astype(np.float16 if half else np.float32)
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Expand", ["rows", "target"], ["boxes0"]),
    ]
    shape = ["batch", "rows", "columns"] if open_shape else ["batch", *rows.shape[1:]]
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("images", kind, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info("boxes0", kind, shape)],
        [
            numpy_helper.from_array(values, "rows"),
            numpy_helper.from_array(np.array([0], dtype=np.int64), "first"),
            numpy_helper.from_array(np.array(rows.shape[1:], dtype=np.int64), "rest"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(made, str(path))
    return path


def clutter(count: int = 60) -> np.ndarray:
    """Crowded rows of two classes, classic layout, in a picture of 64 pixels."""
    rng = np.random.default_rng(7)
    rows = np.zeros((1, count, 7), dtype=np.float32)
    rows[0, :, :2] = rng.uniform(15, 50, (count, 2))
    rows[0, :, 2:4] = rng.uniform(8, 24, (count, 2))
    rows[0, :, 4] = rng.uniform(0.2, 1, count)
    rows[0, :, 5:] = rng.uniform(0.1, 1, (count, 2))
    return rows


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("layout", ["classic", "no_objectness"])
@pytest.mark.parametrize("form", ["plain", "half", "open"])
def test_any_yolov5_file_takes_the_tail(tmp_path: Path, opset: int, layout: str, form: str) -> None:
    rows = clutter()
    if layout == "no_objectness":
        rows = np.concatenate((rows[..., :4], rows[..., 5:] * rows[..., 4:5]), axis=2).transpose(0, 2, 1)
    half = form == "half"
    plain = rows_model(tmp_path / "in.onnx", rows, opset=opset, half=half, open_shape=form == "open")
    add_tail(plain, tmp_path / "out.onnx")
    kind = np.float16 if half else np.float32
    outputs = runner(tmp_path / "out.onnx").run(None, {"images": np.zeros((3, 3, 64, 64), kind)})
    assert [output.shape[0] for output in outputs] == [3] * 4
    stored = rows[0].astype(kind).astype(np.float32)
    boxes, scores, classes = select(stored, layout, confidence=0.1, iou=0.45, max_detections=300)  # type: ignore[arg-type]
    assert all(len(boxes) <= count <= len(boxes) + 3 for count in outputs[0].reshape(-1))
    got = seen_by_nvinfer([output[2] for output in outputs], (64, 64), [0.1, 0.1])
    assert sorted((one.class_id, round(one.score, 3)) for one in got) == sorted(
        (int(label), round(float(score), 3)) for label, score in zip(classes, scores, strict=True)
    )


def test_two_that_the_edge_of_the_picture_pushes_together_are_both_kept(tmp_path: Path) -> None:
    """The parser cuts boxes before nvinfer compares them; the CPU engine compares them as they are."""
    rows = np.zeros((1, 10, 7), np.float32)
    rows[0, :2] = [[8, 32, 20, 20, 0.9, 1, 0], [-15, 32, 54, 20, 0.8, 1, 0]]
    add_tail(rows_model(tmp_path / "in.onnx", rows, opset=17), tmp_path / "out.onnx")
    outputs = runner(tmp_path / "out.onnx").run(None, {"images": np.zeros((1, 3, 64, 64), np.float32)})
    assert len(seen_by_nvinfer([output[0] for output in outputs], (64, 64), [0.1, 0.1])) == 2


def test_a_row_that_stands_close_loses_every_second_box(tmp_path: Path) -> None:
    """Thirteen boxes, each on half of the one before: the tail settles one link of the chain in each round."""
    rows = np.zeros((1, 13, 7), np.float32)
    rows[0] = [[8 + 3 * place, 32, 9, 9, 0.9 - 0.05 * place, 1, 0] for place in range(13)]
    add_tail(rows_model(tmp_path / "in.onnx", rows, opset=17), tmp_path / "out.onnx")
    outputs = runner(tmp_path / "out.onnx").run(None, {"images": np.zeros((1, 3, 64, 64), np.float32)})
    found = seen_by_nvinfer([output[0] for output in outputs], (64, 64), [0.1, 0.1])
    assert sorted((round(one.score, 2) for one in found), reverse=True) == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]


def test_whole_number_classes_would_all_be_class_zero() -> None:
    """Why the tail gives classes as floats: the parser reads whatever bytes come as floats."""
    boxes, scores = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32), np.array([0.9], np.float32)
    for classes, seen in ((np.array([3], np.float32), 3), (np.array([3], np.int32), 0)):
        (one,) = parse_batched_nms([np.array([1], np.int32), boxes, scores, classes], (640, 640), [0.1] * 9)
        assert one.class_id == seen


def test_the_command_adds_the_tail_once_and_says_what_it_can_not_take(tmp_path: Path) -> None:
    from click.testing import CliRunner

    source, out = rows_model(tmp_path / "in.onnx", clutter(), opset=17), tmp_path / "out.onnx"
    run = CliRunner().invoke(model_command, ["export", str(source), "--for", "deepstream", "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert {one.key: one.value for one in onnx.load(str(out)).metadata_props}[MARK] == "0.45"
    with pytest.raises(WeightsError, match="has the tail"):
        add_tail(out, tmp_path / "twice.onnx")
    with pytest.raises(WeightsError, match="not a readable"):
        (tmp_path / "text.onnx").write_text("no")
        add_tail(tmp_path / "text.onnx", out)
    with pytest.raises(WeightsError, match="opset 12"):
        add_tail(rows_model(tmp_path / "old.onnx", clutter(), opset=12), out)
    twice = CliRunner().invoke(model_command, ["export", str(source), "--out", str(out)])
    assert twice.exit_code == 2
