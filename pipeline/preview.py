"""Previews: small pictures for people, with people made unrecognisable before anything leaves the camera box."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from pipeline.capture import Frame
from pipeline.capture.base import Image
from pipeline.tracking import PERSON, Tracker

WIDTH = 640
"""Longest side in pixels."""

LEAST_SECONDS = 0.2
"""Time between previews of a camera."""

RECENT_SECONDS = 2.0
"""People seen so lately are blurred where they were last, too: the detector may miss one for a moment."""

_GROWN = 0.15  # of the box on each side: hair, hands, and how far one gets between two looks
_GROWN_AT_EDGE = 0.5  # of the longer side, along the edge: who is mostly outside reaches further than the box
_EDGE_PIXELS = 4
_CELLS = 6  # what a blurred person is reduced to along the shorter side, before smoothing
_JPEG_QUALITY = 70


def people_in(detections: sv.Detections, tracker: Tracker, at: float) -> list[NDArray[np.float32]]:
    """Boxes (pixels) of everything that may be a person: all detections, however faint, and recent tracks."""
    names = np.asarray(detections.data.get("class_name", ()), dtype=str)
    return [*detections.xyxy[names == PERSON], *tracker.person_boxes(at, RECENT_SECONDS)]


def make_preview(frame: Frame, people: Iterable[NDArray[np.float32]], *, blur: bool) -> bytes:
    """The frame as JPEG of at most `WIDTH` pixels, with the boxes of `people` (frame pixels) blurred.

    The image may be of another size than the frame: engines make pictures small where that is cheap.
    """
    width, height = frame.size
    scale = min(1.0, WIDTH / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fits = frame.image.shape[1::-1] == size
    image = frame.image.copy() if fits else cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    if blur:
        for box in people:
            _blur(np.asarray(image, dtype=np.uint8), box * scale)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])


def _blur(image: Image, box: NDArray[np.float32]) -> None:
    """Reduce a box of the image, grown, to a few cells of colour."""
    height, width = image.shape[:2]
    left, top, right, bottom = (float(edge) for edge in box)
    grow_x, grow_y = (right - left) * _GROWN, (bottom - top) * _GROWN
    along = max(right - left, bottom - top) * _GROWN_AT_EDGE
    if left < _EDGE_PIXELS or right > width - _EDGE_PIXELS:
        grow_x, grow_y = max(grow_x, _EDGE_PIXELS), max(grow_y, along)
    if top < _EDGE_PIXELS or bottom > height - _EDGE_PIXELS:
        grow_x, grow_y = max(grow_x, along), max(grow_y, _EDGE_PIXELS)
    x1, y1 = max(0, int(left - grow_x)), max(0, int(top - grow_y))
    x2, y2 = min(width, int(right + grow_x) + 1), min(height, int(bottom + grow_y) + 1)
    if x2 <= x1 or y2 <= y1:
        return
    part = image[y1:y2, x1:x2]
    cell = max(1.0, min(x2 - x1, y2 - y1) / _CELLS)
    cells = (max(1, round((x2 - x1) / cell)), max(1, round((y2 - y1) / cell)))
    few = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(few, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR).reshape(part.shape)
