"""`spotter model`: its forms, its errors, and the floor of the shipped weights."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.cli import model
from models.labels import GYM_LABELS
from spotter.errors import MissingExtraError, SpotterError

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
WEIGHTS = ROOT / "models" / "weights" / "gym-yolov5n.onnx"
PERSON_FLOOR, KETTLEBELL_FLOOR = 0.80, 0.60
needs_photos = pytest.mark.skipif(not (SHARED / "photos").is_dir(), reason="../shared/data/photos is absent")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(model, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((90, 160, 3), 90, np.uint8))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 5, (160, 96))
    for i in range(3):
        writer.write(np.full((96, 160, 3), 40 * i, np.uint8))
    writer.release()
    return path


def test_detect_prints_one_json_object_a_frame_of_pictures_and_videos(picture: Path, clip: Path) -> None:
    lines = [json.loads(line) for line in call("detect", picture, clip, "--json").splitlines()]
    assert [(line["file"], line["frame"], line["size"]) for line in lines] == [
        (str(picture), 0, [160, 90]),
        *[(str(clip), i, [160, 96]) for i in range(3)],
    ]
    assert all(set(line) == {"file", "frame", "size", "objects"} for line in lines)


@needs_photos
def test_detect_finds_a_person_and_a_kettlebell_in_a_photo() -> None:
    photo = next((SHARED / "photos").rglob("kettlebells__Goblet_Squat__0.jpg"))
    (line,) = call("detect", photo, "--json", "--conf", "0.3").splitlines()
    frame = json.loads(line)
    assert {"person", "kettlebell"} <= {o["label"] for o in frame["objects"]}
    width, height = frame["size"]
    for found in frame["objects"]:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert 0.3 <= found["score"] <= 1


@needs_photos
def test_the_shipped_weights_reach_their_floor_on_the_validation_split() -> None:
    scores = json.loads(call("eval", SHARED / "photos" / "data.yaml", "--weights", WEIGHTS, "--json"))
    assert scores["classes"]["person"]["mAP50"] >= PERSON_FLOOR
    assert scores["classes"]["kettlebell"]["mAP50"] >= KETTLEBELL_FLOOR
    assert set(scores["overall"]) == {"truths", "precision", "recall", "mAP50", "mAP50-95"}


def test_the_shipped_weights_say_what_they_are() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed ([train] extra)")
    loaded = onnx.load(str(WEIGHTS))
    metadata = {p.key: p.value for p in loaded.metadata_props}
    assert tuple(json.loads(metadata["names"])) == GYM_LABELS
    assert metadata["license"] == "AGPL-3.0-only"
    assert metadata["size"] == "640"
    assert {"stride", "normalisation", "source", "trained"} <= set(metadata)
    assert not loaded.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")  # any batch
    assert WEIGHTS.stat().st_size < 8 << 20


def test_missing_and_unreadable_files_are_named(tmp_path: Path, picture: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    cases = [
        (["detect", tmp_path / "none.jpg"], "none.jpg: no such file"),
        (["detect", broken], "broken.jpg: not a picture or video"),
        (["detect", picture, "--weights", tmp_path / "none.onnx"], "none.onnx: no such file"),
        (["detect", picture, "--weights", broken], "broken.jpg: not a readable ONNX model"),
        (["eval", tmp_path / "none.yaml"], "none.yaml: no such file"),
        (["eval", broken], "broken.jpg: needs `names`"),
    ]
    for arguments, message in cases:
        with pytest.raises(SpotterError, match=message) as error:
            call(*arguments)
        assert "\n" not in str(error.value)


def test_a_folder_is_detected_in_whole_and_sorted(picture: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    picture.rename(tmp_path / "deeper" / "z.png")
    (tmp_path / "notes.txt").write_text("no picture")
    lines = [json.loads(line) for line in call("detect", tmp_path, "--json").splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["a.mp4"] * 3 + ["z.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpotterError, match="empty: a folder without pictures or videos"):
        call("detect", tmp_path / "empty")


def test_a_checkpoint_as_weights_is_told_with_the_command_that_makes_onnx_of_it(picture: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "my best.pt", "w") as archive:
        archive.writestr("best/data.pkl", b"")
    with pytest.raises(SpotterError, match=r"a torch checkpoint, not ONNX; run `spotter model export '.*my best\.pt'"):
        call("detect", picture, "--weights", tmp_path / "my best.pt")


def test_a_split_without_a_box_is_not_scored(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture.rename(tmp_path / "images" / "a.png")
    (tmp_path / "data.yaml").write_text("val: images\nnames: [person]\n")
    with pytest.raises(SpotterError, match="'val' has no box, so there is nothing to score"):
        call("eval", tmp_path)  # the folder stands for its data.yaml


@pytest.mark.parametrize("given", [["--epochs", "5"], ["data.yaml"], ["--img", "640", "--no-keep"]])
def test_a_run_that_is_taken_up_refuses_other_settings(given: list[str]) -> None:
    done = CliRunner().invoke(model, ["train", "--resume", "runs/a", *given])
    assert done.exit_code == 2
    assert "leave out " + ("DATA" if "data.yaml" in given else given[0]) in done.output


def test_a_mistake_in_labels_is_named_with_its_line(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    picture.rename(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.5 1.5 0.1 0.1\n")
    (tmp_path / "data.yaml").write_text("path: .\nval: images\nnames: {0: person, 1: kettlebell}\n")
    with pytest.raises(SpotterError, match=r"a\.txt, line 2: '1 0\.5 1\.5 0\.1 0\.1'"):
        call("eval", tmp_path / "data.yaml")


def test_training_without_torch_names_the_extra(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a))
    for arguments in (["train", picture, "--weights", picture], ["export", picture, "--out", picture]):
        with pytest.raises(MissingExtraError, match=r"spotter\[train\]"):
            call(*arguments)


def test_the_commands_are_listed_without_loading_what_they_need() -> None:
    program = (
        "import sys; from models.cli import model; from click.testing import CliRunner;"
        "print(CliRunner().invoke(model, ['--help']).output);"
        "print([m for m in ('torch', 'cv2', 'onnxruntime', 'numpy', 'supervision') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert all(command in output for command in ("detect", "eval", "train", "export"))
    assert output.strip().endswith("[]")


@pytest.mark.timeout(600)  # many pictures and two exports: minutes where other work fills the machine
def test_train_and_export_leave_a_detector_that_equals_the_network(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
    from models.networks import read_network, write_network
    from models.yolov5.network import YoloV5
    from spotter.detector import Detector

    random = np.random.default_rng(0)
    for split in ("train", "val"):
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "labels").mkdir()
        for i in range(2):
            image = random.integers(0, 80, (96, 128, 3)).astype(np.uint8)
            cv2.rectangle(image, (30, 20), (90, 80), (0, 200, 255), -1)
            cv2.imwrite(str(tmp_path / split / "images" / f"{i}.png"), image)
            (tmp_path / split / "labels" / f"{i}.txt").write_text("1 0.47 0.52 0.47 0.63\n")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [person, kettlebell]\n")
    torch.manual_seed(0)
    write_network(YoloV5(("person", "sports ball")), tmp_path / "start.pt")
    out = tmp_path / "run"
    call("train", tmp_path / "data.yaml", "--weights", tmp_path / "start.pt", "--out", out, "--epochs", 1,
         "--img", 96, "--batch", 2, "--patience", 0, "--threads", 1)  # fmt: skip
    assert {p.name for p in out.iterdir()} == {
        "best.pt", "best.onnx", "last.pt", "resume.pt", "settings.yaml", "log.jsonl", "tensorboard", "results.png",
        "labels.png", "labels_correlogram.jpg", "train_batch0.jpg", "val",
    }  # fmt: skip
    assert {"F1_curve.png", "confusion_matrix.png", "val_batch0_pred.jpg"} <= {p.name for p in (out / "val").iterdir()}
    assert list((out / "tensorboard").iterdir())
    assert json.loads((out / "log.jsonl").read_text().splitlines()[0])["epoch"] == 1
    call("export", out / "best.pt", "--out", tmp_path / "again.onnx", "--size", 96)

    x = random.random((3, 3, 96, 96), dtype=np.float32)
    network = read_network(out / "best.pt")
    with torch.no_grad():
        wanted = network(torch.from_numpy(x)).numpy()
    for path in (out / "best.onnx", tmp_path / "again.onnx"):
        detector = Detector(path, threads=1)
        assert detector.labels == ("person", "kettlebell")
        np.testing.assert_allclose(detector.infer(x), wanted, rtol=1e-3, atol=1e-3)
