"""Whether a camera's picture really covered the time between two scenes.

A camera without a picture is not evidence of absence: what is open is held, and ended once it lasts too long. See
`docs/rules/camera.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumers.facts import HOUR_MS, SLICE_MS, AlertFact, WatchedFact
from consumers.rules.alerts import Alerts, OpenAlert, clear, raise_if_new, seconds
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
    """Of its newest scene with a picture; of its first scene until there was one."""
    lost: bool = False
    """It has been without a picture for so long that nothing is held for it any more."""
    watched_from: int | None = None
    """Where the stretch began that was watched up to the newest scene and is not told of yet."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the time before a scene is worth."""

    watched: int
    """Milliseconds up to this scene in which the picture really showed what there was; 0 after a gap."""
    lost: bool
    """At this scene it became known that the camera has been without a picture for too long."""


_NOTHING = Coverage(0, lost=False)


def step(state: CameraState | None, view: View, thresholds: Thresholds) -> tuple[CameraState, Coverage]:
    """Take a scene into account; its time is not before that of the one before."""
    if state is None:
        return CameraState(view.stream, view.time, view.picture, view.time), _NOTHING
    elapsed = view.time - state.time
    seen = state.picture and view.picture and elapsed <= thresholds.camera_gap
    lost = not seen and not state.lost and _blind(state, view.time) >= thresholds.camera_lost_after
    state.stream, state.time, state.picture = view.stream, view.time, view.picture
    state.lost = (state.lost or lost) and not view.picture
    if view.picture:
        state.picture_time = view.time
    return state, Coverage(elapsed if seen else 0, lost)


def is_dark(state: CameraState, now: int, thresholds: Thresholds) -> bool:
    """Whether the camera shows nothing now, so that not to see something is no evidence."""
    return not state.picture or now - state.time > thresholds.camera_gap


def fall_silent(state: CameraState, now: int, thresholds: Thresholds) -> bool:
    """Whether it becomes known now, by another camera's scene, that this one has long been without a picture."""
    if state.lost or _blind(state, now) < thresholds.camera_lost_after:
        return False
    state.lost, state.picture = True, False
    return True


def tell_watched(state: CameraState, camera: str, before: int, watched: int) -> list[WatchedFact]:
    """What was watched, in stretches that cross no full hour; `before` is the time of the scene before.

    A stretch is told of once it is 10 s long, the hour is over, or the picture is gone.
    """
    facts: list[WatchedFact] = []
    if state.time == before and state.picture:
        return facts
    if not watched:
        if state.watched_from is not None:
            facts.append(WatchedFact(camera, state.watched_from, before))
            state.watched_from = None
        return facts
    begin = before if state.watched_from is None else state.watched_from
    while begin // HOUR_MS < state.time // HOUR_MS:
        hour = (begin // HOUR_MS + 1) * HOUR_MS
        facts.append(WatchedFact(camera, begin, hour))
        begin = hour
    if state.time - begin >= SLICE_MS:
        facts.append(WatchedFact(camera, begin, state.time))
        begin = state.time
    state.watched_from = begin if begin < state.time else None
    return facts


def alert_lost(
    state: CameraState, camera: str, dark_since: int, alerts: Alerts, thresholds: Thresholds, version: int
) -> list[AlertFact]:
    """Raise `camera_offline` at the moment at which the picture had been away for too long.

    Where that becomes known by a picture that is back, the alert is over at once.
    """
    after = thresholds.camera_lost_after
    alert = OpenAlert("camera_offline", camera, dark_since + after, camera=camera, layout_version=version)
    facts = raise_if_new(alerts, alert, f"camera {camera} gives no picture for {seconds(after)}")
    return facts + (alert_back(state, camera, alerts) if state.picture else [])


def alert_back(state: CameraState, camera: str, alerts: Alerts) -> list[AlertFact]:
    """Clear `camera_offline`: the picture is back."""
    return clear(alerts, "camera_offline", camera, state.time, f"camera {camera} gives a picture again")


def dark_since(state: CameraState) -> int:
    """When the camera last had a picture; when its first scene came, if it never had."""
    return state.picture_time if state.picture_time is not None else state.time


def _blind(state: CameraState, now: int) -> int:
    return now - dark_since(state)
