"""Judges how a camera is doing, truthfully: online only while its frames are really looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotter.events import CameraState

if TYPE_CHECKING:  # health must import without OpenCV: engines with their own capture bring none
    from pipeline.capture.feed import Phase

SILENT_SECONDS = 3.0
"""Without a picture for so long, a camera has none."""

STALLED_SECONDS = 5.0
"""Without a look for so long, the detector has stalled: even a quiet camera is looked at every 2 s."""

OFFLINE_SECONDS = 10.0
"""What lasts so long is offline; before it is degraded."""

_OVERTAKEN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is measured of one camera at a moment. Ages in seconds; None: it never happened."""

    phase: Phase
    reason: str | None
    phase_age: float
    frame_age: float | None
    look_age: float | None
    offered_fps: float = 0.0
    overtaken_fps: float = 0.0
    detector_error: str | None = None
    outbox_trouble: str | None = None


def judge(vitals: Vitals) -> tuple[CameraState, str | None]:
    """The state and, unless online, the reason in plain words."""
    if vitals.phase == "ended":
        return "offline", vitals.reason
    if vitals.phase == "preparing":  # however long: an engine's first build takes minutes, and is no stall
        return "degraded", vitals.reason
    if vitals.phase == "connecting":
        return _by_age(vitals.phase_age), vitals.reason or "connecting to the camera"
    if vitals.phase == "retrying":
        return _by_age(vitals.phase_age if vitals.look_age is not None else OFFLINE_SECONDS), vitals.reason
    if vitals.frame_age is not None and vitals.frame_age > SILENT_SECONDS:
        return _by_age(vitals.frame_age), vitals.reason or "the camera is connected but sends no pictures"
    unseen = vitals.phase_age if vitals.look_age is None else min(vitals.look_age, vitals.phase_age)
    if vitals.detector_error is not None:
        return _by_age(unseen), f"the detector fails ({vitals.detector_error})"
    if unseen > STALLED_SECONDS:
        return _by_age(unseen), "the detector has stalled"
    if vitals.look_age is None:
        return "degraded", "waiting for the first look at a picture"
    if vitals.outbox_trouble is not None:
        return "degraded", vitals.outbox_trouble
    if vitals.overtaken_fps > _OVERTAKEN_SHARE * vitals.offered_fps and vitals.offered_fps > 0:
        return "degraded", "the detector is too slow for detect_fps: most frames are passed over"
    return "online", None


def has_picture(vitals: Vitals) -> bool:
    """Whether the camera's frames are seen; while they are not, its scenes say so."""
    if vitals.phase == "connecting":
        return vitals.phase_age <= SILENT_SECONDS
    if vitals.phase != "playing":
        return False
    return judge(vitals)[0] != "offline" and (vitals.frame_age is None or vitals.frame_age <= SILENT_SECONDS)


def _by_age(age: float) -> CameraState:
    return "degraded" if age < OFFLINE_SECONDS else "offline"
