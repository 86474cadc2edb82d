from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone

import pytest

from pipeline.capture import Frame
from pipeline.detection import best_batch
from pipeline.engine import Engine, Lane
from pipeline.watcher import Watcher
from spotter.settings import Camera

from .staging import ColourDetector, detections, picture


class Slot:
    """A feed that always has a frame, or none."""

    def __init__(self, full: bool = True) -> None:
        self.full, self.taken = full, 0
        self._at = 0.0

    @property
    def has_frame(self) -> bool:
        return self.full

    def take(self) -> Frame | None:
        self.taken += 1
        self._at += 0.2
        return Frame(picture(), datetime.now(timezone.utc), self._at)


def lane(name: str, slot: Slot, looked=None) -> Lane:
    watcher = Watcher("downtown", name, Camera(uri=0), id_prefix="k3f9", confidence=0.3)
    return Lane(name, slot, watcher, lambda draft: None, looked)  # type: ignore[arg-type]


def test_the_camera_that_waited_longest_is_next() -> None:
    slots = {name: Slot() for name in "abc"}
    engine = Engine(ColourDetector())
    engine._lanes = tuple(lane(name, slot) for name, slot in slots.items())
    for _ in range(30):
        engine.step()
    engine.step(begin=False)
    assert engine.looked == 30
    assert [slot.taken for slot in slots.values()] == [10, 10, 10]


def test_a_camera_without_frames_costs_the_others_nothing() -> None:
    busy, dead = Slot(), Slot(full=False)
    engine = Engine(ColourDetector(), batch=4)
    engine._lanes = (lane("busy", busy), lane("dead", dead))
    for _ in range(5):
        assert engine.step()
    assert (busy.taken, dead.taken) == (5, 0)


class Failing:
    def __init__(self) -> None:
        self.fails = True

    def prepare(self, images: Sequence[object]) -> Sequence[object]:
        return images

    def find(self, images: Sequence[object]) -> list[object]:
        if self.fails:
            raise RuntimeError("out of memory\nand more")
        return [detections() for _ in images]


def test_a_failing_detector_is_told_of_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engine._AFTER_ERROR_SECONDS", 0.01)
    detector = Failing()
    engine = Engine(detector)  # type: ignore[arg-type]
    one = lane("a", Slot())
    engine._lanes = (one,)
    engine.step()
    engine.step(begin=False)
    assert engine.error == "RuntimeError: out of memory"
    assert one.processed_at is None
    detector.fails = False
    engine.step()
    engine.step(begin=False)
    assert engine.error is None
    assert one.processed_at is not None


def test_a_hanging_detector_does_not_hang_the_stop() -> None:
    held = threading.Event()

    class Hanging:
        def prepare(self, images: Sequence[object]) -> Sequence[object]:
            return images

        def find(self, images: Sequence[object]) -> list[object]:
            held.wait(10)
            return [detections() for _ in images]

    engine = Engine(Hanging())  # type: ignore[arg-type]
    engine.start([lane("a", Slot())])
    time.sleep(0.1)
    assert engine.busy_since is not None
    began = time.monotonic()
    engine.stop(0.3)
    assert time.monotonic() - began < 1
    held.set()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({1: 0.010, 2: 0.020, 4: 0.040}, 1), ({1: 0.010, 2: 0.011, 4: 0.042}, 2), ({1: 0.010, 2: 0.012, 4: 0.014}, 4)],
)
def test_the_batch_is_the_one_that_measures_fastest(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], expected: int
) -> None:
    monkeypatch.setattr("pipeline.detection._seconds_each", lambda _, pictures: seconds[len(pictures)] / len(pictures))
    assert best_batch(ColourDetector(), 8) == expected
    assert best_batch(ColourDetector(), 1) == 1
