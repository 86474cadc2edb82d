"""Real people and real kettlebells through the shipped detector, as `spotter record` does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.detection import open_finder
from pipeline.recording import record
from spotter.errors import WeightsError
from spotter.events import Scene, SceneObject, seconds_between
from spotter.settings import Camera, Settings
from spotter.weights import weights_path

from .staging import START

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"


def shipped_weights_are_there() -> bool:
    try:
        weights_path(None)
    except WeightsError:
        return False
    return True


pytestmark = [
    pytest.mark.skipif(not CLIPS.is_dir(), reason=f"the real clips are not here ({CLIPS})"),
    pytest.mark.skipif(not shipped_weights_are_there(), reason="the shipped weights are not made yet"),
]


def recorded(name: str, seconds: float | None = None) -> list[Scene]:
    settings = Settings(cameras={"clip": Camera(uri=str(CLIPS / f"{name}.mp4"))})
    return list(record(settings, "clip", open_finder(settings), start=START, seconds=seconds))


def objects_at(scenes: list[Scene], at: float) -> tuple[SceneObject, ...]:
    """What is there at a time: what the last scene said."""
    return [scene for scene in scenes if seconds_between(START, scene.time) <= at][-1].objects


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_the_person_and_the_kettlebell_of_a_deadlift_are_found_most_of_the_time() -> None:
    scenes = recorded("kettlebell-deadlift")
    times = [0.4 + step / 5 for step in range(66)]  # until the title card
    found = dict.fromkeys(("person", "kettlebell"), 0)
    for at in times:
        for label in {one.label for one in objects_at(scenes, at)} & found.keys():
            found[label] += 1
    assert found["person"] > 0.9 * len(times)
    assert found["kettlebell"] > 0.6 * len(times)
    truth = json.loads((CLIPS / "kettlebell-deadlift.truth.json").read_text())
    for label, least in (("person", 0.9), ("kettlebell", 0.5)):
        hits = sum(
            any(one.label == label and overlap(one.box, moment[label]) > 0.4 for one in objects_at(scenes, moment["t"]))
            for moment in truth["boxes"]
        )
        assert hits >= least * len(truth["boxes"]), label
    assert not objects_at(scenes, 16.0), "the black title card shows nothing"


def test_three_people_one_after_another_are_three_tracks() -> None:
    scenes = recorded("people-one-by-one")
    seen: dict[str, list[float]] = {}
    for scene in scenes:
        for one in scene.objects:
            if one.label == "person":
                seen.setdefault(one.id, []).append(seconds_between(START, scene.time))
    long = sorted((min(times), max(times)) for times in seen.values() if max(times) - min(times) > 5)
    assert len(long) == 3
    truth = json.loads((CLIPS / "people-one-by-one.truth.json").read_text())
    for (first, last), session in zip(long, truth["sessions"], strict=True):
        assert first < session["start"]
        assert last > session["end"] - 0.5
