"""Two detectors on the same pictures: is one better, or was it luck? Bootstrap over pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics import Found, Truth, average_precision, class_hits, score

ROUNDS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """AP50 of two detectors for a class (or their mean over classes), and between what the difference lies."""

    label: str
    truths: int
    first: float
    second: float
    low: float
    high: float
    """The middle 95 % of `second - first` over resampled pictures. Pictures, not boxes: boxes of one are alike."""

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def compare(
    first: Sequence[Found],
    second: Sequence[Found],
    truths: Sequence[Truth],
    labels: Sequence[str],
    rounds: int = ROUNDS,
    seed: int = 0,
) -> list[Difference]:
    """Differences per class that has truths, then of the mean (`all`); Efron's percentile interval."""
    random = np.random.default_rng(seed)
    draws = random.integers(0, len(truths), (rounds, len(truths)))
    present = [i for i in range(len(labels)) if any((t.classes == i).any() for t in truths)]
    sampled: list[NDArray[np.float64]] = []
    rows = []
    for number in present:
        mine = [_Resampled(found, truths, number) for found in (first, second)]
        drawn = np.array([[m.ap50(draw) for m in mine] for draw in draws])
        sampled.append(drawn[:, 1] - drawn[:, 0])
        whole = np.arange(len(truths))
        rows.append(_row(labels[number], mine[0].total(whole), mine[0].ap50(whole), mine[1].ap50(whole), sampled[-1]))
    if rows:
        old, new = (score(found, truths, labels).map50 for found in (first, second))
        with np.errstate(all="ignore"):
            mean = np.nanmean(np.stack(sampled), axis=0)
        rows.append(_row("all", sum(r.truths for r in rows), old, new, mean))
    return rows


class _Resampled:
    """One class's judged detections by picture, to be scored on any draw of pictures."""

    def __init__(self, found: Sequence[Found], truths: Sequence[Truth], number: int) -> None:
        judged = [class_hits([f], [t], number) for f, t in zip(found, truths, strict=True)]
        self._truths = np.array([j.truths for j in judged])
        self._scores = np.concatenate([j.scores for j in judged])
        self._hits = np.concatenate([j.hits[:, 0] for j in judged])
        picture = np.repeat(np.arange(len(judged)), [len(j.scores) for j in judged])
        order = np.argsort(-self._scores, kind="stable")
        self._hits, self._picture = self._hits[order], picture[order]

    def total(self, draw: NDArray[np.int64]) -> int:
        return int(self._truths[draw].sum())

    def ap50(self, draw: NDArray[np.int64]) -> float:
        """Average precision on a draw; NaN where it holds no truth of the class."""
        total = self.total(draw)
        if not total:
            return float("nan")
        times = np.bincount(draw, minlength=len(self._truths))
        return average_precision(np.repeat(self._hits, times[self._picture]), total)


def _row(label: str, truths: int, first: float, second: float, drawn: NDArray[np.float64]) -> Difference:
    seen = drawn[~np.isnan(drawn)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(seen, [tail, 1 - tail]) if len(seen) else (-1.0, 1.0)
    return Difference(label, truths, first, second, float(low), float(high))
