"""The seam between cameras and the engine: what a capture back end gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: height x width x 3, blue green red, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was captured."""

    image: Image
    captured_at: datetime
    """UTC, by wall clock: what events carry."""
    at: float
    """Seconds on a clock that never goes back: what durations are measured with."""
    camera_size: tuple[int, int] | None = None
    """Width and height of the camera's picture, where an engine keeps it to itself: `image` is then empty, or small."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.camera_size is not None:
            return self.camera_size
        height, width = self.image.shape[:2]
        return width, height


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a camera or file says of itself; zero or empty where it does not say."""

    width: int
    height: int
    fps: float
    codec: str
    frames: int = 0

    @property
    def seconds(self) -> float:
        """How long a file is; zero for a camera."""
        return self.frames / self.fps if self.fps > 0 else 0.0


class Capture(ABC):
    """Pictures of one camera or file, one after another, in the caller's thread.

    `open`, then `grab` and, for the pictures that are wanted, `retrieve`, then `close`; it may be opened again.
    Two steps, because most pictures of a camera are never looked at and need no conversion. Every call ends within
    the back end's timeouts: a camera that is silent raises, it never hangs. Errors say what is wrong in plain words
    and never show credentials.
    """

    is_file: bool = False
    """Whether it has an end, and plays at the pace of its caller; a camera's pictures come when they come."""

    clocked: bool = False
    """Whether `position` is right for a camera, too: its pictures are then chosen by it, not by when they come."""

    came: int = 1
    """Pictures that came for the last `grab`, that one included: a back end may let go those that nobody will want."""

    @abstractmethod
    def open(self) -> VideoInfo:
        """Connect. Raises CameraError where that fails."""

    @abstractmethod
    def seek(self, seconds: float) -> None:
        """Go on at this place of an opened file. Raises CameraError where the file can't."""

    @abstractmethod
    def grab(self) -> bool:
        """Wait for the next picture; False at the end of a file. Raises CameraError when the stream breaks."""

    @property
    @abstractmethod
    def position(self) -> float:
        """Seconds from the first picture to the grabbed one, on the pictures' own clock."""

    @abstractmethod
    def retrieve(self) -> Image:
        """The grabbed picture. Raises CameraError when it can't be decoded."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the camera; never raises."""


class Sampler:
    """Chooses pictures at most `fps` times a second, evenly on the pictures' own clock and without drift."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self._slot: int | None = None

    def takes(self, seconds: float) -> bool:
        """Whether the picture at this time is the first one of its slot."""
        slot = int(seconds * self.fps + _ROUNDING)
        if slot == self._slot:
            return False
        self._slot = slot
        return True


_ROUNDING = 1e-3  # of a slot: a picture at 0.19999 s belongs to 0.2 s
