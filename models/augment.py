"""Changes to training pictures: colour, geometry, mosaic and pasted items. Pure functions of picture and generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.cutouts import Cutout
from models.pixels import Pixels, as_pixels
from spotter.letterbox import GREY

MIN_VISIBLE = 0.35
"""Share of a box that must stay in the picture for it to stay a target."""
MIN_SIDE_PX = 4.0
SMEARED = 0.12
"""Share of pasted items that are blurred by their own motion."""
TURNED = 0.2
"""Share of pasted items that stand in no way a thing on the floor would."""
SOLID = 100
"""Mask level (0..255) from which an item's pixel counts for its box; a smear's faint ends do not."""
SKIN = ((140, 172, 224), (105, 140, 198), (80, 110, 165), (50, 75, 120), (35, 50, 85))
"""BGR of hands, light to dark."""


@dataclass(frozen=True, slots=True)
class Picture:
    """BGR pixels and rows `[N, 5]`: class, x1, y1, x2, y2 in pixels."""

    pixels: Pixels
    rows: NDArray[np.float32]


def shift_colours(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Hue, saturation and brightness by YOLOv5's gains (0.015, 0.7, 0.4)."""
    gains = 1 + random.uniform(-1, 1, 3) * (0.015, 0.7, 0.4)
    return _scale_hsv(pixels, gains)


def recolour(cut: Cutout, random: np.random.Generator) -> Cutout:
    """An item in another colour: brands paint theirs as they like. Half keep their own."""
    if random.random() < 0.5:
        return cut
    hsv = cv2.cvtColor(cut.pixels, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + random.integers(0, 180)) % 180
    pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    gains = np.array([1.0, random.uniform(0.3, 1.6), random.uniform(0.5, 1.4)])
    return Cutout(cut.label, _scale_hsv(as_pixels(pixels), gains), cut.mask)


