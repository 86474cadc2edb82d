"""Our truth set: what the shipped detector saw of real clips, written scenarios, and stages that chance wrote.

`python -m tests.truth.write FOLDER` writes all of it as files for `spotter replay`, `truth` and `rules try`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trackers", reason="needs the [cpu] extra")

from consumers.facts import SessionFact
from consumers.interpreter import Interpreter, StoredState, restore
from consumers.layout import layout_of_settings
from consumers.replay import Interpretation, interpret
from consumers.scene_log import read_scenes
from consumers.truth import Comparison, Score, Truth, compare, read_truth
from consumers.view import to_ms, view_of
from spotter.settings import Settings, load, loads

from . import chance
from .scenarios import ALL
from .stage import START, Person, Stage

CLIPS = Path(__file__).parent / "clips"
NAMES = sorted(path.stem for path in CLIPS.glob("*.jsonl"))

OVERALL, EACH_UNIT = 0.05, 0.10
"""Errors of usage minutes that are allowed: the bar of design section 11."""

SEEDS = (1, 4, 5, 7, 8, 9, 112, 128, 353, 362, 404, 473, 820, 929, 976, 1011)


def settings_of(gym: str) -> Settings:
    return loads(gym, base=Path(), environment={})


def of_clip(name: str) -> tuple[Interpretation, Truth, Settings]:
    settings = load(CLIPS / f"{name}.gym.yaml")
    return interpret(read_scenes(CLIPS / f"{name}.jsonl"), settings), read_truth(CLIPS / f"{name}.truth.json"), settings


def of_scenario(name: str) -> tuple[Interpretation, Truth, Settings]:
    scenario = ALL[name]()
    settings = settings_of(scenario.gym)
    scenes = scenario.disturb(scenario.stage.film(settings))
    return interpret(scenes, settings), Truth.model_validate(scenario.stage.truth(settings)), settings


def of_chance(seed: int) -> tuple[Interpretation, Truth, Settings]:
    settings, stage = settings_of(chance.GYM), chance.stage(seed, seconds=0)
    return interpret(stage.film(settings, seed), settings), Truth.model_validate(stage.truth(settings)), settings


def holds(comparison: Comparison) -> None:
    for subject, score in comparison.scores.items():
        assert (score.missed, score.false, score.split) == (0, 0, 0), subject
        assert score.error is not None, subject
        assert score.error <= EACH_UNIT, subject


@pytest.fixture(scope="module")
def total() -> Score:
    """What all tests before the last one add up to."""
    return Score()


@pytest.mark.parametrize("name", NAMES)
def test_minutes_of_a_real_clip_are_right(name: str, total: Score) -> None:
    result, truth, _ = of_clip(name)
    comparison = compare(result, truth)
    # The detector's wrong labels beside the true ones are its own matter.
    wanted = {(session.equipment, session.unit) for session in truth.sessions}
    comparison.scores = {subject: score for subject, score in comparison.scores.items() if subject in wanted}
    holds(comparison)
    total.add(comparison.overall)


@pytest.mark.parametrize("name", ALL)
def test_minutes_of_a_scenario_are_right(name: str, total: Score) -> None:
    result, truth, _ = of_scenario(name)
    comparison = compare(result, truth)
    holds(comparison)
    total.add(comparison.overall)


@pytest.mark.parametrize("seed", SEEDS)
def test_minutes_of_what_chance_wrote_are_right(seed: int, total: Score) -> None:
    result, truth, _ = of_chance(seed)
    comparison = compare(result, truth)
    holds(comparison)
    total.add(comparison.overall)


def test_a_layout_that_changes_in_mid_session_splits_nothing_and_ends_what_is_no_more() -> None:
    """Someone trains on each treadmill; then the first one's zone is drawn larger, and the second one is given up."""
    before = settings_of(chance.GYM)
    first, second = chance.STATIONS.values()
    people = [
        Person(f"p{n}", [(2, (0.4, 0.6)), (6, place), (90, place), (95, (0.4, 0.6))])
        for n, place in enumerate((first, second))
    ]
    scenes = Stage(130, people).film(before)
    lines = [line for line in chance.GYM.splitlines() if "treadmill-2" not in line]
    after = settings_of("\n".join(lines).replace("[[0.02, 0.7], [0.14, 0.7]", "[[0.01, 0.6], [0.15, 0.6]"))
    interpreter, facts = Interpreter(layout_of_settings(before, 1)), []
    for scene in scenes:
        if (scene.time - START).total_seconds() >= 50 and interpreter.layout.version == 1:
            states = [StoredState(name, 1, place.dump()) for name, place in interpreter.places.items()]
            restored = restore(layout_of_settings(after, 2), states, [])
            interpreter, facts = restored.interpreter, facts + restored.facts
        facts += interpreter.feed(view_of(scene))
    ended = {fact.unit: fact for fact in facts if isinstance(fact, SessionFact) and fact.type == "ended"}
    begin = to_ms(START)
    assert sum(isinstance(fact, SessionFact) and fact.type == "ended" for fact in facts) == 2
    one, other = ended["treadmill-1"], ended["treadmill-2"]
    assert (one.ended_by, other.ended_by) == ("left", "layout")
    assert ((one.ended or 0) - begin) / 1000 == pytest.approx(90, abs=2.5)
    assert ((other.ended or 0) - begin) / 1000 == pytest.approx(50, abs=5)


def test_minutes_of_the_whole_set_are_right(total: Score) -> None:
    if not total.true_sessions:
        pytest.skip("none of the set ran")
    assert total.error is not None
    assert total.error <= OVERALL
    assert (total.missed, total.false, total.split) == (0, 0, 0)
