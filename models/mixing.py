"""Mixes photos, renders, empty backgrounds and cut-out items into training pictures, every class often enough."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models.augment import (
    Picture,
    degrade,
    flip,
    hold,
    mosaic,
    paste,
    paste_pile,
    paste_row,
    place,
    recolour,
    shift_colours,
)
from models.cutouts import Cutout
from models.labels import DataError, Sample, count_boxes
from models.lookalikes import add_lookalike
from models.pixels import as_pixels, read_pixels

ZOOM = (np.log(0.7), np.log(2.0))  # of single pictures, relative to their fit into the square
PILED = "yoga_block"
PRODUCT_ZOOM = (np.log(0.6), np.log(1.15))
BUSY = 0.3  # share of a shop's photos that were taken in a room
PLAIN_SHAPE = (480, 640, 3)
LOAD_SIDE_PX = 960  # longer side at which pictures are kept in memory: one and a half times what training sees


@dataclass(frozen=True, slots=True)
class MixSettings:
    """How pictures are drawn and changed."""

    photos: float = 0.5
    """Share of draws from labelled photos; backgrounds and renders share the rest as below."""
    backgrounds: float = 0.12
    renders: float = 0.38
    mosaic: float = 0.5
    """Share of training pictures made of four."""
    paste_photo: float = 0.5
    """Share of photos and renders that get pasted items."""
    paste_most: int = 4
    rack: float = 0.15
    """Share of pasting that is a row of like items on a board."""
    held: float = 0.2
    """Share of pasting that is one item held up before somebody, where there is somebody."""
    lookalike: float = 0.15
    """Share of pictures that get a clock or an empty shelf, which is no item."""
    plain: float = 0.25
    """Share of backgrounds that are one bright or dark colour, like a kiosk's table."""
    product: float = 0.15
    """Share of training pictures like a shop's photo: items that fill it, mostly before a plain ground."""
    pile: float = 0.15
    """Share of those that show yoga blocks piled up."""
    item_scale: dict[str, float] = field(
        default_factory=lambda: {"exercise_ball": 2.2, "foam_roller": 1.3, "yoga_block": 0.8, "lacrosse_ball": 0.4}
    )
    """Typical longer side of an item relative to a kettlebell's."""


