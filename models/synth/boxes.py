"""Exact boxes of what is visible, from the index picture of a render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.synth.meshes import Floats

MIN_SIDE_PX = 5  # of a visible part; below it nobody could label it
MIN_VISIBLE_SHARE = 0.12  # of the thing's own outline; below it nobody could name it


@dataclass(frozen=True)
class Visible:
    """The visible part of one thing: its index, its box in pixels (x2, y2 exclusive) and how many pixels show it."""

    index: int
    box_px: tuple[int, int, int, int]
    pixels: int


def visible_boxes(index: NDArray[np.int32]) -> dict[int, Visible]:
    """The tight box round the pixels of every index above 0 in an index picture [H, W]."""
    rows, columns = np.nonzero(index)
    owners = index[rows, columns]
    found = {}
    for number in np.unique(owners):
        mine = owners == number
        x, y = columns[mine], rows[mine]
        box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
        found[int(number)] = Visible(int(number), box, int(mine.sum()))
    return found


def outline_area_px(places: Floats, width: int, height: int) -> float:
    """Area in pixels of the convex outline of projected points [N, 3] (relative x, y; depth), beyond the frame too."""
    import cv2

    ahead = places[places[:, 2] > 0.02]
    if len(ahead) < 3:
        return 0.0
    hull = cv2.convexHull((ahead[:, :2] * np.array([width, height])).astype(np.float32))
    return float(cv2.contourArea(hull))


def worth_a_label(seen: Visible, outline_px: float) -> bool:
    """Whether enough of a thing shows to be labelled, given the area of its whole outline in pixels."""
    x1, y1, x2, y2 = seen.box_px
    large_enough = min(x2 - x1, y2 - y1) >= MIN_SIDE_PX
    return large_enough and seen.pixels >= MIN_VISIBLE_SHARE * outline_px


def yolo_rows(boxes: Mapping[int, tuple[int, int, int, int]], classes: Mapping[int, int], size: tuple[int, int]) -> str:
    """Label text: one `class cx cy w h` line a box, relative to a picture of `size` (width, height)."""
    width, height = size
    lines = []
    for number, (x1, y1, x2, y2) in sorted(boxes.items()):
        middle = f"{(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f}"
        lines.append(f"{classes[number]} {middle} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}\n")
    return "".join(lines)
