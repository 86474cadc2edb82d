"""Whether a camera's picture really covered the time between two scenes.

A camera without a picture is not evidence of absence: what is open is held, and ended once it lasts too long.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumers.rules.thresholds import Thresholds
from consumers.view import View


@dataclass(slots=True)
class CameraState:
    """What is remembered of a camera's picture. Times in milliseconds since 1970."""

    stream: str
    time: int
    """Of its newest scene."""
    picture: bool
    picture_time: int | None
    """Of its newest scene with a picture."""
    lost: bool = False
    """It has been without a picture for so long that nothing is held for it any more."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the time before a scene is worth."""

    watched: int
    """Milliseconds up to this scene in which the picture really showed what there was; 0 after a gap."""
    lost: bool
    """At this scene it became known that the camera has been without a picture for too long."""


def step(state: CameraState | None, view: View, thresholds: Thresholds) -> tuple[CameraState, Coverage]:
    """Take a scene into account; its time is not before that of the one before."""
    if state is None:
        fresh = CameraState(view.stream, view.time, view.picture, view.time if view.picture else None)
        return fresh, Coverage(0, lost=False)
    elapsed = view.time - state.time
    watched = elapsed if state.picture and view.picture and elapsed <= thresholds.camera_gap else 0
    blind = view.time - state.picture_time if state.picture_time is not None else 0
    broken = not state.picture or not view.picture or elapsed > thresholds.camera_gap
    lost = broken and blind >= thresholds.camera_lost_after and not state.lost
    state.stream, state.time, state.picture = view.stream, view.time, view.picture
    state.lost = (state.lost or lost) and not view.picture
    if view.picture:
        state.picture_time = view.time
    return state, Coverage(watched, lost)
