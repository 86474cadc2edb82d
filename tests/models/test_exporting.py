"""Exports equal the network they come from, INT8 keeps its head in float, and engines are built where they can be."""

from __future__ import annotations

import copy
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
onnx = pytest.importorskip("onnx", reason="onnx is not installed ([train] extra)")

import cv2  # noqa: E402

from models import export, exporting  # noqa: E402
from models.cli import model  # noqa: E402
from models.delivery import INT8, TAIL, check_int8, check_tail, likeness  # noqa: E402
from models.exporting import ExportError, demo_pictures, engine_command, export_checked  # noqa: E402
from models.labels import Sample  # noqa: E402
from models.metrics import Found  # noqa: E402
from models.networks import read_network, source_of_run, write_network  # noqa: E402
from models.pixels import Pixels  # noqa: E402
from models.quantising import choose_calibration, last_convolutions, quantise, read_calibration  # noqa: E402
from models.yolov5.network import YoloV5  # noqa: E402
from spotter import nvinfer_tail  # noqa: E402
from spotter.detector import Detector  # noqa: E402
from spotter.errors import SettingsError, WeightsError  # noqa: E402
from spotter.nvinfer_tail import add_tail  # noqa: E402

from .colab import write  # noqa: E402

LABELS = ("person", "kettlebell")
SIZE = 64


@pytest.fixture(scope="module")
def network() -> YoloV5:
    torch.manual_seed(0)
    made = YoloV5(LABELS)
    for conv in made.head.m:
        conv.bias.data[4::7] = 0.0  # objectness near one half everywhere, so that every row is compared
    return made.eval()


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (40, 60, 3)).astype(np.uint8) for _ in range(3)]


def test_an_export_is_compared_with_its_network_before_it_is_written(
    network: YoloV5,
    pictures: list[Pixels],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "new" / "a.onnx"
    same = export_checked(network, out, SIZE, pictures)
    assert (same.pictures, same.rows > 100) == (3, True)
    assert same.box_px < 0.01
    assert same.score < 1e-4
    before = out.read_bytes()

    def spoilt(network: YoloV5, path: Path, size: int) -> None:
        changed = YoloV5(LABELS)
        exporting_export(changed, path, size)

    exporting_export = export.export
    monkeypatch.setattr(export, "export", spoilt)
    with pytest.raises(ExportError, match=r"a\.onnx: differs from the network .* nothing was written"):
        export_checked(network, out, SIZE, pictures)
    assert out.read_bytes() == before


def test_int8_quantises_all_but_the_head_and_stays_near(
    network: YoloV5,
    pictures: list[Pixels],
    tmp_path: Path,
) -> None:
    export_checked(network, tmp_path / "float.onnx", SIZE, pictures)
    detector = Detector(tmp_path / "float.onnx", threads=1)
    planes = np.stack([detector.preprocess(image)[0] for image in pictures])
    assert quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", iter(planes[:, None])) == 3
    loaded = onnx.load(str(tmp_path / "int8.onnx"))
    head = set(last_convolutions(loaded))
    assert len(head) == 3
    quantised = {name for node in loaded.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    for node in loaded.graph.node:
        if node.op_type == "Conv":
            assert ({node.input[0], node.input[1]} <= quantised) == (node.name not in head)
    small = Detector(tmp_path / "int8.onnx", threads=1)
    assert (small.labels, small.size, small.dynamic_batch) == (LABELS, SIZE, True)
    assert {p.key: p.value for p in loaded.metadata_props}["calibration"] == "3 pictures"
    difference = np.abs(small.infer(planes) - detector.infer(planes))
    assert difference[..., 4:].max() < 0.1


def test_the_seeds_calibration_array_is_accepted_in_either_order(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    levels[0, 0, 0, 0] = 255
    wanted = levels.transpose(0, 3, 1, 2).astype(np.float32) / 255
    for array in (levels, levels.transpose(0, 3, 1, 2), wanted, levels.astype(np.float32)):
        np.save(tmp_path / "calib_set.npy", array)
        read = np.concatenate(list(read_calibration(tmp_path / "calib_set.npy", 8)))
        np.testing.assert_allclose(read, wanted, atol=1e-6)
    np.save(tmp_path / "odd.npy", np.zeros((2, 9, 8, 3)))
    (tmp_path / "text.npy").write_text("no array")
    for name, cause in (("odd", "its shape"), ("text", "not a .npy array"), ("none", "no such file")):
        with pytest.raises(ExportError, match=cause):
            list(read_calibration(tmp_path / f"{name}.npy", 8))


def test_calibration_shows_every_class_even_the_rarest() -> None:
    samples = [Sample(Path(f"{i}.jpg"), np.array([[0, 0.5, 0.5, 0.1, 0.1]], np.float32)) for i in range(50)]
    samples[41] = Sample(Path("41.jpg"), np.array([[1, 0.5, 0.5, 0.1, 0.1]], np.float32))
    chosen = choose_calibration(samples, 2, most=6)
    assert len(chosen) == 6
    assert samples[41] in chosen
    assert choose_calibration(samples[:3], 2, most=6) == samples[:3]


def test_a_missing_trtexec_gives_the_command_and_a_present_one_is_run(
    network: YoloV5, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_network(network, tmp_path / "a.pt")
    call = [
        "export",
        tmp_path / "a.pt",
        "--out",
        tmp_path / "a.onnx",
        "--size",
        SIZE,
        "--engine",
        tmp_path / "a.engine",
    ]
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(model, [str(a) for a in call], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.strip() == " ".join(engine_command(tmp_path / "a.onnx", tmp_path / "a.engine", SIZE, False))
    assert "--maxShapes=images:16x3x64x64" in done.stdout

    stand_in = tmp_path / "trtexec"  # NVIDIA's own is closed and needs its card
    stand_in.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in --saveEngine=*) echo made > "${a#*=}";; esac; done\n'
    )
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert exporting.build_engine(tmp_path / "a.onnx", tmp_path / "a.engine", SIZE, True)
    stand_in.write_text("#!/bin/sh\necho '[E] no card' >&2\nexit 1\n")
    with pytest.raises(ExportError, match=r"trtexec failed \(\[E\] no card\)"):
        exporting.build_engine(tmp_path / "a.onnx", tmp_path / "a.engine", SIZE, False)


@pytest.mark.parametrize(
    ("dims", "shapes"),
    [
        (("batch", 3, 320, 416), ["min", 1, "320x416"]),
        (("batch", 3, "height", "width"), ["min", 1, "640x640"]),
        ((2, 3, "height", "width"), ["min", 2, "640x640"]),
        ((1, 3, 320, 320), None),
    ],
)
def test_an_engine_gets_the_input_that_its_file_has(
    dims: tuple[int | str, ...], shapes: list[object] | None, tmp_path: Path
) -> None:
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims) for name in ("input.1", "out")]
    node = onnx.helper.make_node("Identity", ["input.1"], ["out"])
    path = tmp_path / "a.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", info[:1], info[1:])), str(path))
    told = [part for part in engine_command(path, tmp_path / "a.engine", 640, False) if "Shapes=" in part]
    assert told[:1] == ([] if shapes is None else ["--{}Shapes=input.1:{}x3x{}".format(*shapes)])
    assert len(told) == (3 if shapes else 0)
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="not a readable ONNX file"):
        engine_command(path, tmp_path / "a.engine", 640, False)


