"""Takes still pictures from videos for labelling: one every so often, without blurred ones and near-copies."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labels import DataError
from models.pixels import Pixels, as_pixels
from models.video import Video, VideoError
from spotter.letterbox import letterbox

LEAST_SHARPNESS = 0.35
"""A frame with less than this share of its neighbours' sharpness is blurred: a phone that was swung round."""

NEIGHBOURS = 5
"""Frames on either side that a frame's sharpness is compared with."""

SAME_LEVELS = 6.0
"""Grey levels (of 256) by which no part of a near-copy differs from the frame kept before it."""

_THUMBNAIL = 64
_BLOCKS = 16  # a side of the picture: a kettlebell that is moved by its own width shows in one of them
_MEASURED_WIDTH = 480
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """How frames are taken."""

    every: float = 0.5
    """Seconds between frames."""
    size: int | None = 640
    """Side in pixels; None keeps the video's own size."""
    stretch: bool = False
    """Stretch to a square instead of filling it up with grey."""
    sharpness: float = LEAST_SHARPNESS
    """0 keeps blurred frames."""
    difference: float = SAME_LEVELS
    """0 keeps near-copies."""


@dataclass(slots=True)
class Taken:
    """What was taken from one video and what was not, by frame number."""

    video: Path
    kept: list[Path] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Where in the video each kept one is."""
    blurred: list[int] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)

    @property
    def looked_at(self) -> int:
        """Frames that came into question."""
        return len(self.kept) + len(self.blurred) + len(self.copies)


def take_frames(
    path: Path,
    out: Path,
    settings: FrameSettings,
    passed: Callable[[], None] | None = None,
    within: Callable[[float], bool] | None = None,
) -> Taken:
    """Write frames of a video as `NAME-000123.jpg` into `out`, the number being the frame's in the video, from 0.

    Raises VideoError where the video is unreadable, and DataError where `out` has another picture of such a name.
    `passed` is called for every frame that is decoded; `within` says of seconds whether frames are wanted there, and
    none may be.
    """
    video = Video(path)
    step = max(1, round(settings.every * video.fps))
    out.mkdir(parents=True, exist_ok=True)
    taken = Taken(path)
    with tempfile.TemporaryDirectory(prefix=".frames-", dir=out) as folder:
        candidates = list(_candidates(video, step, settings, Path(folder), passed, within))
        if not candidates and within is None:
            raise VideoError(f"{path}: holds no frame that can be decoded; convert it to MP4")
        before: NDArray[np.float32] | None = None
        written: list[Path] = []
        for index, (number, seconds, sharpness, thumbnail, picture) in enumerate(candidates):
            around = [c[2] for c in candidates[max(0, index - NEIGHBOURS) : index + NEIGHBOURS + 1]]
            if sharpness < settings.sharpness * median(around):
                taken.blurred.append(number)
            elif before is not None and difference(before, thumbnail) < settings.difference:
                taken.copies.append(number)
            else:
                before = thumbnail
                written.append(picture)
                taken.kept.append(out / f"{path.stem}-{number:06d}.jpg")
                taken.seconds.append(seconds)
        for picture, target in zip(written, taken.kept, strict=True):
            if target.exists() and target.read_bytes() != picture.read_bytes():
                raise DataError(
                    f"{path}: {target} exists and is another picture (of another video of this name, or taken with "
                    "other options); choose another --out, or rename the video"
                )
        for picture, target in zip(written, taken.kept, strict=True):
            picture.replace(target)
    return taken


def sharpness_of(image: Pixels) -> float:
    """Variance of the Laplacian of the grey picture at a fixed width (Pech-Pacheco et al., 2000)."""
    scale = _MEASURED_WIDTH / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


def thumbnail_of(image: Pixels) -> NDArray[np.float32]:
    """The mean grey of each of 16 x 16 blocks."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    side = _THUMBNAIL // _BLOCKS
    blocks = np.asarray(small, dtype=np.float32).reshape(_BLOCKS, side, _BLOCKS, side)
    return np.asarray(blocks.mean((1, 3)), dtype=np.float32)


def difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The grey levels by which two thumbnails differ in the block that differs most."""
    return float(np.abs(a - b).max())


def _candidates(
    video: Video,
    step: int,
    settings: FrameSettings,
    folder: Path,
    passed: Callable[[], None] | None,
    within: Callable[[float], bool] | None,
) -> Iterator[tuple[int, float, float, NDArray[np.float32], Path]]:
    """Number, seconds, sharpness, thumbnail and written picture of every frame that comes into question."""
    for number, seconds, image in video.frames_at(lambda n: n % step == 0, passed=passed):
        if within is not None and not within(seconds):
            continue
        picture = folder / f"{number}.jpg"
        fitted = fit(image, settings.size, settings.stretch)
        cv2.imwrite(str(picture), fitted, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        yield number, seconds, sharpness_of(image), thumbnail_of(image), picture


def fit(image: Pixels, size: int | None, stretch: bool) -> Pixels:
    """The picture in a square of `size` pixels: centred on grey, or stretched."""
    if size is None:
        return image
    if stretch:
        return as_pixels(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
    return letterbox(image, size)[0]
