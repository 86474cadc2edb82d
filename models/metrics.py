"""Scores of a detector: precision, recall and average precision per class, as COCO defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0, 1, 101)
MAX_DETECTIONS = 100  # per picture and class, as COCO counts


@dataclass(frozen=True, slots=True)
class Found:
    """Detections in one picture: boxes `[N, 4]` (x1, y1, x2, y2), scores, classes."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in one picture: boxes `[N, 4]` in the same pixels, classes."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class; precision and recall at the score where their harmonic mean is highest."""

    label: str
    truths: int
    precision: float
    recall: float
    ap50: float
    ap50_95: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores per class that has truths, and their means."""

    classes: tuple[ClassScores, ...]
    precision: float
    recall: float
    map50: float
    map50_95: float


def score(found: Sequence[Found], truths: Sequence[Truth], labels: Sequence[str]) -> Scores:
    """Scores over pictures; classes without a single truth are left out, as COCO does."""
    rows = []
    for number, label in enumerate(labels):
        row = _score_class(found, truths, number, label)
        if row is not None:
            rows.append(row)
    means = [
        float(np.mean([getattr(row, name) for row in rows])) if rows else 0.0
        for name in ("precision", "recall", "ap50", "ap50_95")
    ]
    return Scores(tuple(rows), *means)


def box_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """IoU of every box of `a` `[N, 4]` with every box of `b` `[M, 4]`."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    return np.asarray(overlap / np.maximum(area_a[:, None] + area_b[None] - overlap, 1e-12))


@dataclass(frozen=True, slots=True)
class ClassHits:
    """The detections of one class over all pictures, best first, and which of them are right at each IoU threshold."""

    scores: NDArray[np.float32]
    hits: NDArray[np.bool_]
    """`[N, 10]`, a column for each of `IOU_THRESHOLDS`."""
    truths: int


def class_hits(found: Sequence[Found], truths: Sequence[Truth], number: int) -> ClassHits:
    """Detections of class `number` judged against the truths."""
    scores, hits = [np.zeros(0, np.float32)], [np.zeros((0, len(IOU_THRESHOLDS)), bool)]
    for f, t in zip(found, truths, strict=True):
        mine = np.flatnonzero(f.classes == number)
        mine = mine[np.argsort(-f.scores[mine], kind="stable")][:MAX_DETECTIONS]
        scores.append(f.scores[mine])
        hits.append(_match(box_iou(f.boxes[mine], t.boxes[t.classes == number])))
    joined = np.concatenate(scores)
    order = np.argsort(-joined, kind="stable")
    return ClassHits(joined[order], np.concatenate(hits)[order], sum(int((t.classes == number).sum()) for t in truths))


def average_precision(hit: NDArray[np.bool_], total: int) -> float:
    """Mean over 101 recall points of the best precision at that recall or beyond, from hits in order of score."""
    return float(envelope(hit, total).mean())


def envelope(hit: NDArray[np.bool_], total: int) -> NDArray[np.float64]:
    """At each of 101 recall points the best precision at that recall or beyond; 0 for recall never reached."""
    precision, recall = precision_recall(hit, total)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALL_POINTS, side="left")
    return np.append(highest, 0.0)[at]


def precision_recall(hit: NDArray[np.bool_], total: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall after each detection, best first."""
    right = np.cumsum(hit)
    return right / np.arange(1, len(hit) + 1), right / total


def _score_class(found: Sequence[Found], truths: Sequence[Truth], number: int, label: str) -> ClassScores | None:
    judged = class_hits(found, truths, number)
    if not judged.truths:
        return None
    precision, recall = precision_recall(judged.hits[:, 0], judged.truths)
    harmonic = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(harmonic.argmax()) if len(harmonic) else 0
    ap = [average_precision(column, judged.truths) for column in judged.hits.T]
    return ClassScores(
        label,
        judged.truths,
        float(precision[best]) if len(precision) else 0.0,
        float(recall[best]) if len(recall) else 0.0,
        ap[0],
        float(np.mean(ap)),
    )


def _match(iou: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which detections (rows, best first) are hits, at each IoU threshold `[N, 10]`: each takes the best free truth."""
    hit = np.zeros((len(iou), len(IOU_THRESHOLDS)), dtype=bool)
    if not iou.size:
        return hit
    for column, threshold in enumerate(IOU_THRESHOLDS):
        free = np.ones(iou.shape[1], dtype=bool)
        for row in np.flatnonzero(iou.max(1) >= threshold):
            candidates = np.where(free, iou[row], -1)
            best = int(candidates.argmax())
            if candidates[best] >= threshold:
                hit[row, column], free[best] = True, False
    return hit
