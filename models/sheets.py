"""Pictures of a data set: contact sheets with boxes, and the label correlogram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labels import Sample
from models.pixels import Pixels, read_pixels
from spotter.letterbox import letterbox

TILE = 320
COLUMNS, ROWS = 5, 4

# Colours that stay apart for people who see few (P. Tol's "bright" and "muted" schemes), in BGR.
_COLOURS = (
    (170, 119, 68), (119, 102, 238), (51, 136, 34), (68, 187, 204), (238, 204, 102), (119, 51, 170), (187, 187, 187),
    (136, 34, 51), (119, 204, 221), (85, 34, 136), (153, 170, 68), (51, 153, 153),
)  # fmt: skip
_INK = (40, 40, 40)
_PAPER = 250
_CELL, _GAP, _BINS = 220, 12, 44
_QUANTITIES = ("x", "y", "width", "height")


def contact_sheets(samples: Sequence[Sample], labels: Sequence[str]) -> Iterator[Pixels]:
    """Sheets of 20 pictures each, with boxes, class names and file names drawn in."""
    per_sheet = COLUMNS * ROWS
    for start in range(0, len(samples), per_sheet):
        part = samples[start : start + per_sheet]
        rows = -(-len(part) // COLUMNS)
        sheet = np.full((rows * TILE, COLUMNS * TILE, 3), _PAPER, dtype=np.uint8)
        for i, sample in enumerate(part):
            y, x = i // COLUMNS * TILE, i % COLUMNS * TILE
            sheet[y : y + TILE, x : x + TILE] = tile_of(sample, labels)
        yield sheet


def tile_of(sample: Sample, labels: Sequence[str]) -> Pixels:
    """One picture at the size of a tile, with its boxes."""
    image = read_pixels(sample.path)
    tile, placed = letterbox(image, TILE)
    height, width = image.shape[:2]
    for number, x, y, w, h in sample.rows:
        scale = np.array([width, height]) * placed.scale
        pad = np.array([placed.pad_x, placed.pad_y])
        (x1, y1), (x2, y2) = (np.array([x, y]) + sign * np.array([w, h]) / 2 for sign in (-1, 1))
        first, last = np.array([x1, y1]) * scale + pad, np.array([x2, y2]) * scale + pad
        start = int(first[0]), int(first[1])
        colour = colour_of(int(number))
        cv2.rectangle(tile, start, (int(last[0]), int(last[1])), colour, 2)
        _tag(tile, labels[int(number)], start, colour)
    _text(tile, sample.path.name[-44:], (4, TILE - 6), 0.36, (255, 255, 255), shade=True)
    return tile


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of a class, in BGR."""
    return _COLOURS[number % len(_COLOURS)]


def correlogram(rows: NDArray[np.float32]) -> Pixels:
    """How boxes lie and how large they are: for each pair of x, y, width and height a two-dimensional histogram.

    `rows` is `[N, 5]`: class, then centre and size relative to the picture. On the diagonal stands each quantity's
    own histogram. Darker is more, by the square root of the count.
    """
    values = np.asarray(rows[:, 1:], dtype=np.float64).reshape(-1, 4)
    count = len(_QUANTITIES)
    margin = 60
    side = margin + count * (_CELL + _GAP)
    picture = np.full((side, side, 3), _PAPER, dtype=np.uint8)
    for row in range(count):
        top = _GAP + row * (_CELL + _GAP)
        _text(picture, _QUANTITIES[row], (4, top + _CELL // 2), 0.42, _INK)
        for column in range(row + 1):
            left = margin + column * (_CELL + _GAP) - _GAP // 2
            cell = _histogram(values[:, row]) if row == column else _joint(values[:, column], values[:, row])
            picture[top : top + _CELL, left : left + _CELL] = cell
            cv2.rectangle(picture, (left, top), (left + _CELL, top + _CELL), (190, 190, 190), 1)
            if row == count - 1:
                _text(picture, _QUANTITIES[column], (left + _CELL // 2 - 12, side - 22), 0.42, _INK)
                _text(picture, "0", (left, side - 34), 0.36, _INK)
                _text(picture, "1", (left + _CELL - 8, side - 34), 0.36, _INK)
    return picture


def _joint(x: NDArray[np.float64], y: NDArray[np.float64]) -> Pixels:
    counts, _, _ = np.histogram2d(y, x, bins=_BINS, range=((0, 1), (0, 1)))
    # A picture's y grows downwards, a size upwards; one rule for all cells: upwards is more.
    return _shade(np.sqrt(counts[::-1]))


def _shade(strength: NDArray[np.float64]) -> Pixels:
    share = strength / max(float(strength.max()), 1.0)
    blue = np.array([170, 102, 34], dtype=np.float64)  # BGR
    colours = (255 - share[..., None] * (255 - blue)).astype(np.uint8)
    return np.asarray(cv2.resize(colours, (_CELL, _CELL), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _histogram(values: NDArray[np.float64]) -> Pixels:
    counts, _ = np.histogram(values, bins=_BINS, range=(0, 1))
    cell = np.full((_CELL, _CELL, 3), 255, dtype=np.uint8)
    width = _CELL / _BINS
    for i, count in enumerate(counts):
        height = int(count / max(int(counts.max()), 1) * (_CELL - 6))
        start, end = (int(i * width), _CELL - height), (int((i + 1) * width) - 1, _CELL)
        if height:
            cv2.rectangle(cell, start, end, (170, 102, 34), -1)
    return cell


def _tag(tile: Pixels, text: str, corner: tuple[int, int], colour: tuple[int, int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    x, y = min(corner[0], TILE - width - 4), max(corner[1], height + 6)
    cv2.rectangle(tile, (x, y - height - 6), (x + width + 4, y), colour, -1)
    ink = (255, 255, 255) if sum(colour) < 400 else _INK
    _text(tile, text, (x + 2, y - 4), 0.4, ink)


def _text(
    image: Pixels, text: str, at: tuple[int, int], scale: float, ink: tuple[int, int, int], *, shade: bool = False
) -> None:
    if shade:
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
