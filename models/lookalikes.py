"""What is drawn into training pictures without a box: clocks and empty shelves, once taken for balls and blocks."""

from __future__ import annotations

import cv2
import numpy as np

from models.augment import Picture, covered
from models.pixels import Pixels, as_pixels

LARGEST_SHARE = 0.22
"""Of the picture's longer side; a wall clock is never nearer."""


def add_lookalike(picture: Picture, random: np.random.Generator) -> Picture:
    """A wall clock or an empty shelf somewhere in `picture`; boxes that it covers by half or more go."""
    draw = _clock if random.random() < 0.5 else _shelf
    height, width = picture.pixels.shape[:2]
    side = max(12, int(max(height, width) * random.uniform(0.03, LARGEST_SHARE)))
    x, y = int(random.integers(0, max(width - side, 1))), int(random.integers(0, max(height - side, 1)))
    pixels = as_pixels(picture.pixels.copy())
    box = draw(pixels, x, y, side, random)
    kept = picture.rows[covered(picture.rows[:, 1:], np.array(box, np.float32)) < 0.5]
    return Picture(pixels, kept)


def _clock(pixels: Pixels, x: int, y: int, side: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    radius = side // 2
    centre = (x + radius, y + radius)
    face = int(random.integers(170, 250))
    rim = tuple(int(v) for v in random.integers(10, 90, 3))
    cv2.circle(pixels, centre, radius, rim, -1, cv2.LINE_AA)
    cv2.circle(pixels, centre, int(radius * random.uniform(0.8, 0.93)), (face, face, face), -1, cv2.LINE_AA)
    for share in (0.45, 0.7):
        angle = random.uniform(0, 2 * np.pi)
        tip = (int(centre[0] + radius * share * np.cos(angle)), int(centre[1] + radius * share * np.sin(angle)))
        cv2.line(pixels, centre, tip, rim, max(1, radius // 12), cv2.LINE_AA)
    return x, y, x + side, y + side


def _shelf(pixels: Pixels, x: int, y: int, side: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Two to four bare boards between posts, twice as wide as high."""
    right, bottom = min(x + 2 * side, pixels.shape[1] - 1), min(y + side, pixels.shape[0] - 1)
    grey = random.uniform(20, 200) + random.normal(0, 8, 3)
    colour = tuple(int(v) for v in np.clip(grey, 5, 240))
    board = max(2, side // int(random.integers(10, 24)))
    for level in np.linspace(y + board, bottom - board, int(random.integers(2, 5))):
        cv2.rectangle(pixels, (x, int(level)), (right, int(level) + board), colour, -1)
    for post in (x, right - board):
        cv2.rectangle(pixels, (post, y), (post + board, bottom), colour, -1)
    return x, y, right, bottom
