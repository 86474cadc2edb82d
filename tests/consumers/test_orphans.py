"""What a change of zones would leave open for ever ends, once, and is not begun again by what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from consumers.facts import AlertFact, Fact, SessionFact
from consumers.interpreter import Interpreter, Restored, StoredState, restore
from consumers.layout import Layout, layout_of_settings
from consumers.view import view_of
from spotter.database.engine import open_database
from spotter.database.tables import RetainedTopicRow, UsageSessionRow, WaitingSceneRow
from spotter.events import Scene
from spotter.settings import Settings

from .ledger import Ledger, rows
from .scenes import START, Film, kettlebell, person

LEFT, RIGHT = "[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]", "[[0.5, 0], [1, 0], [1, 1], [0.5, 1]]"
BENCH = f"x: {{kind: station, equipment: bench, polygon: {LEFT}}}"
MATS = f"mats: {{kind: floor, polygon: {RIGHT}}}"
RACK = f"r: {{kind: rack, holds: {{kettlebell: 1}}, polygon: {RIGHT}}}"
LINE = f"line: {{kind: waiting, for: [x], polygon: {RIGHT}}}"
AISLE = f"aisle: {{kind: walkway, polygon: {RIGHT}}}"
FLOOR = f"{{kind: floor, polygon: {RIGHT}}}"
RULES = "{left_out_after: 15, walkway_after: 8, rack_window: 10, missing_after: 30, queue_alert_after: 10}"

HERE, THERE = person("p", 0.2, 0.9), person("q", 0.8, 0.9)
LIES = kettlebell("k", 0.8, 0.5)


@pytest.fixture
def of(gym: Callable[[str], Settings]) -> Callable[..., Settings]:
    """Settings with some cameras' zones."""

    def make(**cameras: str) -> Settings:
        text = ", ".join(f"{name}: {{uri: x.mp4, zones: {{{zones}}}}}" for name, zones in cameras.items())
        return gym(f"site: gym\ncameras: {{{text}}}\nrules: {RULES}\n")

    return make


