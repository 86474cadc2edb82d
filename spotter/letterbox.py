"""Fits pictures of any shape into the square that a detector reads, and maps boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GREY = 114  # the padding YOLOv5 is trained with


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture was placed: `network = source * scale + pad`."""

    scale: float
    pad_x: float
    pad_y: float
    source: tuple[int, int]
    """Width and height of the picture in pixels."""

    def to_source(self, boxes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Boxes `[N, 4]` (x1, y1, x2, y2) from network pixels to pixels of the picture, clipped to it."""
        pad = np.array([self.pad_x, self.pad_y, self.pad_x, self.pad_y], dtype=np.float32)
        limit = np.array([*self.source, *self.source], dtype=np.float32)
        placed = (np.asarray(boxes, dtype=np.float32) - pad) / np.float32(self.scale)
        return np.asarray(np.clip(placed, 0, limit), dtype=np.float32)


def letterbox(
    image: NDArray[np.uint8],
    size: int | tuple[int, int],
    fill: int = GREY,
    out: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Scale `image` (height x width x 3) to fit `size`, centred on `fill`.

    `size` is a side or (width, height) in pixels; `out`, of that size, is filled where given.
    """
    width, height = (size, size) if isinstance(size, int) else size
    source_height, source_width = image.shape[:2]
    scale = min(width / source_width, height / source_height)
    inner_width = max(1, round(source_width * scale))
    inner_height = max(1, round(source_height * scale))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.empty((height, width, 3), dtype=np.uint8) if out is None else out
    canvas[:top] = fill
    canvas[top + inner_height :] = fill
    canvas[top : top + inner_height, :left] = fill
    canvas[top : top + inner_height, left + inner_width :] = fill
    inner = canvas[top : top + inner_height, left : left + inner_width]
    if (inner_width, inner_height) == (source_width, source_height):
        inner[:] = image
    else:
        inner[:] = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR)
    return canvas, Letterbox(scale, float(left), float(top), (source_width, source_height))
