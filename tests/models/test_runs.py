"""A run on disk: stopped and taken up again, and refused before it starts where it cannot end well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed ([train] extra)")
pytest.importorskip("tensorboardX", reason="tensorboardX is not installed ([train] extra)")

import cv2  # noqa: E402

from models import runs  # noqa: E402
from models.devices import DeviceError  # noqa: E402
from models.journal import LOG, Journal, journal, read_log  # noqa: E402
from models.labels import DataError  # noqa: E402
from models.networks import write_network  # noqa: E402
from models.training import Epoch, TrainingError  # noqa: E402
from models.yolov5.checkpoint import CheckpointError  # noqa: E402
from models.yolov5.network import YoloV5  # noqa: E402

QUICK = {"size": 64, "batch": 2, "epochs": 2, "check_every": 1, "frozen_layers": 10, "threads": 1}


@pytest.fixture
def settings(tmp_path: Path) -> runs.RunSettings:
    for split in ("train", "val"):
        (tmp_path / split / "images").mkdir(parents=True)
        (tmp_path / split / "labels").mkdir()
        for i in range(2):
            image = np.full((48, 64, 3), 60, np.uint8)
            cv2.rectangle(image, (15, 10), (45, 40), (0, 200, 255), -1)
            cv2.imwrite(str(tmp_path / split / "images" / f"{i}.png"), image)
            (tmp_path / split / "labels" / f"{i}.txt").write_text("1 0.47 0.52 0.47 0.63\n")
    data = tmp_path / "data.yaml"
    data.write_text("train: train/images\nval: val/images\nnames: [person, kettlebell]\n")
    torch.manual_seed(0)
    write_network(YoloV5(("person", "sports ball")), tmp_path / "start.pt")
    return runs.RunSettings(data, tmp_path / "start.pt", tmp_path / "run")


@pytest.mark.timeout(600)  # three runs with all their pictures
def test_ctrl_c_leaves_a_run_that_goes_on_to_the_same_end(
    settings: runs.RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runs.RunSettings(settings.data, settings.weights, tmp_path / "whole")
    runs.run(whole, **QUICK, pictures=None)  # as the command gives what was left out: as many as there are
    assert yaml.safe_load((whole.out / runs.SETTINGS).read_text())["training"]["pictures"] == 2
    tell = Journal.tell

    def interrupted(self: Journal, epoch: Epoch) -> None:
        tell(self, epoch)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "tell", interrupted)
        with pytest.raises(TrainingError, match=r"stopped; go on .* `spotter model train --resume .*run`"):
            runs.run(settings, **QUICK)
    assert [line["epoch"] for line in read_log(settings.out)] == [1]
    runs.resume(settings.out)
    both = [[line["loss"] for line in read_log(s.out)] for s in (settings, whole)]
    assert len(both[0]) == 2
    assert both[0] == pytest.approx(both[1], rel=1e-3)
    assert (settings.out / "best.onnx").is_file()


def test_a_folder_without_a_run_cannot_be_taken_up(settings: runs.RunSettings, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no settings\.yaml"):
        runs.resume(tmp_path / "none")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "settings.yaml").write_text("run: {data: 3}\n")
    with pytest.raises(CheckpointError, match="damaged"):
        runs.resume(tmp_path / "bad")


@pytest.mark.parametrize("kept", [LOG, runs.RESUME])
def test_a_folder_that_keeps_an_earlier_run_is_refused_and_left(settings: runs.RunSettings, kept: str) -> None:
    settings.out.mkdir()
    (settings.out / kept).write_text('{"epoch": 1}\n')
    with pytest.raises(TrainingError, match=r"keeps an earlier run .* --resume .*run`, or give another --out"):
        runs.run(settings, **QUICK)
    assert [path.name for path in settings.out.iterdir()] == [kept]
    assert (settings.out / kept).read_text() == '{"epoch": 1}\n'


def test_weights_that_the_run_would_write_over_are_refused(settings: runs.RunSettings, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--weights .*start\.pt lies in"):
        runs.run(runs.RunSettings(settings.data, settings.weights, tmp_path), **QUICK)
    teacher = tmp_path / "other" / "best.pt"
    given = runs.RunSettings(settings.data, settings.weights, tmp_path / "other", teacher=teacher)
    with pytest.raises(TrainingError, match=r"--teacher .*best\.pt lies in"):
        runs.run(given, **QUICK)


@pytest.mark.parametrize("half", [b'{"epoch": 2, "lo', b"\0\0\0", b"\xff{"])
def test_a_last_line_that_was_not_written_whole_is_left_out(tmp_path: Path, half: bytes) -> None:
    (tmp_path / LOG).write_bytes(b'{"epoch": 1}\n' + half)
    assert read_log(tmp_path) == [{"epoch": 1}]
    with journal(tmp_path, 3) as book:
        book.tell(Epoch(2, 0.5, {}, None, False))
    assert [line["epoch"] for line in read_log(tmp_path)] == [1, 2]


def test_a_run_ends_well_though_the_line_of_its_best_epoch_was_cut_off(settings: runs.RunSettings) -> None:
    scores = runs.run(settings, **{**QUICK, "epochs": 1})
    log = settings.out / LOG
    log.write_bytes(log.read_bytes()[:20])
    (settings.out / "best.onnx").unlink()
    assert runs.resume(settings.out).map50 == pytest.approx(scores.map50)
    assert (settings.out / "best.onnx").is_file()


def test_a_batch_that_memory_cannot_hold_is_refused_with_one_that_fits(
    settings: runs.RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = YoloV5(("person", "kettlebell"))
    monkeypatch.setattr(runs, "free_bytes", lambda device: runs.step_bytes(network, 4, 64) + 1)
    with pytest.raises(TrainingError, match=r"a step of 64 pictures of 64 pixels .* --batch 4 fits"):
        runs.run(settings, **{**QUICK, "batch": 64})
    monkeypatch.setattr(runs, "free_bytes", lambda device: 1000)
    with pytest.raises(TrainingError, match="--img must be smaller"):
        runs.run(settings, **QUICK)


def test_classes_that_nobody_knows_cannot_be_kept(settings: runs.RunSettings) -> None:
    keeping = runs.RunSettings(settings.data, settings.weights, settings.out, keep=("kettlebell",))
    with pytest.raises(DataError, match=r"start\.pt does not know the class 'kettlebell'"):
        runs.run(keeping, **QUICK)


def test_a_device_that_is_not_there_is_refused(settings: runs.RunSettings) -> None:
    for device, cause in (("toaster", "no such device"), ("meta", "is not supported")):
        with pytest.raises(DeviceError, match=cause):
            runs.run(settings, **QUICK, device=device)
