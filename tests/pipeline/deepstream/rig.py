"""A DeepStream engine with lanes, as the service has them, over the stand-ins."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import supervision as sv

from pipeline.capture import Frame
from pipeline.deepstream.engine import DeepStreamEngine
from pipeline.engine import Lane
from pipeline.scene import Draft
from pipeline.watcher import Watcher
from spotter.settings import Settings, loads

from ..staging import GREEN_PERSON, RED_KETTLEBELL
from . import stand_ins

PATIENCE = 60.0


def visit(at: float) -> list[Any]:
    """A kettlebell on the floor; a person comes at 1 s, stays, and leaves at 5 s."""
    blocks: list[Any] = [(RED_KETTLEBELL, (250, 130, 280, 160))]
    if 1 <= at < 5:
        left = 20 + 8 * int(at * 10 % 4)
        blocks.append((GREEN_PERSON, (left, 20, left + 50, 160)))
    return blocks


class Running:
    """An engine with lanes, as the service has them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = DeepStreamEngine(settings)
        self.drafts: dict[str, list[Draft]] = {}
        self.lanes: dict[str, Lane] = {}
        self.shown: dict[str, list[tuple[Frame, sv.Detections]]] = {}
        """What came with a picture."""
        for name in settings.cameras:
            self.lanes[name] = self._lane(name, settings)
        self.engine.start(list(self.lanes.values()))
        for lane in self.lanes.values():
            lane.feed.start()  # type: ignore[attr-defined]

    def _lane(self, name: str, settings: Settings) -> Lane:
        camera = settings.cameras[name]
        watcher = Watcher(
            settings.site, name, camera, id_prefix="k3f9", confidence=0.4, given_tracks=self.engine.follows
        )
        source = self.engine.open(name, camera, wants=watcher.wants, loop_since=None)
        shown = self.shown.setdefault(name, [])
        return Lane(
            name,
            source,
            watcher,
            self.drafts.setdefault(name, []).append,
            lambda frame, found: shown.append((frame, found)) if frame.image.size else None,
        )

    def source(self, name: str) -> Any:
        return self.lanes[name].feed

    def add(self, name: str, settings: Settings) -> None:
        self.lanes[name] = self._lane(name, settings)
        self.engine.use(list(self.lanes.values()))
        self.source(name).start()

    def remove(self, name: str) -> None:
        self.source(name).stop()
        del self.lanes[name]
        self.engine.use(list(self.lanes.values()))


def settings_of(folder: Path, cameras: str, **deepstream: Any) -> Settings:
    own = json.dumps({"max_cameras": 4, "width": 640, "height": 360, **deepstream})
    return loads(f"engine: deepstream\nmodel: model.onnx\ndeepstream: {own}\ncameras:\n{cameras}", base=folder)


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def looked(running: Running, name: str) -> int:
    return len(running.lanes[name].detected._times)


def built(kind: type) -> list[Any]:
    """The stand-ins of a kind that were made, oldest first."""
    return [one for one in stand_ins.built if isinstance(one, kind)]
