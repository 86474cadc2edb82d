"""The shipped detector's recipe, at small size and without Blender."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from models.filmed import BOXES
from models.labels import GYM_LABELS

cv2 = pytest.importorskip("cv2")
torch = pytest.importorskip("torch", reason="needs torch (pip install 'spotter[train]')")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    from models.networks import write_network
    from models.yolov5.network import YoloV5

    folder = tmp_path / "data"
    for split in ("train", "val"):
        images, labels = folder / "photos" / split / "images", folder / "photos" / split / "labels"
        images.mkdir(parents=True)
        labels.mkdir()
        for i in range(2):
            image = np.full((48, 64, 3), 60, np.uint8)
            cv2.rectangle(image, (15, 10), (45, 40), (0, 200, 255), -1)
            cv2.imwrite(str(images / f"{i}.png"), image)
            (labels / f"{i}.txt").write_text("1 0.47 0.52 0.47 0.63\n")
    names = ", ".join(GYM_LABELS)
    (folder / "photos" / "data.yaml").write_text(f"train: train/images\nval: val/images\nnames: [{names}]\n")
    (folder / "cutouts").mkdir()
    (folder / "backgrounds").mkdir()
    for i in range(5):
        cv2.imwrite(str(folder / "backgrounds" / f"{i}.png"), np.full((48, 64, 3), 40 * i, np.uint8))
    (folder / "clips").mkdir()
    for clip, frames in json.loads(BOXES.read_text()).items():
        film = cv2.VideoWriter(str(folder / "clips" / f"{clip}.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (64, 48))
        for number in range(max(map(int, frames)) + 1):
            film.write(np.full((48, 64, 3), number % 256, np.uint8))
        film.release()
    torch.manual_seed(0)
    (folder / "weights").mkdir()
    write_network(YoloV5(("person", "sports ball")), folder / "weights" / "yolov5n.pt")
    return folder


def test_one_command_trains_exports_and_scores(data: Path, tmp_path: Path) -> None:
    from models.cli import model
    from models.export import export
    from models.networks import read_network
    from models.recipe import LAST_SHARE, blend
    from spotter.detector import Detector

    out = tmp_path / "run"
    arguments = ["--renders", "0", "--epochs", "1", "--more", "1"]
    arguments += ["--pictures", "4", "--batch", "2", "--img", "64"]
    done = CliRunner().invoke(model, ["shipped", str(data), "--out", str(out), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "photos:" in done.output
    assert tuple(Detector(out / "gym.onnx").labels) == GYM_LABELS
    ends = []
    for run in ("again-use", "again-show"):
        again = yaml.safe_load((out / run / "settings.yaml").read_text())
        assert Path(again["run"]["weights"]) == out / "last.pt", "it goes on where the first run ended"
        ends.append(read_network(out / run / "last.pt"))
    export(blend(*ends, LAST_SHARE), tmp_path / "both.onnx", 64)
    assert (tmp_path / "both.onnx").read_bytes() == (out / "gym.onnx").read_bytes()
    assert sorted(p.name for p in (out / "backgrounds" / "unseen").iterdir()) == ["4.png"]
    assert len(list((out / "backgrounds" / "seen").iterdir())) == 4
    listed = [rows for frames in json.loads(BOXES.read_text()).values() for rows in frames.values()]
    assert len(list((out / "filmed" / "labelled" / "images").iterdir())) == sum(map(bool, listed)) > 50
    assert len(list((out / "filmed" / "empty").iterdir())) == sum(not rows for rows in listed) > 10


def test_blended_networks_lie_between_both() -> None:
    from models.recipe import blend
    from models.yolov5.network import YoloV5

    one, other = YoloV5(GYM_LABELS), YoloV5(GYM_LABELS)
    weights = [network.state_dict()["model.0.conv.weight"].clone() for network in (one, other)]
    found = blend(one, other, 0.7).state_dict()["model.0.conv.weight"]
    torch.testing.assert_close(found, 0.3 * weights[0] + 0.7 * weights[1])


def test_a_stopped_recipe_begins_its_training_again_and_another_run_is_left(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import recipe
    from models.training import TrainingError

    def stopped(settings: recipe.RunSettings, **_: object) -> None:
        recipe.refuse_earlier(settings.out)
        (settings.out / "resume.pt").write_bytes(b"weights")
        raise TrainingError("stopped")

    monkeypatch.setattr(recipe, "run", stopped)
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"^stopped$"):
            recipe.make(data, tmp_path / "run", recipe.Recipe(renders=0))
    other = tmp_path / "other"
    other.mkdir()
    (other / "resume.pt").write_bytes(b"weights")
    for _ in range(2):
        with pytest.raises(TrainingError, match="keeps an earlier run"):
            recipe.make(data, other, recipe.Recipe(renders=0))
    assert (other / "resume.pt").is_file()


def test_a_folder_that_lacks_a_part_is_named(data: Path, tmp_path: Path) -> None:
    from models.labels import DataError
    from models.recipe import Recipe, make

    (data / "weights" / "yolov5n.pt").unlink()
    with pytest.raises(DataError, match=r"yolov5n\.pt is missing"):
        make(data, tmp_path / "run", Recipe(renders=0))


def test_frames_keep_their_boxes_and_a_missing_clip_is_named(data: Path, tmp_path: Path) -> None:
    from models.filmed import take
    from models.labels import DataError, read_folder

    boxes = tmp_path / "boxes.json"
    boxes.write_text('{"sports-hall": {"3": [["kettlebell", 0.1, 0.2, 0.3, 0.6]], "5": []}}')
    filmed = take(data / "clips", tmp_path / "out", GYM_LABELS, boxes)
    (labelled,) = read_folder(filmed.labelled / "images", len(GYM_LABELS))
    assert labelled.path.name == "sports-hall-00003.jpg"
    np.testing.assert_allclose(labelled.rows, [[1, 0.2, 0.4, 0.2, 0.4]], atol=1e-6)
    assert [path.name for path in filmed.empty.iterdir()] == ["sports-hall-00005.jpg"]
    boxes.write_text('{"none": {"3": []}}')
    with pytest.raises(DataError, match=r"none\.mp4 is missing"):
        take(data / "clips", tmp_path / "out", GYM_LABELS, boxes)
