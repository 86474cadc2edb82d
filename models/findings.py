"""Sheets of what a detector found: beside what is there, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.curves import CONFUSED_FROM, pair
from models.labels import Sample
from models.metrics import Found, Truth
from models.pixels import Pixels, as_pixels, read_pixels
from models.sheets import colour_of
from spotter.letterbox import GREY

TILE_PX = 320
COLUMNS = 4
MOSAIC_TILES = 16
SAME_PLACE_IOU = 0.5
CONTEXT = 1.0
"""How much of a mistake's own size is shown around it, on every side."""
LEAST_CONTEXT_PX = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong detection or missed thing, and how bad: the score of what was said, or the size of what was missed."""

    sample: Sample
    box: NDArray[np.float32]
    """x1, y1, x2, y2 in pixels of the picture."""
    said: str | None
    there: str | None
    weight: float


def worst_mistakes(
    samples: Sequence[Sample], found: Sequence[Found], truths: Sequence[Truth], labels: Sequence[str], most: int = 24
) -> list[Mistake]:
    """False detections, wrong names and misses from a score of 0.25, the surest first.

    A miss has no score: the larger a thing stands in the picture, the worse it is to miss it.
    """
    mistakes = []
    for sample, f, t in zip(samples, found, truths, strict=True):
        said = np.flatnonzero(f.scores >= CONFUSED_FROM)
        pairs = pair(f.boxes[said], t.boxes, SAME_PLACE_IOU)
        there_of = {int(said[a]): b for a, b in pairs}
        for a in (int(v) for v in said):
            b = there_of.get(a)
            there = None if b is None else labels[t.classes[b]]
            if there != labels[f.classes[a]]:
                mistakes.append(Mistake(sample, f.boxes[a], labels[f.classes[a]], there, float(f.scores[a])))
        missed = sorted(set(range(len(t.boxes))) - set(there_of.values()))
        area = float(np.prod(read_pixels(sample.path).shape[:2])) if missed else 1.0
        for b in missed:
            share = float(np.sqrt((t.boxes[b, 2:] - t.boxes[b, :2]).prod() / area))  # of the picture's side
            weight = min(1.0, CONFUSED_FROM + share)
            mistakes.append(Mistake(sample, t.boxes[b], None, labels[t.classes[b]], weight))
    return sorted(mistakes, key=lambda m: -m.weight)[:most]


def mistakes_sheet(mistakes: Sequence[Mistake], path: Path) -> Path:
    """A tile a mistake: its place in the picture, what was said and what is there."""
    tiles = []
    for mistake in mistakes:
        image = read_pixels(mistake.sample.path)
        x1, y1, x2, y2 = mistake.box
        around = max(LEAST_CONTEXT_PX, CONTEXT * max(x2 - x1, y2 - y1))
        left, top = int(max(x1 - around, 0)), int(max(y1 - around, 0))
        part = as_pixels(image[top : int(y2 + around), left : int(x2 + around)].copy())
        _box(part, mistake.box - np.array([left, top, left, top], np.float32), (0, 0, 255), None)
        text = f"{mistake.said or 'missed'}, there: {mistake.there or 'nothing'}"
        tiles.append(_tile(part, f"{text} {mistake.weight:.2f}"))
    return write_sheet(tiles, path)


def mosaics(
    samples: Sequence[Sample], found: Sequence[Found], truths: Sequence[Truth], labels: Sequence[str], folder: Path
) -> list[Path]:
    """`val_batch0_labels.jpg` and `val_batch0_pred.jpg`, and so on: what is there, and what was found from 0.25 up."""
    drawn = []
    for number, start in enumerate(range(0, min(len(samples), 3 * MOSAIC_TILES), MOSAIC_TILES)):
        part = slice(start, start + MOSAIC_TILES)
        there, said = [], []
        for sample, f, t in zip(samples[part], found[part], truths[part], strict=True):
            image = read_pixels(sample.path)
            a, b = as_pixels(image.copy()), as_pixels(image.copy())
            for box, c in zip(t.boxes, t.classes, strict=True):
                _box(a, box, colour_of(int(c)), labels[c])
            for box, c, s in zip(f.boxes, f.classes, f.scores, strict=True):
                if s >= CONFUSED_FROM:
                    _box(b, box, colour_of(int(c)), f"{labels[c]} {s:.2f}")
            there.append(_tile(a, sample.path.name))
            said.append(_tile(b, sample.path.name))
        drawn.append(write_sheet(there, folder / f"val_batch{number}_labels.jpg"))
        drawn.append(write_sheet(said, folder / f"val_batch{number}_pred.jpg"))
    return drawn


def found_sheet(samples: Sequence[Sample], found: Sequence[Found], labels: Sequence[str]) -> Pixels:
    """The samples' pictures with what was found from 0.25 up."""
    tiles = []
    for sample, f in zip(samples, found, strict=True):
        image = as_pixels(read_pixels(sample.path).copy())
        for box, c, s in zip(f.boxes, f.classes, f.scores, strict=True):
            if s >= CONFUSED_FROM:
                _box(image, box, colour_of(int(c)), f"{labels[c]} {s:.2f}")
        tiles.append(_tile(image, sample.path.name))
    return _joined(tiles)


def write_sheet(tiles: Sequence[Pixels], path: Path) -> Path:
    """Tiles in rows of four; a sheet without tiles says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix, _joined(tiles))[1]
    path.write_bytes(encoded.tobytes())
    return path


def _joined(tiles: Sequence[Pixels]) -> Pixels:
    shown = list(tiles) or [_tile(np.full((TILE_PX, TILE_PX, 3), 255, np.uint8), "nothing to show")]
    blank = np.full((TILE_PX, TILE_PX, 3), GREY, np.uint8)
    columns = min(COLUMNS, len(shown))
    shown += [blank] * (-len(shown) % columns)
    rows = [np.hstack(shown[i : i + columns]) for i in range(0, len(shown), columns)]
    return as_pixels(np.vstack(rows))


def _box(image: Pixels, box: NDArray[np.float32], colour: tuple[int, int, int], text: str | None) -> None:
    x1, y1, x2, y2 = (int(v) for v in box)
    thick = max(1, round(max(image.shape[:2]) / 400))
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, thick)
    if text:
        cv2.putText(image, text, (x1, max(y1 - 3, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, colour, thick)


def _tile(image: Pixels, title: str) -> Pixels:
    scale = TILE_PX / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tile = np.full((TILE_PX, TILE_PX, 3), GREY, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE_PX, :TILE_PX]
    cv2.rectangle(tile, (0, TILE_PX - 18), (TILE_PX, TILE_PX), (255, 255, 255), -1)
    cv2.putText(tile, title[-52:], (4, TILE_PX - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return as_pixels(tile)
