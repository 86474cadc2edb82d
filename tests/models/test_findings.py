"""What is told of a detector: curves, confusion, a comparison with another, and its worst mistakes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from models.cli import model
from models.comparing import compare
from models.curves import CONFIDENCES, confusion, curves
from models.findings import mistakes_sheet, mosaics, worst_mistakes
from models.labels import Sample
from models.metrics import Found, Truth, score

LABELS = ("kettlebell", "med_ball")


def boxes(*corners: tuple[int, int, int, int]) -> NDArray[np.float32]:
    return np.array(corners, np.float32).reshape(-1, 4)


def found(classes: list[int], scores: list[float], *corners: tuple[int, int, int, int]) -> Found:
    return Found(boxes(*corners), np.array(scores, np.float32), np.array(classes, np.int64))


A, B, C = (0, 0, 20, 20), (50, 50, 80, 80), (100, 0, 130, 30)


def test_curves_give_precision_and_recall_at_each_least_score() -> None:
    truths = [Truth(boxes(A, B), np.array([0, 0]))]
    drawn = curves([found([0, 0], [0.9, 0.4], A, C)], truths, LABELS)
    assert drawn.labels == ("kettlebell",)  # the other class has no truth
    at = {s: int(np.abs(CONFIDENCES - s).argmin()) for s in (0.1, 0.6, 0.95)}
    assert (drawn.precision[0, at[0.1]], drawn.recall[0, at[0.1]]) == (0.5, 0.5)
    assert (drawn.precision[0, at[0.6]], drawn.recall[0, at[0.6]]) == (1.0, 0.5)
    assert drawn.f1[0, at[0.6]] == pytest.approx(2 / 3)
    assert (drawn.precision[0, at[0.95]], drawn.recall[0, at[0.95]]) == (1.0, 0.0)
    ap = score([found([0, 0], [0.9, 0.4], A, C)], truths, LABELS).classes[0].ap50
    assert drawn.pr[0].mean() == pytest.approx(ap)


def test_confusion_counts_right_misnamed_invented_and_missed() -> None:
    truths = [Truth(boxes(A, B), np.array([0, 1])), Truth(boxes(A), np.array([0]))]
    said = [found([0, 0, 1], [0.9, 0.8, 0.7], A, B, C), found([0], [0.1], A)]  # the last is below the threshold
    assert confusion(said, truths, 2).tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_comparing_a_detector_with_itself_is_within_noise_and_with_a_blind_one_is_not() -> None:
    random = np.random.default_rng(0)
    truths, seeing, blind = [], [], []
    for _ in range(30):
        truths.append(Truth(boxes(A, B), np.array([0, 1])))
        keep = random.random() < 0.7
        seeing.append(found([0, 1][: 1 + keep], [0.9, 0.8][: 1 + keep], *(A, B)[: 1 + keep]))
        blind.append(found([], []))
    same = compare(seeing, seeing, truths, LABELS, rounds=50)
    assert [row.label for row in same] == ["kettlebell", "med_ball", "all"]
    assert all((row.low, row.high, row.certain) == (0, 0, False) for row in same)
    worse = compare(seeing, blind, truths, LABELS, rounds=50)
    assert all(row.certain and row.second == 0 and row.high < 0 for row in worse)
    assert worse[-1].first == pytest.approx(score(seeing, truths, LABELS).map50)
    assert compare(seeing, blind, truths, LABELS, rounds=50) == worse  # seeded


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), np.full((100, 160, 3), 90, np.uint8))
    return Sample(path, np.array([[0, 10 / 160, 0.1, 20 / 160, 0.2]], np.float32))


def test_the_worst_mistakes_name_what_was_said_and_what_is_there(sample: Sample, tmp_path: Path) -> None:
    truths = [Truth(boxes(A, B), np.array([0, 0]))]
    said = [found([1, 1, 0], [0.6, 0.95, 0.3], A, C, (140, 70, 155, 95))]
    mistakes = worst_mistakes([sample], said, truths, LABELS)
    assert [(m.said, m.there) for m in mistakes[:2]] == [("med_ball", None), ("med_ball", "kettlebell")]
    assert (None, "kettlebell") in [(m.said, m.there) for m in mistakes]
    assert len(mistakes) == 4
    sheet = cv2.imread(str(mistakes_sheet(mistakes, tmp_path / "sheet.jpg")))
    assert sheet is not None
    assert sheet.shape == (320, 4 * 320, 3)
    assert mistakes_sheet([], tmp_path / "none.jpg").is_file()
    assert [p.name for p in mosaics([sample], said, truths, LABELS, tmp_path)] == [
        "val_batch0_labels.jpg",
        "val_batch0_pred.jpg",
    ]


def test_eval_writes_its_pictures_and_compares_two_detectors(sample: Sample, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.0625 0.1 0.125 0.2\n")
    data = tmp_path / "data.yaml"
    data.write_text("val: images\nnames: [kettlebell, med_ball]\n")
    weights = Path(__file__).resolve().parents[2] / "models" / "weights" / "gym-yolov5n.onnx"
    out = tmp_path / "out"
    done = CliRunner().invoke(
        model, ["eval", str(data), "--out", str(out), "--against", str(weights), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    row = json.loads(done.stdout)["kettlebell"]
    assert row["truths"] == 1
    assert row["first"] == row["second"]
    assert row["certain"] is False
    assert {p.name for p in out.iterdir()} == {
        "F1_curve.png", "P_curve.png", "R_curve.png", "PR_curve.png", "confusion_matrix.png", "labels.png",
        "labels_correlogram.jpg", "val_batch0_labels.jpg", "val_batch0_pred.jpg", "worst_mistakes.jpg",
    }  # fmt: skip


def test_pictures_can_be_drawn_where_nothing_was_found(sample: Sample, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from models.reports import Evaluated, write_pictures

    empty = replace(sample, rows=sample.rows[:0])
    nothing = Evaluated(LABELS, (empty,), [found([], [])], [Truth(boxes(), np.zeros(0, np.int64))])
    assert all(path.stat().st_size for path in write_pictures(nothing, tmp_path / "none"))
