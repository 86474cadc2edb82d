"""What pipeline tests are played with: clips of coloured blocks, a detector that knows colours, frames by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from pipeline.capture import Frame

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
SIZE = (320, 180)

GREEN_PERSON, RED_KETTLEBELL = (0, 200, 0), (0, 0, 220)  # blue, green, red

Block = tuple[tuple[int, int, int], tuple[int, int, int, int]]


def picture(*blocks: Block, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A grey room with coloured blocks: colour, (left, top, right, bottom)."""
    image = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    for colour, (left, top, right, bottom) in blocks:
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, -1)
    return image


def frame(at: float, image: NDArray[np.uint8] | None = None) -> Frame:
    return Frame(picture() if image is None else image, START + timedelta(seconds=at), at)


def write_clip(path: Path, seconds: float, draw: Callable[[float], Iterable[Block]], fps: int = 10) -> Path:
    """A real video file of what `draw` gives at each time."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, SIZE)
    assert writer.isOpened()
    for index in range(round(seconds * fps)):
        writer.write(picture(*draw(index / fps)))
    writer.release()
    return path


def detections(*found: tuple[str, float, tuple[float, float, float, float]]) -> sv.Detections:
    """Detections by hand: label, score, box in pixels."""
    labels = ["person", "kettlebell", "dumbbell"]
    return sv.Detections(
        xyxy=np.array([box for _, _, box in found], dtype=np.float32).reshape(-1, 4),
        confidence=np.array([score for _, score, _ in found], dtype=np.float32),
        class_id=np.array([labels.index(label) for label, _, _ in found], dtype=int),
        data={"class_name": np.array([label for label, _, _ in found], dtype=str)},
    )


class ColourDetector:
    """Finds green people and red kettlebells in real pictures."""

    size = 640

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.uint8]]:
        return images

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[sv.Detections]:
        return [self._one(image) for image in images]

    def _one(self, image: NDArray[np.uint8]) -> sv.Detections:
        green, red = image[..., 1].astype(int), image[..., 2].astype(int)
        found = []
        for label, mask in (("person", green - red > 60), ("kettlebell", red - green > 60)):
            count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
            for left, top, width, height, area in stats[1:count]:
                if area >= 30:
                    found.append((label, 0.9, (left, top, left + width, top + height)))
        return detections(*found)
