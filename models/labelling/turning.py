"""Photos that lie on their side in the file: boxes that a tool drew on them as stored are turned as the photo is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labelling.records import Box, Labelled
from models.pixels import Pixels

_SAME_SHAPE = 0.02
"""Share by which two aspect ratios may differ: smaller copies are rounded to whole pixels."""

_Turn = tuple[Callable[[Pixels], Pixels], Callable[[float, float], tuple[float, float]]]

_TURNS: tuple[_Turn, ...] = (
    (lambda stored: np.rot90(stored, -1), lambda x, y: (1 - y, x)),
    (lambda stored: np.rot90(stored), lambda x, y: (y, 1 - x)),
    (lambda stored: stored.transpose(1, 0, 2), lambda x, y: (y, x)),
    (lambda stored: np.rot90(stored, 2).transpose(1, 0, 2), lambda x, y: (1 - y, 1 - x)),
)
"""EXIF's orientations 6, 8, 5 and 7: what each makes of the stored pixels, and of a point in shares of the sides."""


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes, width and height, have one aspect ratio."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) <= _SAME_SHAPE


def turn_boxes(item: Labelled, data: NDArray[np.uint8], shown: Pixels) -> bool:
    """Turn the boxes of `item`, drawn on the pixels as stored, as the photo's EXIF says; False where it says nothing.

    `data` is the file's content, `shown` its picture the right way up.
    """
    stored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None or item.size is None:
        return False
    # OpenCV has turned the one and not the other: comparing them needs no reader of EXIF.
    pixels = np.asarray(stored, dtype=np.uint8)
    point = next((point for turn, point in _TURNS if np.array_equal(turn(pixels), shown)), None)
    if point is None:
        return False
    item.boxes = [_turned(box, item.size, point) for box in item.boxes]
    item.size = None
    return True


def _turned(box: Box, size: tuple[int, int], point: Callable[[float, float], tuple[float, float]]) -> Box:
    width, height = (1, 1) if box.relative else size
    x1, y1, x2, y2 = box.corners
    (ax, ay), (bx, by) = point(x1 / width, y1 / height), point(x2 / width, y2 / height)
    if x2 < x1 or y2 < y1:  # a mistake stays one
        return replace(box, corners=(ax, ay, ax, ay), relative=True)
    return replace(box, corners=(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)), relative=True)
