"""Cameras of a DeepStream engine over the stand-ins, one after another, in the shape of feeds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
import supervision as sv

from pipeline.capture import Frame
from pipeline.deepstream import strict_pyds
from pipeline.deepstream.engine import DeepStreamEngine
from pipeline.engine import Lane
from pipeline.watcher import Watcher
from spotter.settings import Camera

from ..staging import ColourDetector
from ..weights import write_weights
from . import stand_ins
from .rig import settings_of


class DeepStreamFeeds:
    """One engine; each camera that is played joins it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        stand_ins.register()
        detector = ColourDetector()
        patch.setitem(sys.modules, "pyds", strict_pyds.module())
        patch.delenv("USE_NEW_NVSTREAMMUX", raising=False)
        stand_ins.finders.append(lambda image: detector.find([image])[0])
        write_weights(folder / "model.onnx")
        self._engine = DeepStreamEngine(settings_of(folder, '  rack: {uri: "rtsp://127.0.0.1:1/x"}', max_cameras=7))
        self._engine.start([])
        self._lanes: list[Lane] = []

    def play(self, camera: Camera) -> Any:
        """Its source; `take` gives the newest picture that came for a preview."""
        name = f"camera-{len(self._lanes)}"
        watcher = Watcher("gym", name, camera, id_prefix="k3f9", confidence=0.4, given_tracks=True)
        source: Any = self._engine.open(name, camera, wants=watcher.wants, loop_since=None)
        pictures: list[Frame] = []

        def looked(frame: Frame, found: sv.Detections) -> None:
            if frame.image.size:
                small = cv2.resize(frame.image, frame.size, interpolation=cv2.INTER_AREA)
                pictures[:] = [Frame(small, frame.captured_at, frame.at)]

        source.take = lambda: pictures.pop() if pictures else None
        source.watched = True
        self._lanes.append(Lane(name, source, watcher, lambda draft: None, looked))
        self._engine.use(self._lanes)
        source.start()
        return source

    def stop(self) -> None:
        for lane in self._lanes:
            lane.feed.stop()  # type: ignore[attr-defined]
        self._engine.stop(5)
        stand_ins.finders.pop()