class Mixer:
    """Draws training pictures; the same generator state gives the same picture."""

    def __init__(
        self,
        labels: Sequence[str],
        photos: Sequence[Sample],
        backgrounds: Sequence[Sample] = (),
        renders: Sequence[Sample] = (),
        cutouts: Sequence[Cutout] = (),
        settings: MixSettings | None = None,
    ) -> None:
        self.settings = settings or MixSettings()
        self._labels = tuple(labels)
        groups = [
            (photos, self.settings.photos),
            (backgrounds, self.settings.backgrounds),
            (renders, self.settings.renders),
        ]
        self._groups = [(_load_all(samples), _balance(samples, len(labels))) for samples, _ in groups if samples]
        shares = np.array([share for samples, share in groups if samples], dtype=np.float64)
        if not len(shares):
            raise DataError("training: no pictures; give a data.yaml whose `train` folder holds some")
        self._shares = shares / shares.sum()
        self._empty = [picture for pictures, _ in self._groups for picture in pictures if not len(picture.rows)]
        self._bank = [[c for c in cutouts if c.label == i] for i in range(len(labels))]
        self._banked = [i for i, cuts in enumerate(self._bank) if cuts]

    def draw(self, size: int, random: np.random.Generator) -> Picture:
        """One training picture, `size` square."""
        if self._banked and random.random() < self.settings.product:
            picture = place(self._product(random), size, float(np.exp(random.uniform(*PRODUCT_ZOOM))), random)
        elif random.random() < self.settings.mosaic:
            picture = mosaic([self._one(random) for _ in range(4)], size, random)
        else:
            picture = place(self._one(random), size, float(np.exp(random.uniform(*ZOOM))), random)
        if random.random() < 0.5:
            picture = flip(picture)
        pixels = shift_colours(np.ascontiguousarray(picture.pixels), random)
        return Picture(degrade(pixels, random), picture.rows)

    def _one(self, random: np.random.Generator) -> Picture:
        """A photo, background or render, perhaps with items pasted in."""
        pictures, weights = self._groups[int(random.choice(len(self._groups), p=self._shares))]
        picture = pictures[int(random.choice(len(pictures), p=weights))]
        empty = not len(picture.rows)
        if empty and self._banked and random.random() < self.settings.plain:
            picture = _plain(random)
        if not self._banked or (not empty and random.random() > self.settings.paste_photo):
            return picture
        if random.random() < self.settings.lookalike:
            picture = add_lookalike(picture, random)
        kind = random.random()
        if kind < self.settings.rack:
            return self._rack(picture, random)
        if kind < self.settings.rack + self.settings.held and (picture.rows[:, 0] == 0).any():
            label = int(random.choice(self._banked))
            return hold(picture, recolour(self._some(label, random), random), random)
        for _ in range(int(random.integers(1, self.settings.paste_most + 1))):
            label = int(random.choice(self._banked))
            longer = max(picture.pixels.shape[:2])
            typical = 0.16 * self.settings.item_scale.get(self._labels[label], 1.0)
            share = float(np.clip(typical * np.exp(random.normal(0, 0.8)), 0.02, 0.9))
            picture = paste(picture, recolour(self._some(label, random), random), share * longer, random)
        return picture

    def _product(self, random: np.random.Generator) -> Picture:
        """One to three items that fill the picture, or a pile of blocks."""
        picture = _plain(random)
        if self._empty and random.random() < BUSY:
            picture = self._empty[int(random.integers(len(self._empty)))]
        count = 1 + int(random.choice(3, p=(0.6, 0.25, 0.15)))
        piled = self._bank[self._labels.index(PILED)] if PILED in self._labels else []
        if piled and random.random() < self.settings.pile:
            cuts = [recolour(piled[int(random.integers(len(piled)))], random) for _ in range(count + 1)]
            return paste_pile(picture, cuts, float(random.uniform(0.25, 0.5)) * min(picture.pixels.shape[:2]), random)
        for _ in range(count):
            cut = recolour(self._some(int(random.choice(self._banked)), random), random)
            side = random.uniform(0.5, 0.98) / np.sqrt(count) * min(picture.pixels.shape[:2])
            picture = paste(picture, cut, float(side), random)
        return picture

    def _some(self, label: int, random: np.random.Generator) -> Cutout:
        return self._bank[label][int(random.integers(len(self._bank[label])))]

    def _rack(self, picture: Picture, random: np.random.Generator) -> Picture:
        """One to three rows of items; a rack holds one kind, often one make."""
        label = int(random.choice(self._banked))
        side = max(picture.pixels.shape[:2]) * float(np.exp(random.uniform(np.log(0.035), np.log(0.16))))
        for _ in range(int(random.integers(1, 4))):
            count = int(random.integers(3, 10))
            if random.random() < 0.6:
                cuts = [recolour(self._some(label, random), random)] * count
            else:
                cuts = [self._some(label, random) for _ in range(count)]
            picture = paste_row(picture, cuts, side, random)
        return picture


def _plain(random: np.random.Generator) -> Picture:
    """A wall, a table or a photographer's paper: any colour or a grey, often with light that falls off."""
    colour = (
        random.integers(0, 256, 3)
        if random.random() < 0.4
        else np.full(3, 250 if random.random() < 0.5 else random.integers(256))
    )
    height, width = PLAIN_SHAPE[:2]
    ends = random.uniform(0.7, 1.1, 2)
    light = np.linspace(ends[0], ends[1], height)[:, None, None] * np.ones((1, width, 1))
    pixels = np.clip(light * colour, 0, 255).astype(np.uint8)
    return Picture(pixels, np.zeros((0, 5), np.float32))


def _load_all(samples: Sequence[Sample]) -> list[Picture]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_load, samples))


def _load(sample: Sample) -> Picture:
    pixels = read_pixels(sample.path)
    scale = LOAD_SIDE_PX / max(pixels.shape[:2])
    if scale < 1:
        pixels = as_pixels(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    height, width = pixels.shape[:2]
    rows = sample.rows.copy()
    half = sample.rows[:, 3:] / 2
    rows[:, 1:3] = (sample.rows[:, 1:3] - half) * (width, height)
    rows[:, 3:] = (sample.rows[:, 1:3] + half) * (width, height)
    return Picture(pixels, rows)


def _balance(samples: Sequence[Sample], classes: int) -> NDArray[np.float64]:
    """Chances of the pictures: by their rarest class, as the inverse root of its boxes."""
    rarity = 1 / np.sqrt(np.maximum(count_boxes(samples, classes), 1))
    rarest = [rarity[s.rows[:, 0].astype(int)].max() if len(s.rows) else rarity.min() for s in samples]
    weights = np.clip(np.array(rarest, dtype=np.float64), None, 12 * rarity.min())  # two photos are not shown for ever
    return np.asarray(weights / weights.sum(), dtype=np.float64)
