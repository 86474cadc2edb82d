"""A trainer's whole story at small size: clips, frames, DarkLabel, split, training, curves, export, detection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.cli import model

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")

SIZE = 96
DARKLABEL = """%YAML:1.0
---
classes_set: "my_classes1"
my_classes1:  [ "YogaBlock", "Kettlebell","MedBall"]
format1:    # darknet yolo (predefined format]
  data_fmt: [classid, ncx, ncy, nw, nh]
  gt_merged: 0
  classes_set: "my_classes1"
"""


def call(*arguments: object) -> str:
    result = CliRunner().invoke(model, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def film(path: Path, seed: int) -> Path:
    """A kettlebell that is carried through a room: a dark ball with a handle, before a wall of its own."""
    random = np.random.default_rng(seed)
    wall = cv2.resize(random.integers(90, 240, (9, 16, 3)).astype(np.uint8), (160, 90), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 90))
    for i in range(30):
        image = wall.copy()
        cv2.circle(image, centre(i, seed), 14, (20, 20, 30), -1)
        cv2.ellipse(image, (centre(i, seed)[0], centre(i, seed)[1] - 14), (7, 7), 0, 180, 360, (20, 20, 30), 3)
        writer.write(image)
    writer.release()
    return path


def centre(frame: int, seed: int) -> tuple[int, int]:
    return 30 + 3 * frame, 45 + (seed % 3) * 6


def label(frames: Path, seeds: dict[str, int]) -> None:
    """What a person does in DarkLabel: rows beside the pictures, in shares of the square that `frames` made."""
    (frames / "darklabel.yml").write_text(DARKLABEL)
    for picture in frames.glob("*.jpg"):
        clip, _, number = picture.stem.rpartition("-")
        x, y = centre(int(number), seeds[clip])
        # 160 x 90 in a square of 160: 35 px of grey above.
        picture.with_suffix(".txt").write_text(
            f"1 {x / 160:.6f} {(y + 35 - 4) / 160:.6f} {28 / 160:.6f} {36 / 160:.6f}\n"
        )


@pytest.mark.timeout(900)  # half a minute of one core, which a busy machine makes long
def test_from_a_clip_to_detections_on_it(tmp_path: Path) -> None:
    from models.networks import write_network
    from models.yolov5.network import YoloV5
    from spotter.detector import Detector

    seeds = {f"clip{name}": seed for name, seed in zip("ABC", (1, 2, 3), strict=True)}
    clips = [film(tmp_path / f"{name}.mp4", seed) for name, seed in seeds.items()]
    frames = tmp_path / "frames"
    assert "10 of 10 frames" in call("frames", *clips, "--every", "0.3s", "--size", 160, "--out", frames)
    label(frames, seeds)

    assert "sound" in call("import-labels", frames, "--check")
    data = tmp_path / "dataset"
    output = call("import-labels", frames, "--out", data)
    assert "Kettlebell → kettlebell" in output
    assert "30 pictures, 30 boxes" in output
    assert "20 for training, 10 for validation" in call("split", data)
    assert call("check", data).endswith("sound\n")
    call("preview", data, "--out", tmp_path / "preview")

    torch.manual_seed(0)
    write_network(YoloV5(("person", "sports ball")), tmp_path / "start.pt")
    run = tmp_path / "run"
    call("train", data / "data.yaml", "--weights", tmp_path / "start.pt", "--out", run, "--epochs", 2, "--batch", 16,
         "--img", SIZE, "--pictures", 16, "--threads", 1)  # fmt: skip
    assert {"F1_curve.png", "PR_curve.png"} <= {p.name for p in (run / "val").iterdir()}
    curve = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [point["epoch"] for point in curve] == [1, 2]
    assert all(point["loss"] > 0 for point in curve)
    assert "kettlebell" in json.dumps(curve[-1]["val"])

    exported = tmp_path / "gym.onnx"
    call("export", run / "best.pt", "--out", exported, "--size", SIZE, "--data", data / "data.yaml")
    call("import", exported, "--name", "mine", "--models", tmp_path / "models")
    lines = call("detect", clips[0], "--json", "--weights", tmp_path / "models" / "mine" / "model.onnx").splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(30))
    # Two epochs teach nothing; that the way is whole shows in what the detector was made to know.
    assert Detector(exported).labels[:2] == ("person", "kettlebell")
