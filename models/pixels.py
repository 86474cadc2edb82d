"""Pictures as arrays: read from files, and given the type that they have."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labels import DataError

Pixels = NDArray[np.uint8]
"""Height x width x 3 in BGR, or a mask, height x width."""


def read_pixels(path: Path) -> Pixels:
    """The BGR pixels of a picture file; raises `DataError` naming one that is unreadable."""
    image = cv2.imread(str(path))
    if image is None:
        raise DataError(f"picture {path}: not readable; replace or remove it")
    return as_pixels(image)


def as_pixels(image: object) -> Pixels:
    """What OpenCV returned, whose type it leaves open, as bytes."""
    return np.asarray(image, dtype=np.uint8)
