"""The detector as the pipeline uses it: what it must offer, how it is opened, how many pictures go in at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from pipeline.capture.base import Image
from spotter.detector import Detector
from spotter.letterbox import Letterbox
from spotter.settings import Settings
from spotter.weights import weights_in_use

LEAST_SCORE = 0.1
"""What the detector gives out: less than any track takes, because previews blur whatever may be a person."""

_BATCHES = (1, 2, 4)
_WORTH_IT = 0.9
"""A larger batch must take at most this share of the time per picture, for it makes every picture wait."""


class FindsObjects(Protocol):
    """Finds objects in pictures, in two steps: the second of one batch may run while the first of the next does."""

    size: int
    """The longer side of the network's input, in pixels: more of a picture is not looked at."""

    def prepare(self, images: Sequence[Image]) -> Any:
        """What `find` takes. Valid until the second next call of `prepare`."""

    def find(self, prepared: Any) -> list[sv.Detections]:
        """For each picture its boxes in pixels, scores from `LEAST_SCORE` up, and `class_name`."""


class OnnxFinder:
    """Finds objects with the shared detector."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.size = detector.size
        self._buffers: deque[NDArray[np.float32]] = deque([np.empty((0, 3, 0, 0), dtype=np.float32)] * 2)

    def prepare(self, images: Sequence[Image]) -> tuple[NDArray[np.float32], list[Letterbox]]:
        """The network's input in one of two buffers that take turns, and where the pictures lie in it."""
        self._buffers.rotate()
        if len(self._buffers[0]) < len(images):
            first, _ = self._detector.preprocess(images[0])
            self._buffers[0] = np.empty((len(images), *first.shape), dtype=np.float32)
        batch = self._buffers[0][: len(images)]
        placed = [self._detector.preprocess(image, out)[1] for image, out in zip(images, batch, strict=True)]
        return batch, placed

    def find(self, prepared: tuple[NDArray[np.float32], list[Letterbox]]) -> list[sv.Detections]:
        """Network and non-maximum suppression."""
        batch, placed = prepared
        raw = self._detector.infer(batch)
        return [self._detector.postprocess(one, where) for one, where in zip(raw, placed, strict=True)]


def open_finder(settings: Settings) -> OnnxFinder:
    """The detector in use, warm. Raises WeightsError."""
    detector = Detector(
        weights_in_use(settings),
        confidence=LEAST_SCORE,
        iou=settings.detector.iou,
        threads=settings.detector.threads,
    )
    detector.warm_up()
    return OnnxFinder(detector)


def best_batch(finder: FindsObjects, cameras: int) -> int:
    """How many pictures to detect at once, found by trying: on CPUs mostly one."""
    picture = np.full((360, 640, 3), 114, dtype=np.uint8)
    best, best_seconds = 1, _seconds_each(finder, [picture])
    for count in _BATCHES[1:]:
        if count > cameras:
            break
        seconds = _seconds_each(finder, [picture] * count)
        if seconds < best_seconds * _WORTH_IT:
            best, best_seconds = count, seconds
    return best


def _seconds_each(finder: FindsObjects, pictures: list[Image]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        finder.find(finder.prepare(pictures))
        times.append((time.perf_counter() - began) / len(pictures))
    return min(times)
