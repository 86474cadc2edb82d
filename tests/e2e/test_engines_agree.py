"""The same clip through each engine gives the same usage sessions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "spotter" / "demo" / "gym.yaml"
CLIPS = ROOT.parent / "shared" / "data" / "clips"

LOOK_SECONDS = 0.25
"""Between two looks, a little more: a session may begin or end with the look before or after."""

pytestmark = pytest.mark.timeout(600)


def require_gstreamer() -> None:
    tried = subprocess.run(
        [sys.executable, "-c", "import pipeline.capture.gstreamer"], capture_output=True, text=True, check=False
    )
    if tried.returncode and os.environ.get("GSTREAMER") == "1":
        pytest.fail(tried.stderr)
    if tried.returncode:
        pytest.skip("needs GStreamer")


def sessions(folder: Path, engine: str, gym: dict[str, Any], camera: str, clip: Path) -> list[dict[str, Any]]:
    """What `spotter record` and `spotter replay` make of a clip."""
    only = {**gym["cameras"][camera], "uri": str(clip), "loop": False}
    config, scenes = folder / f"{engine}.yaml", folder / f"{engine}.jsonl"
    config.write_text(yaml.safe_dump({**gym, "engine": engine, "cameras": {camera: only}}))
    run("record", "--config", str(config), "--camera", camera, "--out", str(scenes), "--start", "2026-01-01T00:00:00Z")
    told = [json.loads(line) for line in run("replay", str(scenes), "--config", str(config)).splitlines()]
    return [one for one in told if "session" in one]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "spotter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def assert_equal(found: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert found
    for one in (found, other):
        one.sort(key=lambda session: session["started"])
    same = ("equipment", "unit", "zone", "ended_by")
    assert [[one[key] for key in same] for one in found] == [[one[key] for key in same] for one in other]
    for one, its_like in zip(found, other, strict=True):
        for end in ("started", "ended"):
            assert (one[end] is None) == (its_like[end] is None)
            if one[end]:
                assert seconds(one[end]) == pytest.approx(seconds(its_like[end]), abs=LOOK_SECONDS)
        assert one["active_seconds"] == pytest.approx(its_like["active_seconds"], abs=4 * LOOK_SECONDS)


def seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def test_a_demo_clip_gives_the_same_sessions(tmp_path: Path) -> None:
    require_gstreamer()
    gym, clip = yaml.safe_load(DEMO.read_text()), DEMO.with_name("cardio.mp4")
    by_opencv, by_gstreamer = (sessions(tmp_path, engine, gym, "cardio", clip) for engine in ("opencv", "gstreamer"))
    assert_equal(by_opencv, by_gstreamer)


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not beside the project (../shared/data)")
def test_a_real_clip_gives_the_same_sessions(tmp_path: Path) -> None:
    require_gstreamer()
    clip = CLIPS / "kettlebell-deadlift.mp4"
    gym = yaml.safe_load(clip.with_suffix(".gym.yaml").read_text())
    by_opencv, by_gstreamer = (sessions(tmp_path, engine, gym, "clip", clip) for engine in ("opencv", "gstreamer"))
    assert_equal(by_opencv, by_gstreamer)
