"""The motion gate: a quiet camera is looked at seldom, a moving picture at once.

Nothing that begins is missed: what appears or starts to move changes the picture, and the very frame in which it does
is let through. Slow change adds up, because a frame is also compared with the last one that was looked at. Where
neither shows (darkness, a change below the camera's noise), a look is taken every `LOOK_SECONDS` all the same. Noise
only ever costs looks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.capture import Frame

LOOK_SECONDS = 2.0
"""A quiet camera is looked at this often."""

HOLD_SECONDS = 2.0
"""After motion every frame is looked at for so long, so that trackers see how it ends."""

_WIDTH = 160  # pixels of the small picture: a kettlebell across the room is still 2 or 3 of them
_LEVELS = 12.0  # of 255: above the noise of averaged pixels, below the contrast of an item on a floor
_PIXELS = 3  # changed ones that count as motion; single ones are noise


class MotionGate:
    """Decides which frames of one camera are looked at."""

    def __init__(self) -> None:
        self.awake = False
        """Set while something that is followed moves or is uncertain: then every frame is looked at."""
        self.look_seconds = LOOK_SECONDS
        """How often a quiet picture is looked at."""
        self._previous: NDArray[np.float32] | None = None
        self._looked: NDArray[np.float32] | None = None
        self._looked_at = 0.0
        self._moved_at = 0.0

    def passes(self, frame: Frame, *, due: bool = False) -> bool:
        """Whether to look at this frame; at one that is `due`, anyhow. Call it with every sampled frame, in order."""
        small = _shrink(frame)
        if _differs(small, self._previous) or _differs(small, self._looked):
            self._moved_at = frame.at
        self._previous = small
        held = self.awake or frame.at - self._moved_at < HOLD_SECONDS
        if due or held or frame.at - self._looked_at >= self.look_seconds:
            self._looked, self._looked_at = small, frame.at
            return True
        return False


def _shrink(frame: Frame) -> NDArray[np.float32]:
    width, height = frame.size
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    # Every second row and column is enough for an average, and halves the work that a large picture costs.
    image = frame.image[::2, ::2] if width >= 4 * _WIDTH else frame.image
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.float32)


def _differs(small: NDArray[np.float32], other: NDArray[np.float32] | None) -> bool:
    if other is None or other.shape != small.shape:
        return True
    return int(np.count_nonzero(np.abs(small - other) > _LEVELS)) >= _PIXELS
