"""Average precision agrees with pycocotools."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from models.metrics import Found, Truth, score

LABELS = ("a", "b", "c")


def scene(seed: int, pictures: int = 30) -> tuple[list[Found], list[Truth]]:
    """Random truths, and detections that are shifted truths, doubles and inventions."""
    random = np.random.default_rng(seed)
    found, truths = [], []
    for _ in range(pictures):
        count = int(random.integers(0, 6))
        low = random.uniform(0, 400, (count, 2))
        boxes = np.concatenate((low, low + random.uniform(90, 200, (count, 2))), 1)
        classes = random.integers(0, 2, count)
        noisy = np.repeat(boxes, 2, 0) + random.normal(0, 12, (count * 2, 4))
        more = int(random.integers(0, 4))
        start = random.uniform(0, 400, (more, 2))
        invented = np.concatenate((start, start + random.uniform(40, 200, (more, 2))), 1)
        all_boxes = np.concatenate((noisy, invented)).astype(np.float32)
        all_classes = np.concatenate((np.repeat(classes, 2), random.integers(0, 2, more)))
        scores = random.random(len(all_boxes)).astype(np.float32)
        found.append(Found(all_boxes, scores, all_classes))
        truths.append(Truth(boxes.astype(np.float32), classes))
    return found, truths


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_pycocotools(seed: int) -> None:
    coco_module = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    found, truths = scene(seed)
    annotations, results = [], []
    for i, (f, t) in enumerate(zip(found, truths, strict=True), 1):
        for box, c in zip(t.boxes.tolist(), t.classes.tolist(), strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": c,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
        for box, s, c in zip(f.boxes.tolist(), f.scores.tolist(), f.classes.tolist(), strict=True):
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": i, "category_id": c, "bbox": bbox, "score": s})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_module.COCO()
        truth.dataset = {
            "images": [{"id": i + 1} for i in range(len(truths))],
            "annotations": annotations,
            "categories": [{"id": 0}, {"id": 1}],
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(results), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.params.maxDets = [100]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, 0]  # IoU, recall, class
    ours = score(found, truths, LABELS)
    assert [row.label for row in ours.classes] == ["a", "b"]  # c has no truth
    for k, row in enumerate(ours.classes):
        assert row.ap50 == pytest.approx(precision[0, :, k].mean(), abs=5e-4)
        assert row.ap50_95 == pytest.approx(precision[:, :, k].mean(), abs=5e-4)


def test_perfect_detections_score_one_and_none_score_zero() -> None:
    boxes = np.array([[10, 10, 50, 50], [60, 60, 90, 95]], np.float32)
    classes = np.array([0, 1])
    truth = Truth(boxes, classes)
    perfect = score([Found(boxes, np.array([0.9, 0.8], np.float32), classes)], [truth], LABELS)
    assert perfect.map50 == perfect.map50_95 == perfect.precision == perfect.recall == 1.0
    nothing = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert score([nothing], [truth], LABELS).map50 == 0.0


def test_without_any_truth_there_is_no_class_to_score() -> None:
    empty = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    nothing = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert score([nothing], [empty], LABELS).classes == ()
