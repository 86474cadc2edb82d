"""The committed demo footage: long enough, small enough, looping, and in step with its settings and its truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

cv2 = pytest.importorskip("cv2", reason="clips are read with OpenCV")

DEMO = Path(__file__).parents[3] / "spotter" / "demo"
CAMERAS = ("cardio", "free-weights", "kiosk")
LABELS = {
    "kettlebell",
    "med_ball",
    "foam_roller",
    "yoga_block",
    "lacrosse_ball",
    "aqua_ball",
    "exercise_ball",
    "dumbbell",
}


def gym() -> Any:
    return yaml.safe_load((DEMO / "gym.yaml").read_text())


def truth(camera: str) -> Any:
    return json.loads((DEMO / f"{camera}.truth.json").read_text())


def frames(camera: str) -> tuple[list[Any], float]:
    clip = cv2.VideoCapture(str(DEMO / f"{camera}.mp4"))
    fps = clip.get(cv2.CAP_PROP_FPS)
    found = []
    while True:
        read, picture = clip.read()
        if not read:
            return found, fps
        found.append(picture)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_clip_is_long_smooth_and_loops(camera: str) -> None:
    pictures, fps = frames(camera)
    assert fps >= 5
    assert len(pictures) / fps >= 30
    assert pictures[0].shape == (360, 640, 3)
    apart = np.abs(pictures[0].astype(int) - pictures[-1].astype(int)).mean()
    assert apart < 2, "the last picture is like the first"
    moving = [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(pictures[::8], pictures[8::8], strict=False)]
    assert max(moving) > 1, "something happens"


def test_the_clips_are_small_enough_to_commit() -> None:
    assert sum((DEMO / f"{camera}.mp4").stat().st_size for camera in CAMERAS) < 12_000_000


def test_the_settings_name_every_clip_and_are_valid() -> None:
    from spotter.settings.reader import load

    load(DEMO / "gym.yaml")
    for camera in CAMERAS:
        assert gym()["cameras"][camera]["uri"] == f"{camera}.mp4"
        assert gym()["cameras"][camera]["loop"] is True


@pytest.mark.parametrize("camera", CAMERAS)
def test_zones_lie_on_the_picture(camera: str) -> None:
    for zone in gym()["cameras"][camera]["zones"].values():
        assert len(zone["polygon"]) >= 3
        assert all(0 <= value <= 1 for point in zone["polygon"] for value in point)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_truth_is_of_this_clip_and_these_zones(camera: str) -> None:
    pictures, fps = frames(camera)
    stations = {n: z["equipment"] for n, z in gym()["cameras"][camera]["zones"].items() if z["kind"] == "station"}
    told = truth(camera)
    for session in told["sessions"]:
        assert 0 < session["start"] < session["end"] < len(pictures) / fps
        if session["unit"] is None:
            assert session["equipment"] in LABELS
        else:
            assert stations[session["unit"]] == session["equipment"]
    assert all(0 <= start < end for start, end in told["uncertain"])


def test_every_camera_has_something_to_find() -> None:
    assert {session["unit"] for session in truth("cardio")["sessions"]} == {"treadmill-1", "treadmill-2"}
    assert {session["equipment"] for session in truth("free-weights")["sessions"]} == {"kettlebell", "foam_roller"}
    held = truth("kiosk")["held"]
    assert [one["label"] for one in held] == ["yoga_block", "med_ball", "kettlebell"]
    assert all(one["end"] - one["start"] >= 2.5 for one in held)


@pytest.mark.parametrize("camera", ["cardio", "free-weights"])
def test_sessions_outlast_the_thresholds_of_the_demo(camera: str) -> None:
    rules = gym()["rules"]
    ends: dict[tuple[str, str | None], float] = {}
    for session in truth(camera)["sessions"]:
        needed = rules["enter_after"] if session["unit"] else rules["use_after"]
        assert session["end"] - session["start"] > needed + 1
        key = (session["equipment"], session["unit"])
        if key in ends:
            assert session["start"] - ends[key] > rules["rest_after"], "two sessions stay two"
        ends[key] = session["end"]
