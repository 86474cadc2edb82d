"""The detector as the pipeline uses it: what it must offer, how it is opened, how many pictures go in at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import supervision as sv

from pipeline.capture.base import Image
from pipeline.tracking import FAINT_SCORE
from spotter.settings import Settings
from spotter.weights import weights_path

_BATCHES = (1, 2, 4)
_WORTH_IT = 0.9
"""A larger batch must take at most this share of the time per picture, for it makes every picture wait."""


class FindsObjects(Protocol):
    """Finds objects in pictures; `spotter.detector.Detector` does."""

    def detect(self, images: Sequence[Image]) -> list[sv.Detections]:
        """For each picture its boxes in pixels, scores and `class_name`."""


def open_detector(settings: Settings) -> FindsObjects:
    """The detector that the settings name, warm. Raises WeightsError."""
    from spotter.detector import Detector

    detector = Detector(
        weights_path(settings.model),
        confidence=FAINT_SCORE,
        iou=settings.detector.iou,
        threads=settings.detector.threads,
    )
    detector.warm_up()
    return detector


def best_batch(detector: FindsObjects, cameras: int) -> int:
    """How many pictures to detect at once, found by trying: on CPUs mostly one."""
    picture = np.full((360, 640, 3), 114, dtype=np.uint8)
    best, best_seconds = 1, _seconds_each(detector, [picture])
    for count in _BATCHES[1:]:
        if count > cameras:
            break
        seconds = _seconds_each(detector, [picture] * count)
        if seconds < best_seconds * _WORTH_IT:
            best, best_seconds = count, seconds
    return best


def _seconds_each(detector: FindsObjects, pictures: list[Image]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        detector.detect(pictures)
        times.append((time.perf_counter() - began) / len(pictures))
    return min(times)
