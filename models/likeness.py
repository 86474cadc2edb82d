"""Which pictures show nearly the same: perceptual hashes, and the pairs whose hashes are close."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.pixels import Pixels

SIDE = 16
BITS = SIDE * SIDE

SAME_BITS = 20
"""Hashes that differ in so few of their 256 bits belong to near-copies: neighbouring frames of a clip, or one photo
at two sizes. The nearest of 184 and 41 gym photos that were split by scene differ in 48."""

_AT_ONCE = 512  # rows of the table of distances that are held at a time


def hash_of(image: Pixels) -> NDArray[np.uint8]:
    """Difference hash (N. Krawetz, 2013): for 16 x 16 places whether the grey grows to the right; 32 bytes."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = np.asarray(cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA), dtype=np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def hashes_of(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """`[N, 32]`; a picture that cannot be read gets a hash of its own, like no other."""
    rows = np.zeros((len(paths), BITS // 8), dtype=np.uint8)
    for i, path in enumerate(paths):
        image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        if image is None:
            rows[i] = np.random.default_rng(i).integers(0, 256, BITS // 8)
        else:
            rows[i] = hash_of(np.asarray(image, dtype=np.uint8))
    return rows


def near_pairs(a: NDArray[np.uint8], b: NDArray[np.uint8], most_bits: int = SAME_BITS) -> list[tuple[int, int, int]]:
    """Every pair (row of `a`, row of `b`, bits) whose hashes differ in at most `most_bits`, closest first."""
    pairs: list[tuple[int, int, int]] = []
    for start in range(0, len(a), _AT_ONCE):
        differing = np.bitwise_count(a[start : start + _AT_ONCE, None] ^ b[None]).sum(2)
        for i, j in np.argwhere(differing <= most_bits):
            pairs.append((start + int(i), int(j), int(differing[i, j])))
    return sorted(pairs, key=lambda pair: pair[2])
