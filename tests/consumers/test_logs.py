"""The rules on what the first detector saw in real clips: facts of boxes and times, recorded by `spotter record`.

Its wrong labels beside the true one are the detector's matter, so only the true equipment is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.replay import interpret, read_scenes
from consumers.truth import TrueSession, Truth, compare
from spotter.settings import Settings

from .scenes import START

LOGS = Path(__file__).parent / "logs"
SPOT = """
site: clips
cameras:
  clip:
    uri: clip.mp4
    zones:
      spot-1:
        kind: station
        equipment: standing-desk
        polygon: [[0.42, 0.62], [0.73, 0.62], [0.766, 0.96], [0.38, 0.96]]
rules: {enter_after: 1, leave_after: 3}
"""
CLIP = "site: clips\ncameras: {clip: {uri: clip.mp4}}\n"


@pytest.mark.parametrize(
    ("log", "gym_text", "subject", "times", "uncertain"),
    [
        ("people-one-by-one", SPOT, ("standing-desk", "spot-1"), [(7.4, 18.9), (24.2, 43.9), (52.0, 69.0)], []),
        ("kettlebell-deadlift", CLIP, ("kettlebell", None), [(0, 13.83)], []),
        ("kettlebell-row", CLIP, ("kettlebell", None), [(0, 24.13)], [(24.0, 29.1)]),
        ("kettlebell-snatch-and-floor", CLIP, ("kettlebell", None), [(0, 16.12)], [(16.0, 68.667)]),
    ],
)
def test_minutes_are_right_within_5_percent_and_no_session_is_missed_false_or_split(
    gym: Callable[[str], Settings],
    log: str,
    gym_text: str,
    subject: tuple[str, str | None],
    times: list[tuple[float, float]],
    uncertain: list[tuple[float, float]],
) -> None:
    equipment, unit = subject
    sessions = tuple(TrueSession(equipment=equipment, unit=unit, start=start, end=end) for start, end in times)
    truth = Truth(start=START, uncertain=tuple(uncertain), sessions=sessions)
    score = compare(interpret(read_scenes(LOGS / f"{log}.jsonl"), gym(gym_text)), truth).scores[subject]
    assert score.error is not None
    assert score.error <= 0.05
    assert (score.missed, score.false, score.split) == (0, 0, 0)