def test_the_demo_has_pictures_to_compare_on() -> None:
    assert [p.shape for p in demo_pictures(2)] == [(360, 640, 3)] * 2


def test_int8_without_pictures_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(model, ["export", "a.pt", "--out", str(tmp_path / "a.onnx"), "--int8"])
    assert done.exit_code == 2
    assert "--data" in done.output


def test_pictures_are_read_for_comparison_from_a_data_set(network: YoloV5, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((30, 40, 3), 120, np.uint8))
    (tmp_path / "data.yaml").write_text("val: images\nnames: [person, kettlebell]\n")
    write_network(network, tmp_path / "a.pt")
    call = ["export", tmp_path / "a.pt", "--out", tmp_path / "a.onnx", "--size", SIZE, "--data", tmp_path / "data.yaml"]
    done = CliRunner().invoke(model, [str(a) for a in call], catch_exceptions=False)
    assert "equals the network on 1 pictures" in done.stderr


def shifted(source: Path, target: Path, change: float) -> Path:
    """A float file whose scores are all multiplied."""
    loaded = onnx.load(str(source))
    name = loaded.graph.output[0].name
    for node in loaded.graph.node:
        node.output[:] = ["before" if one == name else one for one in node.output]
    factor = onnx.numpy_helper.from_array(np.array([1, 1, 1, 1, change, 1, 1], np.float32), "factor")
    loaded.graph.initializer.append(factor)
    loaded.graph.node.append(onnx.helper.make_node("Mul", ["before", "factor"], [name]))
    onnx.save(loaded, str(target))
    return target


