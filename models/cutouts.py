"""Items cut out of pictures, to be pasted into others: product photos on white or with alpha, and labelled boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labels import PICTURE_SUFFIXES, DataError, Sample
from models.pixels import as_pixels, read_pixels

WHITE_DISTANCE = 14
"""Grey levels from the background's own white that still count as background (JPEG noise, soft shadow)."""

MAX_SIDE_PX = 320  # larger than most pasted items ever appear; keeps the bank small
MIN_SIDE_PX = 28  # smaller items give only blur, even on a far rack
GRABCUT_SIDE_PX = 200  # GrabCut's time grows with the area, its outline hardly improves
ROUND = frozenset({"med_ball", "lacrosse_ball", "aqua_ball", "exercise_ball"})


@dataclass(frozen=True, slots=True)
class Cutout:
    """One item, tightly cropped: its class, its BGR pixels and its mask (0..255)."""

    label: int
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def read_cutouts(folder: Path, labels: Sequence[str]) -> list[Cutout]:
    """Items from `folder/LABEL/*`: one a picture with alpha, or photos on near-white, several items a photo allowed."""
    if not folder.is_dir():
        raise DataError(f"cutouts {folder}: no such folder; it holds one folder of photos on white for each label")
    found: list[Cutout] = []
    for label in sorted(p for p in folder.iterdir() if p.is_dir() and p.name in labels):
        for path in sorted(p for p in label.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES):
            number = labels.index(label.name)
            cut = _cut_by_alpha(path, number)
            found += [cut] if cut else _cut_from_white(read_pixels(path), number, label.name in ROUND)
    return found


def cut_from_boxes(samples: Sequence[Sample], labels: Sequence[str], skip: frozenset[str]) -> list[Cutout]:
    """Items out of labelled photos: balls by their ellipse, others by GrabCut within the box."""
    found = []
    for sample in samples:
        wanted = [row for row in sample.rows if labels[int(row[0])] not in skip]
        if not wanted:
            continue
        image = read_pixels(sample.path)
        for row in wanted:
            cut = _cut_box(image, row, labels[int(row[0])] in ROUND)
            if cut is not None:
                found.append(cut)
    return found


def _cut_by_alpha(path: Path, label: int) -> Cutout | None:
    """The item of a picture that has alpha; None for one without."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        return None
    x, y, w, h = cv2.boundingRect(image[..., 3])
    if min(w, h) < MIN_SIDE_PX or w * h == image[..., 3].size:
        return None  # nothing in it, or nothing left out of it
    part = as_pixels(image[y : y + h, x : x + w])
    return _shrink(Cutout(label, part[..., :3].copy(), part[..., 3].copy()))


def _cut_from_white(image: NDArray[np.uint8], label: int, is_round: bool) -> Iterator[Cutout]:
    height, width = image.shape[:2]
    white = np.median(np.concatenate((image[:3].reshape(-1, 3), image[-3:].reshape(-1, 3))), axis=0)
    distance = np.abs(image.astype(np.int16) - white.astype(np.int16)).max(axis=2)
    solid = (distance > WHITE_DISTANCE).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, ids, stats, _ = cv2.connectedComponentsWithStats(solid)
    if len(stats) < 2:
        return
    largest = stats[1:, cv2.CC_STAT_AREA].max()
    for i, (x, y, w, h, area) in enumerate(stats[1:], 1):
        aspect = w / h
        plausible = 0.85 < aspect < 1.18 if is_round else 0.5 < aspect < 1.15
        if area < 0.3 * largest or min(w, h) < MIN_SIDE_PX or not plausible or w * h > 0.98 * width * height:
            continue
        mask = _fill_holes((ids[y : y + h, x : x + w] == i).astype(np.uint8), 1.0 if is_round else 0.03)
        if mask.mean() < (0.7 if is_round else 0.35):
            continue
        yield _shrink(Cutout(label, image[y : y + h, x : x + w].copy(), mask * 255))


def _fill_holes(mask: NDArray[np.uint8], largest: float) -> NDArray[np.uint8]:
    """Close holes up to `largest` of the picture: highlights and print, but not the opening of a handle."""
    _, ids, stats, _ = cv2.connectedComponentsWithStats((1 - np.pad(mask, 1)).astype(np.uint8))
    limit = largest * mask.size
    for i in range(1, len(stats)):
        if i != ids[0, 0] and stats[i, cv2.CC_STAT_AREA] < limit:
            mask[(ids == i)[1:-1, 1:-1]] = 1
    return mask


def _cut_box(image: NDArray[np.uint8], row: NDArray[np.float32], is_round: bool) -> Cutout | None:
    height, width = image.shape[:2]
    cx, cy, w, h = row[1:] * (width, height, width, height)
    x1, y1, x2, y2 = (int(v) for v in (max(cx - w / 2, 0), max(cy - h / 2, 0), min(cx + w / 2, width), cy + h / 2))
    y2 = min(y2, height)
    if min(x2 - x1, y2 - y1) < MIN_SIDE_PX:
        return None
    crop = image[y1:y2, x1:x2].copy()
    if is_round:
        if not 0.75 < (x2 - x1) / (y2 - y1) < 1.33:  # partly hidden or cut off: its ellipse is not the ball
            return None
        mask = np.zeros(crop.shape[:2], np.uint8)
        centre = ((x2 - x1) // 2, (y2 - y1) // 2)
        cv2.ellipse(mask, centre, (max(centre[0] - 1, 1), max(centre[1] - 1, 1)), 0, 0, 360, 255, -1)
        return _shrink(Cutout(int(row[0]), crop, mask))
    margin = max(x2 - x1, y2 - y1) // 3  # what GrabCut learns the background from
    left, top = max(x1 - margin, 0), max(y1 - margin, 0)
    around = image[top : y2 + margin, left : x2 + margin]
    scale = min(1.0, GRABCUT_SIDE_PX / max(around.shape[:2]))
    small = cv2.resize(around, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    state = np.zeros(small.shape[:2], np.uint8)
    rect = [int(v * scale) for v in (x1 - left, y1 - top, x2 - x1, y2 - y1)]
    cv2.setRNGSeed(0)
    cv2.grabCut(small, state, rect, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    inner = state[rect[1] : rect[1] + rect[3], rect[0] : rect[0] + rect[2]]
    mask = np.isin(inner, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.resize(mask, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    if not 0.35 < mask.mean() < 0.97:
        return None
    return _shrink(Cutout(int(row[0]), crop, as_pixels(mask * 255)))


def _shrink(cut: Cutout) -> Cutout:
    scale = MAX_SIDE_PX / max(cut.mask.shape)
    if scale >= 1:
        return cut
    height, width = cut.mask.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = as_pixels(cv2.resize(cut.pixels, size, interpolation=cv2.INTER_AREA))
    return Cutout(cut.label, pixels, as_pixels(cv2.resize(cut.mask, size, interpolation=cv2.INTER_AREA)))