def paste(
    picture: Picture,
    cut: Cutout,
    side: float,
    random: np.random.Generator,
    hidden: float = 0.6,
    at: tuple[int, int] | None = None,
) -> Picture:
    """`cut` pasted at `side` pixels (longer side), with a contact shadow; boxes it covers beyond `hidden` go.

    `at` is the middle of its lower edge in pixels, and then it stands upright; left out, it lies anywhere and tilted.
    Some are smeared along a line, as what is swung before a slow shutter.
    """
    height, width = picture.pixels.shape[:2]
    turned = _turn(cut, random) if at is None else cut
    scale = side / max(turned.mask.shape)
    size = (max(4, round(turned.mask.shape[1] * scale)), max(4, round(turned.mask.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    item = cv2.resize(turned.pixels, size, interpolation=interpolation)
    mask = cv2.resize(turned.mask, size, interpolation=interpolation)
    if at is None and random.random() < SMEARED:
        item, mask = _smear(as_pixels(item), as_pixels(mask), random)
    h, w = mask.shape
    x = int(random.integers(-w // 6, max(width - w + w // 6, 1))) if at is None else at[0] - w // 2
    y = int(random.integers(-h // 6, max(height - h + h // 6, 1))) if at is None else at[1] - h
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if min(x2 - x1, y2 - y1) < MIN_SIDE_PX:
        return picture
    pixels = picture.pixels
    if random.random() < 0.5:
        pixels = _shadow(pixels, x, y, w, h)
    soft = cv2.GaussianBlur(mask, (3, 3), 0)
    alpha = soft[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) / 255
    region = pixels[y1:y2, x1:x2].astype(np.float32)
    light = np.clip(region.mean() / 110, 0.45, 1.25) * random.uniform(0.85, 1.15)  # the place's light falls on it
    part = item[y1 - y : y2 - y, x1 - x : x2 - x].astype(np.float32)
    pixels = pixels.copy() if pixels is picture.pixels else pixels
    blended = region * (1 - alpha) + np.clip(part * light, 0, 255) * alpha
    pixels[y1:y2, x1:x2] = np.clip(blended, 0, 255).astype(np.uint8)
    columns, lines = np.flatnonzero(mask.max(0) > SOLID), np.flatnonzero(mask.max(1) > SOLID)
    if not len(columns) or not len(lines):
        return picture
    box = np.array(
        [
            cut.label,
            max(x + columns[0], 0),
            max(y + lines[0], 0),
            min(x + columns[-1] + 1, width),
            min(y + lines[-1] + 1, height),
        ],
        dtype=np.float32,
    )
    if box[3] - box[1] < MIN_SIDE_PX or box[4] - box[2] < MIN_SIDE_PX:
        return picture
    left = picture.rows[covered(picture.rows[:, 1:], box[1:]) < hidden]
    return Picture(pixels, np.concatenate((left, box[None])))


def paste_row(picture: Picture, cuts: Sequence[Cutout], side: float, random: np.random.Generator) -> Picture:
    """`cuts` side by side on a board, as on a rack: of like size, close together, the last ones a little larger."""
    height, width = picture.pixels.shape[:2]
    gap = random.uniform(0.8, 1.3)
    growth = random.uniform(0.0, 0.06)
    sides = [side * (1 + growth * i) for i in range(len(cuts))]
    wide = [s * cut.mask.shape[1] / max(cut.mask.shape) * gap for s, cut in zip(sides, cuts, strict=True)]
    x = float(random.uniform(0, max(width - sum(wide), 1)))
    y = int(random.uniform(min(side * 1.5, height * 0.6), height * 0.95))
    pixels = as_pixels(picture.pixels.copy())
    board = max(2, int(side * random.uniform(0.06, 0.2)))
    grey = tuple(int(v) for v in np.clip(random.uniform(15, 190) + random.normal(0, 8, 3), 5, 240))
    cv2.rectangle(pixels, (int(x), y - board // 2), (int(x + sum(wide)), y + board), grey, -1)
    strip = np.array([x, y - max(sides), x + sum(wide), y + board], np.float32)
    picture = Picture(pixels, picture.rows[covered(picture.rows[:, 1:], strip) < 0.6])
    for cut, own, step in zip(cuts, sides, wide, strict=True):
        picture = paste(picture, cut, own, random, at=(int(x + step / 2), y))
        x += step
    return picture


def paste_pile(picture: Picture, cuts: Sequence[Cutout], side: float, random: np.random.Generator) -> Picture:
    """`cuts` one upon the other, the lowest first, each over the top of the one below, as blocks are put away."""
    height, width = picture.pixels.shape[:2]
    x = int(random.uniform(0.2, 0.8) * width)
    y = height * random.uniform(0.75, 1.0)
    for cut in cuts:
        picture = paste(picture, cut, side, random, hidden=0.8, at=(x + round(random.normal(0, 0.08 * side)), int(y)))
        y -= side * cut.mask.shape[0] / max(cut.mask.shape) * random.uniform(0.6, 0.95)
    return picture


def hold(picture: Picture, cut: Cutout, random: np.random.Generator) -> Picture:
    """`cut` held up before somebody in `picture`: large, before the chest, fingers round its edges."""
    people = picture.rows[picture.rows[:, 0] == 0]
    if not len(people):
        return picture
    _, x1, y1, x2, y2 = people[int(random.integers(len(people)))]
    side = float(np.clip(random.uniform(0.25, 0.9) * (x2 - x1), 12, 0.7 * min(picture.pixels.shape[:2])))
    h, w = (s * side / max(cut.mask.shape) for s in cut.mask.shape)
    x = int(random.uniform(x1 + 0.2 * (x2 - x1), x2 - 0.2 * (x2 - x1)))
    y = int(y1 + random.uniform(0.15, 0.5) * (y2 - y1) + h / 2)
    held = paste(picture, cut, side, random, hidden=0.8, at=(x, y))
    if held is picture:
        return picture
    skin = np.array(SKIN[int(random.integers(len(SKIN)))]) * random.uniform(0.75, 1.15)
    colour = tuple(int(v) for v in np.clip(skin, 0, 255))
    for out in (-1, 1) if random.random() < 0.6 else (int(random.choice((-1, 1))),):
        edge, depth = x + out * w / 2, random.uniform(0.1, 0.3) * w
        thick = max(2, int(h * random.uniform(0.07, 0.11)))
        top = y - h * random.uniform(0.5, 0.9)
        for finger in range(4):
            level = int(top + finger * thick * 1.15)
            tip = (int(edge - out * depth * random.uniform(0.8, 1.1)), level)
            cv2.line(held.pixels, (int(edge + out * thick), level), tip, colour, thick, cv2.LINE_AA)
    return held


def _smear(item: Pixels, mask: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The item blurred along a line of up to half its side, on a canvas that holds all of it."""
    length = max(3, int(max(mask.shape) * random.uniform(0.1, 0.5))) | 1
    kernel = np.zeros((length, length), np.float32)
    angle = random.uniform(0, np.pi)
    middle, reach = length // 2, length / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (tuple(round(middle + sign * r) for r in reach) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1)
    kernel /= kernel.sum()
    pad = ((middle, middle), (middle, middle))
    wide = np.pad(item, (*pad, (0, 0)), mode="edge")
    return as_pixels(cv2.filter2D(wide, -1, kernel)), as_pixels(cv2.filter2D(np.pad(mask, pad), -1, kernel))


def covered(boxes: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of each of `boxes` `[N, 4]` that the box `by` covers."""
    overlap = np.clip(np.minimum(boxes[:, 2:], by[2:]) - np.maximum(boxes[:, :2], by[:2]), 0, None).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.asarray(overlap / np.maximum(area, 1e-6), dtype=np.float32)


def place(picture: Picture, size: int, scale: float, random: np.random.Generator, turn_degrees: float = 5) -> Picture:
    """The picture at `scale` of its fit into `size`, turned a little and shifted, on grey."""
    height, width = picture.pixels.shape[:2]
    factor = scale * size / max(height, width)
    angle = random.uniform(-turn_degrees, turn_degrees)
    rotation = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, factor), dtype=np.float64)
    slack = abs(size - np.array([width, height]) * factor) / 2
    rotation[:, 2] += size / 2 - np.array([width, height]) / 2 + random.uniform(-1, 1, 2) * slack
    pixels = cv2.warpAffine(
        picture.pixels, rotation, (size, size), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    return _clip(Picture(as_pixels(pixels), _move(picture.rows, rotation)), size, size)


def mosaic(pictures: Sequence[Picture], size: int, random: np.random.Generator) -> Picture:
    """Four pictures around a random centre, together `size` square."""
    canvas = np.full((size, size, 3), GREY, np.uint8)
    cx, cy = (int(v) for v in random.uniform(0.3, 0.7, 2) * size)
    quarters = ((0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size))
    rows = []
    for picture, (x1, y1, x2, y2) in zip(pictures, quarters, strict=True):
        height, width = picture.pixels.shape[:2]
        w, h = x2 - x1, y2 - y1
        factor = max(w / width, h / height) * random.uniform(0.75, 1.8)
        shift = np.array([w, h]) - np.array([width, height]) * factor
        matrix = np.array([[factor, 0, 0], [0, factor, 0]], dtype=np.float64)
        matrix[:, 2] = shift * random.uniform(0, 1, 2)
        canvas[y1:y2, x1:x2] = cv2.warpAffine(
            picture.pixels, matrix, (w, h), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
        )
        part = _clip(Picture(canvas, _move(picture.rows, matrix)), w, h).rows
        part[:, [1, 3]] += x1
        part[:, [2, 4]] += y1
        rows.append(part)
    return Picture(canvas, np.concatenate(rows))


def flip(picture: Picture) -> Picture:
    """Mirrored left to right."""
    rows = picture.rows.copy()
    rows[:, [1, 3]] = picture.pixels.shape[1] - picture.rows[:, [3, 1]]
    return Picture(picture.pixels[:, ::-1], rows)


def degrade(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """What cheap cameras add, each sometimes: blur, noise, grey, compression."""
    if random.random() < 0.15:
        pixels = as_pixels(cv2.blur(pixels, (int(random.integers(2, 5)), int(random.integers(2, 5)))))
    if random.random() < 0.15:
        cv2.setRNGSeed(int(random.integers(1 << 31)))  # OpenCV's noise is several times faster than NumPy's
        spread = np.full(3, random.uniform(3, 12))
        noise = cv2.randn(np.empty(pixels.shape, np.int8), np.zeros(3), spread)
        pixels = as_pixels(cv2.add(pixels, noise, dtype=cv2.CV_8U))
    if random.random() < 0.05:
        pixels = as_pixels(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    if random.random() < 0.15:
        _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 70))])
        pixels = as_pixels(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    return pixels


def _scale_hsv(pixels: Pixels, gains: NDArray[np.float64]) -> Pixels:
    levels = np.arange(256)
    hue, saturation, value = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV))
    tables = (
        ((levels * gains[0]) % 180).astype(np.uint8),
        np.clip(levels * gains[1], 0, 255).astype(np.uint8),
        np.clip(levels * gains[2], 0, 255).astype(np.uint8),
    )
    merged = cv2.merge([cv2.LUT(plane, t) for plane, t in zip((hue, saturation, value), tables, strict=True)])
    return as_pixels(cv2.cvtColor(merged, cv2.COLOR_HSV2BGR))


def _turn(cut: Cutout, random: np.random.Generator) -> Cutout:
    """Mirrored half of the time, tilted a little, sometimes turned as far as a swing or a throw turns it."""
    pixels, mask = cut.pixels, cut.mask
    if random.random() < 0.5:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    angle = random.uniform(0, 360) if random.random() < TURNED else random.normal(0, 12)
    h, w = mask.shape
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), angle, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_w, new_h = int(h * sin + w * cos) + 1, int(h * cos + w * sin) + 1
    matrix[:, 2] += (new_w - w) / 2, (new_h - h) / 2
    size = (new_w, new_h)
    turned = as_pixels(cv2.warpAffine(pixels, matrix, size))
    return Cutout(cut.label, turned, as_pixels(cv2.warpAffine(mask, matrix, size)))


def _shadow(pixels: Pixels, x: int, y: int, w: int, h: int) -> Pixels:
    """A soft dark ellipse under the item."""
    layer = np.zeros(pixels.shape[:2], np.uint8)
    cv2.ellipse(layer, (x + w // 2, y + int(h * 0.94)), (max(int(w * 0.5), 1), max(h // 8, 1)), 0, 0, 360, 110, -1)
    x1, x2 = max(x - w // 2, 0), min(x + w + w // 2, pixels.shape[1])
    y1, y2 = max(y + h // 2, 0), min(y + h + h // 3, pixels.shape[0])
    if x2 - x1 < 2 or y2 - y1 < 2:
        return pixels
    soft = cv2.blur(layer[y1:y2, x1:x2], (max(w // 6, 1) | 1, max(h // 8, 1) | 1))
    shaded = as_pixels(pixels.copy())
    region = shaded[y1:y2, x1:x2]
    region[:] = (region * (1 - as_pixels(soft)[..., None] / 255.0)).astype(np.uint8)
    return shaded


def _move(rows: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Boxes after an affine map: the bounds of their corners, drawn in where a turn would swell them."""
    if not len(rows):
        return np.zeros((0, 5), dtype=np.float32)
    x1, y1, x2, y2 = rows[:, 1:].T
    corners = np.stack((x1, y1, x2, y1, x2, y2, x1, y2), 1).reshape(-1, 4, 2)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = moved.min(1), moved.max(1)
    factor = np.hypot(matrix[0, 0], matrix[0, 1])
    plain = np.stack((x2 - x1, y2 - y1), 1) * factor
    centre, side = (low + high) / 2, (high - low + plain) / 2
    moved_rows = np.concatenate((rows[:, :1], centre - side / 2, centre + side / 2), 1)
    return np.asarray(moved_rows, dtype=np.float32)


def _clip(picture: Picture, width: int, height: int) -> Picture:
    """Boxes cut at the picture's edge; those of which too little is left are dropped."""
    rows = picture.rows
    before = (rows[:, 3:] - rows[:, 1:3]).prod(1)
    clipped = rows.copy()
    clipped[:, [1, 3]] = clipped[:, [1, 3]].clip(0, width)
    clipped[:, [2, 4]] = clipped[:, [2, 4]].clip(0, height)
    sides = clipped[:, 3:] - clipped[:, 1:3]
    keep = (sides.min(1, initial=np.inf) >= MIN_SIDE_PX) & (sides.prod(1) > MIN_VISIBLE * before)
    return Picture(picture.pixels, clipped[keep])
