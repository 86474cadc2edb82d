"""What is told of the rules' thinking, scene by scene; that it is told only when asked; and that it stops nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from consumers import thinking
from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.view import view_of
from spotter import redis_keys
from spotter.settings import Settings
from spotter.thoughts import WHYS, Thought, Thoughts

from .scenes import Film, kettlebell, person
from .servers import Server

ZONES = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.3, 0.5], [0.3, 1.0], [0.0, 1.0]]}
      rack-a: {kind: rack, holds: {kettlebell: 2}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
      mats: {kind: floor, polygon: [[0.3, 0.6], [0.7, 0.6], [0.7, 1.0], [0.3, 1.0]]}
      aisle: {kind: walkway, polygon: [[0.7, 0.6], [1.0, 0.6], [1.0, 1.0], [0.7, 1.0]]}
      line: {kind: waiting, for: [treadmill-1], polygon: [[0.3, 0.0], [0.7, 0.0], [0.7, 0.5], [0.3, 0.5]]}
  desk: {uri: clip.mp4, zones: {here: {kind: kiosk, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}}}
"""
ON, WAITS, BY_BELL = (0.15, 0.9), (0.5, 0.4), (0.45, 0.9)


@pytest.fixture
def interpreter(gym: Callable[[str], Settings]) -> Interpreter:
    return Interpreter(layout_of_settings(gym(ZONES), 7))


def after(interpreter: Interpreter, film: Film, camera: str = "cam") -> Thoughts:
    last = film.scenes[-1]
    film._add(last.objects, picture=last.picture)
    for scene in film.scenes:
        interpreter.feed(view_of(scene))
    found = thinking.think(interpreter, camera)
    assert found is not None
    return found


def one(thoughts: Thoughts, rule: str) -> Thought:
    (found,) = (thought for thought in thoughts.thoughts if thought.rule == rule)
    return found


RUNNER, BELL, SWUNG = person("p", *ON), kettlebell("k", 0.5, 0.9), kettlebell("k", 0.5, 0.9, moving=True)
LOW = kettlebell("k", 0.5, 0.9, moving=True, score=0.36)


@pytest.mark.parametrize(
    ("film", "rule", "why", "session", "seconds", "needed"),
    [
        (Film().show([], 5), "station", "nobody", False, None, None),
        (Film().show([RUNNER], 2), "station", "entering", False, 2.0, 3.0),
        (Film().show([RUNNER], 20), "station", "inside", True, 20.0, None),
        (Film().show([RUNNER], 20).show([], 4), "station", "leaving", True, 4.0, 15.0),
        (Film().show([RUNNER], 20).dark(4), "station", "unseen", True, None, None),
        (Film().show([BELL], 20), "kit", "alone", False, None, None),
        (Film().show([SWUNG], 1), "kit", "moving", False, 1.0, 2.0),
        (Film().show([SWUNG], 9), "kit", "moving", True, 9.0, None),
        (Film().show([person("q", *BY_BELL), BELL], 9), "kit", "held", True, 9.0, None),
        (Film().show([SWUNG], 9).show([BELL], 4), "kit", "resting", True, 4.0, 20.0),
        (Film().show([SWUNG], 9).show([], 4), "kit", "covered", True, 4.0, 10.0),
        (Film().show([LOW], 9), "kit", "doubtful", False, None, None),
        (Film().show([kettlebell("k", 0.9, 0.5)], 30), "kit", "at_home", False, None, None),
        (Film().show([kettlebell("k", 0.9, 0.5)], 30), "rack", "short", False, None, None),
        (
            Film().show([kettlebell("k", 0.9, 0.5), kettlebell("l", 0.85, 0.4)], 30),
            "rack",
            "complete",
            False,
            None,
            None,
        ),
        (Film().show([BELL], 60), "lying", "lying", False, 60.0, 120.0),
        (Film().show([BELL], 130), "lying", "left_out", False, 130.0, None),
        (Film().show([kettlebell("k", 0.8, 0.9)], 4), "lying", "in_walkway", False, 4.0, 20.0),
        (Film().show([kettlebell("k", 0.8, 0.9)], 24), "lying", "hazard", False, 24.0, None),
        (Film().show([], 4), "queue", "no_queue", False, None, None),
        (Film().show([person("w", *WAITS)], 4), "queue", "unit_free", False, None, None),
        (Film().show([person("w", *WAITS), RUNNER], 9), "queue", "waiting", False, 9.0, 300.0),
        (Film().show([RUNNER], 5).dark(4), "camera", "dark", False, 4.5, 60.0),
    ],
)
def test_each_judgement_is_told_with_its_reason(
    interpreter: Interpreter, film: Film, rule: str, why: str, session: bool, seconds: float, needed: float
) -> None:
    found = one(after(interpreter, film), rule)
    assert (found.why, found.session, found.seconds, found.needed) == (why, session, seconds, needed)


def test_a_kiosk_tells_what_it_is_about_to_say(interpreter: Interpreter) -> None:
    held = kettlebell("k", 0.5, 0.5)
    assert one(after(interpreter, Film("desk").show([held], 0.5, 0.25), "desk"), "kiosk").why == "looking"
    assert (
        one(after(interpreter, Film("desk", stream="S2").show([held], 3, 0.25), "desk"), "kiosk").label == "kettlebell"
    )


def test_zones_and_version_are_those_in_force(interpreter: Interpreter) -> None:
    thoughts = after(interpreter, Film().show([RUNNER], 1))
    assert (thoughts.layout_version, thoughts.zones["rack-a"].kind) == (7, "rack")
    assert thinking.think(interpreter, "nothing") is None


def test_only_who_is_asked_for_is_told_of_and_a_failure_stops_nothing(
    interpreter: Interpreter, redis_process: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis.Redis(port=redis_process.port)
    after(interpreter, Film().show([RUNNER], 9))
    assert thinking.answer(client, {"gym": interpreter}) == 0
    client.set(redis_keys.thoughts_asked("gym", "cam"), b"1")
    assert thinking.answer(client, {"gym": interpreter}) == 1
    told = Thoughts.model_validate_json(client.get(redis_keys.thoughts("gym", "cam")))  # type: ignore[arg-type]
    assert one(told, "station").people == 1
    monkeypatch.setattr(thinking, "_all", lambda *_: 1 / 0)
    assert thinking.answer(client, {"gym": interpreter}) == 0


def test_every_reason_is_explained() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "rules" / "thinking.md").read_text(encoding="utf-8")
    assert [why for why in WHYS if f"`{why}`" not in text] == []