@pytest.fixture
def engine(tmp_path: Path) -> Iterable[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/spotter.db")
    yield engine
    engine.dispose()


def swing(track: str) -> list[object]:
    return [person(f"p{track}", 0.8, 0.9), kettlebell(track, 0.8, 0.8, moving=True)]


def by_time(*films: Film) -> list[Scene]:
    return sorted((one for film in films for one in film.scenes), key=lambda one: one.time)


def fed(interpreter: Interpreter, scenes: list[Scene]) -> list[Fact]:
    return [fact for one in scenes for fact in interpreter.feed(view_of(one))]


def changed(interpreter: Interpreter, settings: Settings) -> Restored:
    waiting = [entry for place in interpreter.places.values() for queue in place.queues.values() for entry in queue]
    states = [StoredState(name, 1, place.dump()) for name, place in interpreter.places.items()]
    return restore(layout_of_settings(settings, 2), states, waiting)


def sessions(facts: list[Fact]) -> list[tuple[str, str | None]]:
    return [(fact.type, fact.ended_by) for fact in facts if isinstance(fact, SessionFact) and fact.type != "updated"]


def alerts(facts: list[Fact]) -> list[tuple[str, str]]:
    return [(fact.type, fact.kind) for fact in facts if isinstance(fact, AlertFact)]


def test_scenes_that_wait_for_a_camera_that_is_taken_out_are_interpreted(
    of: Callable[..., Settings], engine: Engine
) -> None:
    before, after = of(a=BENCH, b=BENCH), of(a=BENCH)
    Ledger(engine, before).take(Film("b").show([], 2).scenes + Film("a").show([HERE], 20).scenes)
    assert len(rows(engine, WaitingSceneRow, "seq")) > 30
    Ledger(engine, after)
    assert rows(engine, WaitingSceneRow, "seq") == []
    assert rows(engine, UsageSessionRow, "unit", "ended_by") == [("x", None)]


@pytest.mark.parametrize("shared", ["", MATS], ids=["apart", "joined"])
def test_a_station_that_is_drawn_on_another_camera_ends_its_session(of: Callable[..., Settings], shared: str) -> None:
    before, after = of(a=f"{BENCH}, {shared}", b=shared), of(a=shared, b=f"{BENCH}, {shared}")
    interpreter = Interpreter(layout_of_settings(before, 1))
    film = by_time(Film("a").show([HERE], 20), Film("b").show([], 20))
    assert sessions(fed(interpreter, film)) == [("started", None)]
    restored = changed(interpreter, after)
    assert sessions(restored.facts) == [("ended", "layout")]
    assert restored.interpreter.open_uses() == []


def test_a_station_of_a_place_that_is_parted_ends_when_none_of_its_cameras_sees_it(
    of: Callable[..., Settings],
) -> None:
    interpreter = Interpreter(layout_of_settings(of(a=f"{BENCH}, {MATS}", b=MATS, c=""), 1))
    fed(interpreter, by_time(Film("a").show([HERE], 20), Film("b").show([], 20)))
    assert sessions(changed(interpreter, of(a="", b="", c=BENCH)).facts) == [("ended", "layout")]


def test_kit_on_a_camera_that_is_renamed_ends_its_session(of: Callable[..., Settings], engine: Engine) -> None:
    state = "spotter/gym/equipment/kettlebell/state"
    Ledger(engine, of(a=f"r: {{kind: rack, holds: {{kettlebell: 1}}, polygon: {LEFT}}}")).take(
        Film("a").show(swing("k"), 20).scenes
    )
    assert (state, b"in_use") in rows(engine, RetainedTopicRow, "topic", "payload")
    Ledger(engine, of(c=f"r: {{kind: rack, holds: {{kettlebell: 1}}, polygon: {LEFT}}}"))
    assert rows(engine, UsageSessionRow, "equipment", "ended_by") == [("kettlebell", "layout")]
    assert (state, b"free") in rows(engine, RetainedTopicRow, "topic", "payload")


ENDS = ("ended", "rest")


@pytest.mark.parametrize(
    ("after", "at_once", "camera", "later"),
    [
        ({"b": MATS}, [], "b", [ENDS]),
        ({"a": MATS}, [], "a", [ENDS]),
        ({"a": MATS, "b": ""}, [], "a", [ENDS]),
        ({"a": MATS, "b": ""}, [], "b", [("started", None), ENDS]),
        ({"c": MATS}, [("ended", "layout")], "c", []),
    ],
    ids=["the first is gone", "the second is gone", "parted, the first", "parted, the second", "both are gone"],
)
def test_kit_that_two_cameras_see_goes_on_as_one_session_with_one_of_them(
    of: Callable[..., Settings],
    after: dict[str, str],
    at_once: list[tuple[str, str]],
    camera: str,
    later: list[tuple[str, str]],
) -> None:
    interpreter = Interpreter(layout_of_settings(of(a=MATS, b=MATS), 1))
    films = {name: Film(name).show(swing("k"), 20) for name in "ab"}
    assert sessions(fed(interpreter, by_time(*films.values()))) == [("started", None)]
    restored = changed(interpreter, of(**after))
    assert sessions(restored.facts) == at_once
    assert len(restored.interpreter.open_uses()) == 1 - len(at_once)
    if camera in films:
        seen = len(films[camera].scenes)
        film = films[camera].show(swing("k"), 10).show([kettlebell("k", 0.8, 0.8)], 40)
        assert sessions(fed(restored.interpreter, film.scenes[seen:])) == later


CASES = {
    "left out, camera gone": ("left_out", {"a": "", "b": RACK}, {"b": RACK}, Film("a").show([LIES], 40)),
    "left out, zone elsewhere": ("left_out", {"a": MATS, "b": ""}, {"a": "", "b": MATS}, Film("a").show([LIES], 40)),
    "rack is a floor": ("missing", {"a": RACK}, {"a": f"r: {FLOOR}"}, Film("a").show([LIES], 40).show([], 60)),
    "waits for nothing": (
        "queue",
        {"a": f"{BENCH}, {LINE}"},
        {"a": f"{BENCH}, {LINE}".replace(", for: [x]", "")},
        Film("a").show([HERE, THERE], 40),
    ),
    "waiting zone is a floor": (
        "queue",
        {"a": f"{BENCH}, {LINE}"},
        {"a": f"{BENCH}, line: {FLOOR}"},
        Film("a").show([HERE, THERE], 40),
    ),
    "walkway is a floor": ("walkway", {"a": AISLE}, {"a": f"aisle: {FLOOR}"}, Film("a").show([LIES], 12)),
    "walkway elsewhere": ("walkway", {"a": AISLE, "b": ""}, {"a": "", "b": AISLE}, Film("a").show([LIES], 12)),
}


@pytest.mark.parametrize(("kind", "before", "after", "film"), list(CASES.values()), ids=list(CASES))
def test_an_alert_that_no_rule_would_clear_is_over(
    of: Callable[..., Settings], kind: str, before: dict[str, str], after: dict[str, str], film: Film
) -> None:
    interpreter = Interpreter(layout_of_settings(of(**before), 1))
    assert alerts(fed(interpreter, film.scenes)) == [("raised", kind)]
    restored = changed(interpreter, of(**after))
    assert alerts(restored.facts) == [("cleared", kind)]
    covered = Film("a").skip(film.now).show([person("s", 0.8, 0.6)], 5).scenes
    assert alerts(fed(restored.interpreter, covered)) == [], "it is not raised again by what was remembered"


def test_an_alert_of_a_place_that_is_parted_is_over_when_its_zone_is_elsewhere(of: Callable[..., Settings]) -> None:
    interpreter = Interpreter(layout_of_settings(of(a=f"{AISLE}, {BENCH}", b=BENCH, c=""), 1))
    facts = fed(interpreter, by_time(Film("a").show([LIES], 15), Film("b").show([], 15)))
    assert alerts(facts) == [("raised", "walkway")]
    assert alerts(changed(interpreter, of(a="", b="", c=AISLE)).facts) == [("cleared", "walkway")]


def test_a_change_of_zones_is_the_same_with_a_restart_after_every_scene(of: Callable[..., Settings]) -> None:
    before = layout_of_settings(of(a=f"{MATS}, {BENCH}", b=MATS, d=""), 1)
    after = layout_of_settings(of(b=f"{MATS}, {AISLE}", d=BENCH), 2)
    scenes = by_time(
        Film("a").show([HERE, *swing("k")], 20),
        Film("b").show([*swing("l"), kettlebell("m", 0.6, 0.2)], 50),
        Film("d").show([HERE], 50),
    )
    whole, broken = (told_with_a_change(before, after, scenes, restarts=restarts) for restarts in (False, True))
    assert whole == broken
    assert {fact[1] for fact in sessions(whole)} == {None, "layout"}
    assert alerts(whole) == [("raised", "left_out"), ("raised", "walkway")]


def told_with_a_change(before: Layout, after: Layout, scenes: list[Scene], *, restarts: bool) -> list[Fact]:
    """What follows from scenes, with a change of zones after 20 s; kept is only what a worker would store."""
    kept: dict[str, bytes] = {}
    facts: list[Fact] = []
    interpreter = Interpreter(before)
    for number, scene in enumerate(scenes):
        is_new = scene.time >= START + timedelta(seconds=20) and interpreter.layout is before
        if number and (restarts or is_new):
            places = interpreter.places.values()
            waiting = [entry for place in places for queue in place.queues.values() for entry in queue]
            states = [StoredState(name, 1, payload) for name, payload in sorted(kept.items())]
            restored = restore(after if is_new else interpreter.layout, states, waiting, changed=is_new)
            interpreter, facts = restored.interpreter, facts + restored.facts
            kept = {name: payload for name, payload in kept.items() if name not in restored.stale}
        facts += interpreter.feed(view_of(scene))
        kept |= {name: interpreter.places[name].dump() for name in interpreter.touched}
        interpreter.touched.clear()
    return facts
