"""Exports equal the network they come from, INT8 keeps its head in float, and engines are built where they can be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
onnx = pytest.importorskip("onnx", reason="onnx is not installed ([train] extra)")

import cv2  # noqa: E402

from models import exporting  # noqa: E402
from models.cli import model  # noqa: E402
from models.exporting import ExportError, demo_pictures, engine_command, export_checked  # noqa: E402
from models.labels import Sample  # noqa: E402
from models.networks import write_network  # noqa: E402
from models.pixels import Pixels  # noqa: E402
from models.quantising import choose_calibration, last_convolutions, quantise, read_calibration  # noqa: E402
from models.yolov5.network import YoloV5  # noqa: E402
from spotter.detector import Detector  # noqa: E402

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

    exporting_export = exporting.export
    monkeypatch.setattr(exporting, "export", spoilt)
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
