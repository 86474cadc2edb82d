"""One camera's way from frames to scenes: motion gate, tracker, publishing rules. It reads no clock."""

from __future__ import annotations

from datetime import datetime

import supervision as sv

from pipeline.capture import Frame
from pipeline.motion import MotionGate
from pipeline.scene import Draft, SceneBuilder
from pipeline.tracking import Tracker
from spotter.settings import Camera


class Watcher:
    """Everything that is remembered of one camera between frames."""

    def __init__(
        self,
        site: str,
        name: str,
        camera: Camera,
        *,
        id_prefix: str,
        confidence: float,
        given_tracks: bool = False,
    ) -> None:
        self.gate = MotionGate()
        self.tracker = Tracker(id_prefix=id_prefix, confidence=confidence, fps=camera.detect_fps, given=given_tracks)
        self.scenes = SceneBuilder(site, name, kiosk=camera.is_kiosk)

    def wants(self, frame: Frame) -> bool:
        """Whether the detector should look at this frame."""
        return self.gate.passes(frame, due=self.scenes.still_due(frame.at))

    def see(self, frame: Frame, detections: sv.Detections) -> Draft | None:
        """Take in what the detector found; gives the scene that this makes due, if any."""
        tracks = self.tracker.update(frame, detections)
        self.gate.awake = self.tracker.restless
        return self.scenes.seen(frame, tracks)

    def see_nothing(self, time: datetime, at: float) -> Draft | None:
        """The scene that says that there is no picture, if one is due."""
        return self.scenes.unseen(time, at)
