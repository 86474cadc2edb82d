"""Whether a tracked object moves: by how far its box travels within a second, relative to its own size."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

WINDOW_SECONDS = 1.0

STARTS_AT, STOPS_AT = 0.25, 0.12
"""Travel in box sizes within the window that begins movement, and below which it ends. Boxes of a resting item jitter
by some 5 % of its size; a lifted one travels more than its own size."""

_LEAST_TRAVEL = 0.005  # of the picture's longer side: below it a small far box only jitters by rounding
_ENOUGH_TO_TRIM = 5  # boxes in the window from which on a single wild one is disregarded


class Movement:
    """The moving state of one track, with hysteresis."""

    def __init__(self, whole_box: bool) -> None:
        """`whole_box`: both opposite edges must travel. For items: a hand that covers one side moves only one edge.
        A person who bends or reaches moves, though the feet stay: for people the centre counts.
        """
        self.moving = False
        self._whole_box = whole_box
        self._boxes: deque[tuple[float, NDArray[np.float64]]] = deque()

    def add(self, at: float, box: NDArray[np.floating], frame_side: int) -> bool:
        """Take in a box (pixels) that was really seen at `at` (seconds); gives the state."""
        boxes = self._boxes
        boxes.append((at, np.asarray(box, dtype=np.float64)))
        while len(boxes) > 2 and at - boxes[1][0] >= WINDOW_SECONDS:  # one from before the window stays: rare looks
            boxes.popleft()
        if len(boxes) < 2:
            return self.moving
        corners = np.stack([corners for _, corners in boxes])
        width, height = np.sort(corners[:, 2:] - corners[:, :2], axis=0)[len(corners) // 2]  # np.median is slow
        size = max(float(np.sqrt(max(width * height, 0.0))), 1.0)
        travel = self._travel(corners)
        limit = (STOPS_AT if self.moving else STARTS_AT) * size
        self.moving = travel > max(limit, _LEAST_TRAVEL * frame_side)
        return self.moving

    def _travel(self, corners: NDArray[np.float64]) -> float:
        if not self._whole_box:
            corners = np.concatenate(((corners[:, :2] + corners[:, 2:]) / 2,) * 2, axis=1)
        ordered = np.sort(corners, axis=0)
        if len(ordered) >= _ENOUGH_TO_TRIM:
            ordered = ordered[1:-1]
        left, top, right, bottom = ordered[-1] - ordered[0]
        return float(np.hypot(min(left, right), min(top, bottom)))
