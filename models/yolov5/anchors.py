"""Auto-anchor: do the anchors fit a data set's boxes, and which would fit better?

An anchor can answer for a box where neither side differs by more than a factor of four (`loss.ANCHOR_RATIO`). Boxes
that no anchor can answer for are never learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.yolov5.loss import ANCHOR_RATIO

ENOUGH_RECALL = 0.98
"""Share of boxes with a fitting anchor from which the anchors are left as they are: YOLOv5's threshold."""
ROUNDS = 30
EVOLUTIONS = 300
LEAST_SIDE_PX = 2.0


def fitting_share(sides: NDArray[np.float64], anchors: NDArray[np.float64]) -> float:
    """Share of boxes `[N, 2]` (width, height in pixels of the network's input) that some anchor `[A, 2]` fits."""
    if not len(sides):
        return 1.0
    return float((_closeness(sides, anchors).max(1) > 1 / ANCHOR_RATIO).mean())


def fit_anchors(sides: NDArray[np.float64], count: int = 9, seed: int = 0) -> NDArray[np.float64]:
    """`count` anchors `[A, 2]` for boxes `[N, 2]`, small to large: k-means, then small random steps that improve."""
    random = np.random.default_rng(seed)
    sides = sides[(sides >= LEAST_SIDE_PX).all(1)]
    if len(sides) < count:
        raise ValueError(f"auto-anchor needs {count} boxes or more, not {len(sides)}")
    spread = sides.std(0).clip(min=1e-6)
    points = sides / spread
    centres = points[random.choice(len(points), count, replace=False)]
    for _ in range(ROUNDS):
        owner = np.square(points[:, None] - centres[None]).sum(2).argmin(1)
        centres = np.array([points[owner == i].mean(0) if (owner == i).any() else centres[i] for i in range(count)])
    best = centres * spread
    fitness = _fitness(sides, best)
    for _ in range(EVOLUTIONS):
        tried = (best * np.clip(random.normal(1, 0.1, best.shape), 0.3, 3.0)).clip(min=LEAST_SIDE_PX)
        better = _fitness(sides, tried)
        if better > fitness:
            best, fitness = tried, better
    small_to_large: NDArray[np.float64] = best[np.argsort(best.prod(1))]
    return small_to_large


def _fitness(sides: NDArray[np.float64], anchors: NDArray[np.float64]) -> float:
    """Mean closeness to the best anchor, where one fits at all."""
    best = _closeness(sides, anchors).max(1)
    return float((best * (best > 1 / ANCHOR_RATIO)).mean())


def _closeness(sides: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = sides[:, None] / anchors[None]
    closeness: NDArray[np.float64] = np.minimum(ratio, 1 / ratio).min(2)
    return closeness