def test_what_is_delivered_is_compared_with_what_it_was_made_of(
    network: YoloV5, pictures: list[Pixels], tmp_path: Path
) -> None:
    source, tail = tmp_path / "float.onnx", tmp_path / "tail.onnx"
    sure = copy.deepcopy(network)
    for conv in sure.head.m:
        conv.bias.data[5::7] = 1.5  # scores of 0.4 and more
    export_checked(sure, source, SIZE, pictures)
    add_tail(source, tail, 0.45)
    like = check_tail(tail, source, 0.45, pictures)
    assert like.boxes > 20
    assert like.share >= TAIL.share
    wrong = shifted(source, tmp_path / "wrong.onnx", 0.1)
    with pytest.raises(ExportError, match=r"only \d+ of \d+ boxes on 3 pictures are the same with the tail"):
        check_tail(tail, wrong, 0.45, pictures)
    assert check_int8(source, source, pictures).share == 1
    with pytest.raises(ExportError, match=r"with INT8 .* nothing was written"):
        check_int8(wrong, source, pictures)


def test_boxes_are_shared_by_class_and_place_from_either_side() -> None:
    box = np.array([[0, 0, 10, 10]], np.float32)
    one = Found(box, np.array([0.9], np.float32), np.array([0]))
    none = Found(box[:0], np.zeros(0, np.float32), np.zeros(0, np.int64))
    other = Found(box + 8, one.scores, one.classes)
    faint, named = Found(box, one.scores / 4, one.classes), Found(box, one.scores, np.array([1]))
    counts = [
        (like.boxes, like.shared) for like in (likeness([one], [x], INT8) for x in (one, none, other, faint, named))
    ]
    assert counts == [(2, 2), (1, 0), (2, 0), (1, 1), (2, 0)]
    assert likeness([none], [none], INT8).share == 1


def test_a_failed_gate_leaves_what_stood_there(
    network: YoloV5, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_network(network, tmp_path / "a.pt")
    out = tmp_path / "a.onnx"
    out.write_bytes(b"before")
    real = nvinfer_tail.add_tail
    monkeypatch.setattr(nvinfer_tail, "add_tail", lambda source, made, iou: real(source, made, 0.05))
    call = ["export", tmp_path / "a.pt", "--out", out, "--size", SIZE, "--for", "deepstream", "--iou", 0.9]
    with pytest.raises(ExportError, match="with the tail"):
        CliRunner().invoke(model, [str(a) for a in call], catch_exceptions=False)
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_weights_beside_an_onnx_file_are_taken_in_and_what_does_not_open_is_refused(
    network: YoloV5, pictures: list[Pixels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_checked(network, tmp_path / "a.onnx", SIZE, pictures)
    apart = tmp_path / "apart.ONNX"
    onnx.save(onnx.load(str(tmp_path / "a.onnx")), str(apart), save_as_external_data=True, location="apart.data")
    monkeypatch.setenv("PATH", str(tmp_path))
    call = ["export", str(apart), "--out", str(tmp_path / "b.onnx"), "--engine", str(tmp_path / "b.engine")]
    assert CliRunner().invoke(model, call, catch_exceptions=False).exit_code == 0
    (tmp_path / "apart.data").unlink()
    assert Detector(tmp_path / "b.onnx").labels == LABELS
    with pytest.raises(WeightsError, match=r"apart\.ONNX: not a readable ONNX model"):
        CliRunner().invoke(model, call, catch_exceptions=False)


@pytest.mark.parametrize(
    "call", [["export", "a.pt", "--out", "a.onnx", "--size"], ["import", "a.pt", "--size"], ["train", "a", "--img"]]
)
def test_a_side_that_is_no_multiple_of_the_stride_is_refused_with_those_beside_it(call: list[str]) -> None:
    done = CliRunner().invoke(model, [*call, "330"])
    assert done.exit_code == 2
    assert "give 320 or 352" in done.output


def test_a_network_with_four_strides_says_which_sides_it_takes(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="multiples of 64 pixels, not 96; give 64 or 128"):
        export.export(YoloV5(LABELS, "n6"), tmp_path / "a.onnx", 96)


def test_a_file_says_where_it_is_from_and_a_day_only_where_it_is_known(network: YoloV5, tmp_path: Path) -> None:
    start = read_network(write(network, tmp_path / "best.pt"))
    assert (start.source, start.trained) == ("the YOLOv5n checkpoint best.pt", "2024-11-21")
    coco = YoloV5(["person", *(f"c{i}" for i in range(78)), "toothbrush"])
    official = read_network(write(coco, tmp_path / "yolov5n.pt"))
    assert official.source == "the official YOLOv5n COCO checkpoint"
    tuned = copy.deepcopy(network)
    tuned.source = source_of_run(official)
    write_network(tuned, tmp_path / "run.pt")
    again = read_network(tmp_path / "run.pt")
    assert again.source == source_of_run(again) == "fine-tuned by Spotter from the official YOLOv5n COCO checkpoint"
    assert again.trained is not None
    again.trained = None
    export.export(again, tmp_path / "a.onnx", SIZE)
    told = Detector(tmp_path / "a.onnx").metadata
    assert told["source"] == again.source
    assert {"trained", "exported"} & set(told) == {"exported"}
