"""Naming the thing in a photo: what the detector finds, weighed as the kiosk's rule weighs it. Nothing is kept."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import structlog

from spotter.errors import SpotterError
from spotter.settings import Settings
from spotter.weights import weights_in_use

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotter.detector import Detector

log = structlog.get_logger()

LEAST_SCORE = 0.15
"""Fainter boxes say nothing, not even what a thing might be."""

SAME_THING_IOU = 0.5
"""Boxes of two labels that overlap by more are two names for one thing."""

PLAIN_SHARE = 0.85
"""A name needs this share of the scores of both names, as in the kiosk's rule (`docs/rules/identify.md`)."""

THREADS = 1
"""The detector's threads in the dashboard's process: pages must not wait because somebody takes a photo."""

WAIT_SECONDS = 8.0
"""How long a photo waits for the ones before it."""

MOST_PIXELS = 60_000_000
"""Larger than any phone's photo; a small file can claim to be far larger when unpacked."""

LONGEST_SIDE = 1280
"""Twice what the detector looks at, so that nothing is lost."""

FORMATS = ("JPEG", "PNG", "WEBP")


class NotAPictureError(SpotterError):
    """What was sent can't be read as a picture."""


class BusyError(SpotterError):
    """Too many photos at once."""


@dataclass(frozen=True, slots=True)
class Named:
    """What is in a photo."""

    state: Literal["recognised", "unsure", "none"]
    labels: tuple[str, ...] = ()
    """One label when recognised; the nearest, one or two, when unsure."""
    score: float = 0.0


class Namer:
    """The detector of the dashboard's process, opened with the first photo; one photo at a time."""

    def __init__(self, settings: Settings, known: frozenset[str]) -> None:
        self._settings, self._known = settings, known
        self._turn = threading.Lock()
        self._detector: Detector | None = None

    def name(self, picture: bytes) -> Named:
        """What `picture` shows. Raises NotAPictureError, BusyError, and WeightsError where no detector is installed."""
        seen, size = self.look(picture)
        known = [one for one in seen if one.label in self._known]
        return judge(known, size, self._settings.rules.identify_confidence)

    def look(self, picture: bytes) -> tuple[list[Seen], tuple[int, int]]:
        """All that the detector finds, in pixels of the size (width, height) that comes with it; raises as `name`."""
        image = read_picture(picture)
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise BusyError("too many photos at once")
        try:
            (found,) = self._opened().detect([image])
        finally:
            self._turn.release()
        assert found.confidence is not None  # a detector's boxes have scores
        seen = [
            Seen(str(label), float(score), tuple(float(edge) for edge in box))
            for label, score, box in zip(found.data["class_name"], found.confidence, found.xyxy, strict=True)
        ]
        return seen, (image.shape[1], image.shape[0])

    def _opened(self) -> Detector:
        if self._detector is None:
            from spotter.detector import Detector  # its libraries are heavy, and a server may lack them

            self._detector = Detector(
                weights_in_use(self._settings), confidence=LEAST_SCORE, one_label_iou=None, threads=THREADS
            )
            log.info("detector_opened", weights=self._detector.weights.name)
        return self._detector


@dataclass(frozen=True, slots=True)
class Seen:
    """A box of the detector, in pixels."""

    label: str
    score: float
    box: tuple[float, ...]


def judge(seen: list[Seen], size: tuple[int, int], enough: float) -> Named:
    """The name of the thing that the photo, of `size` (width, height), is about; pure."""
    if not seen:
        return Named("none")
    main = max(seen, key=lambda one: (one.score * _weight(one.box, size), one.label))
    scores: dict[str, float] = {}
    for one in sorted(seen, key=lambda one: -one.score):
        if one is main or _iou(one.box, main.box) >= SAME_THING_IOU:
            scores.setdefault(one.label, one.score)
    ranked = sorted(scores, key=lambda label: (-scores[label], label))
    best = ranked[0]
    rivals = scores[ranked[1]] if len(ranked) > 1 else 0.0
    if scores[best] >= enough and scores[best] >= PLAIN_SHARE * (scores[best] + rivals):
        return Named("recognised", (best,), scores[best])
    others = sorted((one for one in seen if one.label != best), key=lambda one: -one.score)
    nearest = ranked[:2] if len(ranked) > 1 else [best, *(one.label for one in others[:1])]
    return Named("unsure", tuple(nearest), scores[best])


def read_picture(picture: bytes) -> NDArray[Any]:
    """A photo as BGR pixels, turned the way it was taken, at most LONGEST_SIDE long. Raises NotAPictureError."""
    import numpy as np  # of the detector's extra, as below
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise NotAPictureError(f"a picture of {opened.width}x{opened.height} pixels is too large")
            # Half, quarter or eighth size straight from the JPEG's own blocks: a fraction of the work and memory.
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(opened)
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            pixels = np.asarray(upright.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPictureError("not a picture that can be read") from error
    return np.ascontiguousarray(pixels[:, :, ::-1])


def _weight(box: tuple[float, ...], size: tuple[int, int]) -> float:
    """How much a photo is about a box: large ones in the middle more than small ones at the edge. 0..1."""
    (left, top, right, bottom), (width, height) = box, size
    share = max(0.0, (right - left) * (bottom - top)) / (width * height)
    x, y = (left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5
    return float(share**0.5 * (1 - (x * x + y * y) ** 0.5))


def _iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)
