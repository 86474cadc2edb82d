"""Builds scenes and decides when one is due: the publishing rules of the event contract, without a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from spotter.events import Scene, SceneObject

if TYPE_CHECKING:  # what follows from scenes on must import without OpenCV: engines with their own bring none
    from pipeline.capture import Frame
    from pipeline.tracking import Track

MOVING_SECONDS, KIOSK_SECONDS, STILL_SECONDS = 0.5, 0.2, 5.0
"""Longest time between scenes: while something moves, the same for a kiosk camera, and otherwise."""

FRESH_SECONDS = 2.0
"""For so long after an item appeared a kiosk camera goes on as if it moved: what is held up is held still."""

UNKNOWN_SIZE = (1, 1)
"""The frame size of a camera that never gave a picture."""

DRIFT = 0.2
"""In sizes of its box: what went so far from where it was last said to be is told of as if it moved. Somebody who
walks slowly, or straight towards the camera, never moves fast on the picture."""

_EARLY = 0.02  # seconds: frames come a little early or late, and 0.49 s is meant to be 0.5 s
_MOST_EARLY = 0.125  # seconds: where the next look would come too late, a moving scene is told so much before its time
_ROUNDING = 1e-6  # seconds


@dataclass(frozen=True, slots=True)
class Draft:
    """A scene that the outbox has not numbered yet."""

    site: str
    camera: str
    time: datetime
    frame: tuple[int, int]
    picture: bool
    objects: tuple[SceneObject, ...]

    def numbered(self, stream: str, seq: int, floor: int) -> Scene:
        """The scene as it is published."""
        return Scene(
            site=self.site,
            camera=self.camera,
            stream=stream,
            seq=seq,
            floor=floor,
            time=self.time,
            frame=self.frame,
            picture=self.picture,
            objects=self.objects,
        )


class SceneBuilder:
    """What was last said of one camera, and so what has to be said now."""

    def __init__(self, site: str, camera: str, *, kiosk: bool = False) -> None:
        self.site, self.camera = site, camera
        self._kiosk = kiosk
        self._moving_seconds = KIOSK_SECONDS if kiosk else MOVING_SECONDS
        self._said: frozenset[tuple[str, bool]] | None = None
        self._said_at: float | None = None
        self._said_boxes: dict[str, tuple[float, float, float, float]] = {}
        self._looks: tuple[float, ...] = ()  # times of the last looks, at most three
        self._size = UNKNOWN_SIZE

    def seen(self, frame: Frame, tracks: Sequence[Track]) -> Draft | None:
        """The scene that a frame's tracks make due, if any."""
        self._size = frame.size
        self._looks = (*self._looks[-2:], frame.at)
        now = frozenset((track.id, track.moving) for track in tracks)
        lively = any(
            track.moving or self._drifted(track) or (self._kiosk and _is_fresh(track, frame)) for track in tracks
        )
        due = self._moving_due(frame.at) if lively else self.still_due(frame.at)
        if now == self._said and not due:
            return None
        self._said, self._said_at = now, frame.at
        self._said_boxes = {track.id: track.box_px for track in tracks}
        objects = tuple(_object(track, frame.size) for track in tracks)
        return Draft(self.site, self.camera, frame.captured_at, frame.size, True, objects)

    def unseen(self, time: datetime, at: float) -> Draft | None:
        """The scene that says that there is no picture, if one is due."""
        if self._said is None and not self.still_due(at):
            return None
        self._said, self._said_at = None, at
        return Draft(self.site, self.camera, time, self._size, False, ())

    def still_due(self, at: float) -> bool:
        """Whether a scene is due even where nothing moves."""
        return self._said_at is None or at - self._said_at >= STILL_SECONDS - _EARLY

    def _drifted(self, track: Track) -> bool:
        """Whether a track's centre or lower edge is far from where it was said to be."""
        said = self._said_boxes.get(track.id)
        if said is None:
            return False
        left, top, right, bottom = track.box_px
        limit = DRIFT * math.sqrt(max((right - left) * (bottom - top), 0.0))
        across = abs(left + right - said[0] - said[2]) / 2
        down = max(abs(top + bottom - said[1] - said[3]) / 2, abs(bottom - said[3]))
        return math.hypot(across, down) > limit

    def _moving_due(self, at: float) -> bool:
        """Whether this look is the last one in time: the next is expected after the longer of the last two waits."""
        if self._said_at is None:
            return True
        waited, wait = at - self._said_at, self._moving_seconds
        next_look = max((b - a for a, b in pairwise(self._looks)), default=0.0)
        if waited + next_look > wait + _EARLY:
            return waited >= wait - _MOST_EARLY - _ROUNDING
        return waited >= wait - _EARLY


def _is_fresh(track: Track, frame: Frame) -> bool:
    return track.label != "person" and (frame.captured_at - track.since).total_seconds() < FRESH_SECONDS


def _object(track: Track, size: tuple[int, int]) -> SceneObject:
    width, height = size
    left, top, right, bottom = track.box_px
    return SceneObject(
        id=track.id,
        label=track.label,
        score=round(min(max(track.score, 0.0), 1.0), 4),
        box=(_relative(left, width), _relative(top, height), _relative(right, width), _relative(bottom, height)),
        moving=track.moving,
        since=track.since,
    )


def _relative(edge: float, side: int) -> float:
    return round(min(max(edge / side, 0.0), 1.0), 4)
