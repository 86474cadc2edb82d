"""What lies behind the scores: precision, recall and F1 over the score asked for, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics import RECALL_POINTS, Found, Truth, box_iou, class_hits, envelope, precision_recall

CONFIDENCES = np.linspace(0, 1, 501)
CONFUSED_FROM = 0.25
"""Score from which a detection counts in the confusion matrix, and the IoU it needs: YOLOv5's two thresholds."""
CONFUSED_IOU = 0.45


@dataclass(frozen=True, slots=True)
class Curves:
    """Of each class that has truths: values at each of `CONFIDENCES`, and precision at each of 101 recalls."""

    labels: tuple[str, ...]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    """The three above `[C, 501]`, at IoU 0.5."""
    pr: NDArray[np.float64]
    """`[C, 101]`: its mean is the average precision at IoU 0.5."""


def curves(found: Sequence[Found], truths: Sequence[Truth], labels: Sequence[str]) -> Curves:
    """Precision, recall and F1 over the least score that is asked for. Asking for more than any has: precision 1."""
    names, rows = [], []
    for number, label in enumerate(labels):
        judged = class_hits(found, truths, number)
        if not judged.truths:
            continue
        precision, recall = precision_recall(judged.hits[:, 0], judged.truths)
        kept = np.searchsorted(-judged.scores, -CONFIDENCES, side="right")  # detections at or above each score
        p, r = np.concatenate(([1.0], precision))[kept], np.concatenate(([0.0], recall))[kept]
        names.append(label)
        rows.append((p, r, 2 * p * r / np.maximum(p + r, 1e-12), envelope(judged.hits[:, 0], judged.truths)))
    if not rows:
        none = np.zeros((0, len(CONFIDENCES)))
        return Curves((), none, none, none, np.zeros((0, len(RECALL_POINTS))))
    precision, recall, f1, pr = (np.stack(values) for values in zip(*rows, strict=True))
    return Curves(tuple(names), precision, recall, f1, pr)


def confusion(found: Sequence[Found], truths: Sequence[Truth], classes: int) -> NDArray[np.int64]:
    """`[C + 1, C + 1]`: rows are what was said, columns what is there; the last of each is *nothing*.

    Detections from `CONFUSED_FROM` and truths are paired by IoU, the best pair first, whatever their classes.
    """
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for f, t in zip(found, truths, strict=True):
        said = np.flatnonzero(f.scores >= CONFUSED_FROM)
        pairs = pair(f.boxes[said], t.boxes, CONFUSED_IOU)
        for a, b in pairs:
            matrix[f.classes[said[a]], t.classes[b]] += 1
        taken = {a for a, _ in pairs}, {b for _, b in pairs}
        for a in set(range(len(said))) - taken[0]:
            matrix[f.classes[said[a]], classes] += 1
        for b in set(range(len(t.boxes))) - taken[1]:
            matrix[classes, t.classes[b]] += 1
    return matrix


def pair(boxes: NDArray[np.float32], others: NDArray[np.float32], least_iou: float) -> list[tuple[int, int]]:
    """One-to-one pairs of overlapping boxes, the largest overlap first."""
    iou = box_iou(boxes, others)
    pairs = []
    while iou.size and iou.max() >= least_iou:
        a, b = (int(v) for v in np.unravel_index(iou.argmax(), iou.shape))
        pairs.append((a, b))
        iou[a], iou[:, b] = -1, -1
    return pairs
