"""What the rules say of whole places: counts, states, queues, what was watched, kit that two cameras see."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from consumers.facts import HOUR_MS, AlertFact, CountFact, Fact, QueueFact, StateFact, WatchedFact
from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.replay import interpret
from consumers.view import to_ms, view_of
from spotter.events import Scene, seconds_between
from spotter.settings import Settings

from .scenes import START, Film, kettlebell, person, thing

ZONES = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.2, 0.5], [0.2, 1.0], [0.0, 1.0]]}
      treadmill-2: {kind: station, equipment: treadmill, polygon: [[0.2, 0.5], [0.4, 0.5], [0.4, 1.0], [0.2, 1.0]]}
      line: {kind: waiting, for: [treadmill-1, treadmill-2], polygon: [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 1.0]]}
"""
ONE, TWO = person("a", 0.1, 0.9), person("b", 0.3, 0.9)
WAITING = [person("c", 0.6, 0.9), person("d", 0.8, 0.9)]
Kind = TypeVar("Kind", bound=Fact)


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


def facts(scenes: list[Scene], settings: Settings, kind: type[Kind]) -> list[Kind]:
    interpreter = Interpreter(layout_of_settings(settings))
    found = [fact for one in sorted(scenes, key=lambda one: one.time) for fact in interpreter.feed(view_of(one))]
    return [fact for fact in [*found, *interpreter.flush()] if isinstance(fact, kind)]


def since_start(time: int) -> float:
    return (time - to_ms(START)) / 1000


# Counts and states


def test_counts_are_told_when_they_changed_and_stood_for_a_moment(settings: Settings) -> None:
    film = Film().show([], 5).show(WAITING, 10).show([WAITING[0]], 0.5).show(WAITING, 10).show([], 10)
    found = [fact for fact in facts(film.end(), settings, CountFact) if fact.zone == "line"]
    assert [(fact.label, fact.count, since_start(fact.time)) for fact in found] == [
        ("person", 0, 0),
        ("person", 2, 6),
        ("person", 0, 26.5),
    ]


def test_a_unit_is_free_then_in_use_then_free(settings: Settings) -> None:
    film = Film().show([], 5).show([ONE], 30).show([], 30)
    found = [fact for fact in facts(film.end(), settings, StateFact) if fact.unit == "treadmill-1"]
    assert [(fact.state, since_start(fact.time)) for fact in found] == [("free", 0), ("in_use", 8), ("free", 50)]


def test_a_bench_reserved_with_a_towel_is_free(settings: Settings) -> None:
    towel = thing("t", "yoga_block", 0.1, 0.8, size=0.05)
    found = facts(Film().show([towel], 600, every=5).end(), settings, StateFact)
    assert {fact.state for fact in found} == {"free"}


# Queues


def test_people_queue_while_all_units_are_busy(settings: Settings) -> None:
    film = Film().show([ONE, TWO], 10).show([ONE, TWO, *WAITING], 60).show([ONE, *WAITING], 60).show([], 20)
    found = facts(film.end(), settings, QueueFact)
    assert sum(fact.person_ms for fact in found) == pytest.approx(2 * 60_000, abs=2000)
    assert {(fact.zone, fact.units) for fact in found} == {("line", ("treadmill-1", "treadmill-2"))}
    assert all(fact.end - fact.begin <= 15_000 for fact in found)


def test_a_long_queue_raises_an_alert_that_is_over_when_nobody_waits(settings: Settings) -> None:
    film = Film().show([ONE, TWO, *WAITING], 400, every=5).show([ONE, TWO], 30, every=5)
    film.show([ONE, TWO, *WAITING], 100, every=5)
    found = [fact for fact in facts(film.end(), settings, AlertFact) if fact.kind == "queue"]
    assert [(fact.type, since_start(fact.time)) for fact in found] == [
        ("raised", pytest.approx(305, abs=6)),
        ("cleared", pytest.approx(415, abs=6)),
    ]


def test_a_camera_without_a_picture_sees_nobody_wait(settings: Settings) -> None:
    film = Film().show([ONE, TWO, *WAITING], 20).dark(50).show([ONE, TWO, *WAITING], 20)
    assert sum(fact.person_ms for fact in facts(film.end(), settings, QueueFact)) <= 2 * 41_000


# What was watched


def test_what_was_watched_adds_up_and_crosses_no_hour(settings: Settings) -> None:
    film = Film().skip(3000).show([], 1000, every=5).dark(30).show([], 970).skip(100).show([], 100)
    found = facts(film.end(), settings, WatchedFact)
    by_hour: dict[int, int] = defaultdict(int)
    for fact in found:
        assert fact.begin < fact.end
        assert fact.begin // HOUR_MS == (fact.end - 1) // HOUR_MS
        by_hour[(fact.begin - to_ms(START)) // HOUR_MS] += fact.end - fact.begin
    assert all(one.end <= other.begin for one, other in itertools.pairwise(found))
    assert by_hour[0] == 600_000
    assert by_hour[1] == pytest.approx(395_000 + 969_500 + 100_000, abs=10_000)


def test_it_is_told_of_about_every_ten_seconds(settings: Settings) -> None:
    found = facts(Film().show([ONE], 600).end(), settings, WatchedFact)
    assert len(found) == 60


def test_a_camera_that_dies_raises_an_alert_once_and_clears_it_when_it_is_back(settings: Settings) -> None:
    film = Film().show([], 20).dark(300).show([], 20).dark(30).show([], 20)
    found = facts(film.end(), settings, AlertFact)
    assert [(fact.kind, fact.type, fact.camera, since_start(fact.time)) for fact in found] == [
        ("camera_offline", "raised", "cam", 79.5),
        ("camera_offline", "cleared", "cam", 320),
    ]
    assert len({(fact.subject, fact.raised) for fact in found}) == 1


def test_a_camera_that_falls_silent_is_missed_by_those_it_shares_a_place_with(gym: Callable[[str], Settings]) -> None:
    bench = "bench-1: {kind: station, equipment: bench, polygon: [[0, 0], [1, 0], [1, 1]]}"
    both = gym(f"site: gym\ncameras: {{a: {{uri: a.mp4, zones: {{{bench}}}}}, b: {{uri: b.mp4, zones: {{{bench}}}}}}}")
    held = [person("p", 0.2, 0.9), kettlebell("k", 0.2, 0.8, moving=True)]
    scenes = Film("a").show([], 300, every=5).end() + Film("b").show(held, 50).end()
    found = facts(scenes, both, AlertFact)
    assert [(fact.kind, fact.type, fact.camera, since_start(fact.time)) for fact in found] == [
        ("camera_offline", "raised", "b", 110)
    ]
    (session,) = interpret(scenes, both).sessions
    assert session.ended_by == "camera_lost"


# Kit that two cameras see

SHARED = """
site: gym
cameras:
  a:
    uri: a.mp4
    zones: &zones
      mats: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
  b: {uri: b.mp4, zones: *zones}
"""


def swing(track: str, x: float, y: float = 0.9) -> list[Any]:
    return [person(f"p{track}", x, y), kettlebell(track, x, y - 0.1, moving=True)]


def sessions(settings: Settings, *films: Film) -> list[tuple[float, float | None, float, tuple[str, ...]]]:
    """(start, end, active seconds, cameras)"""
    scenes = sorted((one for film in films for one in film.end()), key=lambda one: one.time)
    return [
        (
            seconds_between(START, session.started),
            None if session.ended is None else seconds_between(START, session.ended),
            session.active_seconds,
            session.cameras,
        )
        for session in interpret(scenes, settings).sessions
    ]


def test_a_kettlebell_that_two_cameras_see_is_one_session(gym: Callable[[str], Settings]) -> None:
    left = Film("a").show(swing("k", 0.5), 30).show([kettlebell("k", 0.5, 0.9)], 40)
    right = Film("b").skip(0.2).show([], 5).show(swing("x", 0.6), 34.8).show([kettlebell("x", 0.6, 0.9)], 40)
    ((start, end, active, cameras),) = sessions(gym(SHARED), left, right)
    assert (start, cameras) == (0, ("a", "b"))
    assert end == pytest.approx(40, abs=0.5)
    assert active == pytest.approx(40, abs=0.5)


def test_two_kettlebells_that_two_cameras_see_are_two_sessions(gym: Callable[[str], Settings]) -> None:
    left = Film("a").show([*swing("k", 0.4), *swing("l", 0.7)], 30).show([], 40)
    right = Film("b").skip(0.2).show([*swing("x", 0.4), *swing("y", 0.7)], 30).show([], 40)
    assert len(sessions(gym(SHARED), left, right)) == 2


def test_one_camera_that_loses_sight_of_it_splits_nothing(gym: Callable[[str], Settings]) -> None:
    left = Film("a").show(swing("k", 0.5), 60).show([], 40)
    right = Film("b").skip(0.2).show(swing("x", 0.6), 15).show([], 15).show(swing("z", 0.6), 15).show([], 50)
    ((start, end, _, _),) = sessions(gym(SHARED), left, right)
    assert (start, end) == (0, pytest.approx(60, abs=0.5))


def test_kettlebells_from_one_rack_used_outside_all_zones_are_joined_by_the_rack(
    gym: Callable[[str], Settings],
) -> None:
    left = Film("a").show([kettlebell("k", 0.9, 0.5)], 10).show(swing("k", 0.15), 30).show([], 40)
    right = Film("b").skip(0.2).show([kettlebell("x", 0.9, 0.5)], 10).show(swing("x", 0.5, 0.5), 30).show([], 40)
    assert len(sessions(gym(SHARED), left, right)) == 1


def test_uses_in_two_zones_of_one_place_are_two_sessions(gym: Callable[[str], Settings]) -> None:
    text = (
        SHARED.replace("b: {uri: b.mp4, zones: *zones}", "").rstrip()
        + """
  b:
    uri: b.mp4
    zones:
      turf: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
"""
    )
    left = Film("a").show(swing("k", 0.5), 30).show([], 40)
    right = Film("b").skip(0.2).show(swing("x", 0.6), 30).show([], 40)
    assert len(sessions(gym(text), left, right)) == 2


def test_a_joint_session_outlives_one_of_its_cameras(gym: Callable[[str], Settings]) -> None:
    left = Film("a").show(swing("k", 0.5), 20).dark(200)
    right = Film("b").skip(0.2).show(swing("x", 0.6), 100).show([kettlebell("x", 0.6, 0.9)], 100)
    ((start, end, _, _),) = sessions(gym(SHARED), left, right)
    assert (start, end) == (0, pytest.approx(100.2, abs=0.6))


def test_it_is_open_until_the_end_of_the_log(gym: Callable[[str], Settings]) -> None:
    found = sessions(gym(SHARED), Film("a").show(swing("k", 0.5), 30), Film("b").skip(0.2).show(swing("x", 0.5), 30))
    assert [(start, end) for start, end, _, _ in found] == [(0, None)]
