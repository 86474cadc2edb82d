"""What the rules make of scenes, scenario by scenario: stations, several cameras, clocks, and how sessions are told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consumers.replay import interpret
from spotter.events import Scene, UsageSession, seconds_between
from spotter.settings import Settings

from .rules_gym import OFF, ON, ZONES, active, of, summary
from .scenes import START, Film, person, thing


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


# Stations


def test_a_station_session_is_backdated_at_both_ends(settings: Settings) -> None:
    film = Film().show([], 5).show([person("p", *ON, moving=True)], 20).show([person("p", *OFF)], 30)
    assert of(film, settings) == [("treadmill-1", 5, 24.5, "left")]


def test_who_rests_on_a_station_was_there_until_the_next_scene(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 20, every=5).show([], 30)
    assert of(film, settings) == [("treadmill-1", 0, 20, "left")]
    assert active(film, settings) == [20]


def test_walking_past_starts_nothing(settings: Settings) -> None:
    film = Film().show([person("p", *OFF, moving=True)], 3).show([person("p", *ON, moving=True)], 2.5)
    assert of(film.show([person("p", *OFF, moving=True)], 30), settings) == []


def test_a_person_who_stands_still_on_a_treadmill_for_an_hour_is_one_session(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 3600, every=5).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 3600, "left")]
    assert active(film, settings) == [3600]


def test_a_short_absence_is_bridged_but_not_counted(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 10).show([], 14).show([person("q", *ON)], 10).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 34, "left")]
    assert active(film, settings) == [20]


def test_a_long_absence_makes_two_sessions_however_rarely_scenes_come(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 10).show([], 16, every=5).show([person("q", *ON)], 10).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 10, "left"), ("treadmill-1", 26, 36, "left")]


def test_a_detection_that_flickers_still_starts_a_session(settings: Settings) -> None:
    film = Film().play(lambda t: [person("p", *ON)] if int(t / 0.2) % 3 else [], 12, every=0.2).show([], 20)
    assert len(of(film, settings)) == 1


def test_a_box_that_trembles_at_the_edge_of_a_zone_keeps_one_session(settings: Settings) -> None:
    film = Film().play(lambda t: [person("p", 0.29 + (0.02 if t % 10 == 5 else 0), 0.9)], 60, every=5).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 60, "left")]


def test_the_feet_count_and_not_the_head(settings: Settings) -> None:
    film = Film().show([thing("p", "person", 0.15, 0.45, size=0.1)], 30)
    assert of(film, settings) == []


def test_a_dark_camera_holds_a_session(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 20).dark(40).show([person("q", *ON)], 20).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 80, "left")]
    assert active(film, settings) == [39.5]  # up to the last scene before the dark, and again from the first after it


def test_a_camera_that_dies_in_mid_session_ends_it_at_the_last_picture(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 20).dark(100)
    assert of(film, settings) == [("treadmill-1", 0, 19.5, "camera_lost")]


@pytest.mark.parametrize(
    ("gap", "sessions"),
    [
        (14, [("treadmill-1", 0, 54, "left")]),
        (40, [("treadmill-1", 0, 80, "left")]),
        (70, [("treadmill-1", 0, 19.5, "camera_lost"), ("treadmill-1", 90, 110, "left")]),
    ],
)
def test_a_gap_between_scenes_is_no_absence(settings: Settings, gap: float, sessions: list[Any]) -> None:
    film = Film().show([person("p", *ON)], 20).skip(gap).show([person("q", *ON)], 20).show([], 20)
    assert of(film, settings) == sessions


def test_who_is_gone_when_the_picture_comes_back_left_before_it_went(settings: Settings) -> None:
    film = Film().show([person("p", *ON)], 20).dark(30).show([], 20)
    assert of(film, settings) == [("treadmill-1", 0, 19.5, "left")]


# Sessions as told


def test_ids_are_the_same_each_time_and_differ_between_sessions(settings: Settings) -> None:
    film = Film()
    for _ in range(2):
        film.show([person("p", *ON)], 10).show([], 20)
    scenes = film.end()
    first, second = (interpret(scenes, settings).sessions for _ in range(2))
    assert [s.session for s in first] == [s.session for s in second]
    assert len({s.session for s in first}) == 2


def test_a_session_is_told_as_started_then_updated_at_most_every_10_s_then_ended(settings: Settings) -> None:
    from consumers.facts import SessionFact
    from consumers.interpreter import Interpreter
    from consumers.layout import layout_of_settings
    from consumers.view import view_of

    interpreter = Interpreter(layout_of_settings(settings))
    told: list[tuple[float, UsageSession]] = []
    for one in Film().show([person("p", *ON)], 60).show([], 20).end():
        found = [fact for fact in interpreter.feed(view_of(one)) if isinstance(fact, SessionFact)]
        told += [(seconds_between(START, one.time), interpreter.event(fact)) for fact in found]
    assert [event.type for _, event in told] == ["started", *["updated"] * 5, "ended"]
    times = [at for at, _ in told]
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(times))


# Several cameras


TWO = """
site: gym
cameras:
  left: {uri: a.mp4, zones: {bench-1: &bench {kind: station, equipment: bench, polygon: [[0, 0], [1, 0], [1, 1]]}}}
  right: {uri: b.mp4, zones: {bench-1: *bench}}
"""
LYING = [person("p", 0.8, 0.5)]


def two(left: Film, right: Film) -> list[Scene]:
    return sorted([*left.end(), *right.end()], key=lambda one: one.time)


def test_what_two_cameras_see_of_a_place_is_joined_and_never_summed(gym: Callable[[str], Settings]) -> None:
    left = Film("left").show([], 5).show(LYING, 20).show([], 60)
    right = Film("right").skip(0.2).show([], 14.8).show(LYING, 30).show([], 40)
    (session,) = interpret(two(left, right), gym(TWO)).sessions
    assert (seconds_between(START, session.started), session.cameras) == (5, ("left", "right"))
    assert session.ended is not None
    assert seconds_between(START, session.ended) == pytest.approx(45.2, abs=0.5)
    assert session.active_seconds == pytest.approx(40, abs=0.5)


def test_one_of_two_cameras_going_dark_ends_nothing_that_the_other_sees(gym: Callable[[str], Settings]) -> None:
    left = Film("left").show(LYING, 20).dark(200)
    right = Film("right").skip(0.2).show(LYING, 150).show([], 60)
    (session,) = interpret(two(left, right), gym(TWO)).sessions
    assert session.ended_by == "left"
    assert session.ended is not None
    assert seconds_between(START, session.ended) == pytest.approx(150, abs=0.5)


def test_cameras_that_share_no_zone_go_on_alone(gym: Callable[[str], Settings]) -> None:
    from consumers.layout import layout_of_settings

    other = TWO.replace("{bench-1: *bench}", "{bench-2: *bench}")
    assert layout_of_settings(gym(TWO)).places == {"left+right": ("left", "right")}
    assert layout_of_settings(gym(other)).places == {"left": ("left",), "right": ("right",)}


# Clocks


def test_a_clock_that_steps_back_a_little_stands_until_it_catches_up(settings: Settings) -> None:
    scenes = Film().show([person("p", *ON)], 30).show([], 30).end()
    stepped = [
        s if i < 20 else s.model_copy(update={"time": s.time - timedelta(seconds=2)}) for i, s in enumerate(scenes)
    ]
    ((_, start, end, _),) = summary(interpret(stepped, settings))
    assert (start, end) == (0, 28)


def test_a_clock_that_was_a_day_ahead_ends_what_was_open_and_goes_on(settings: Settings) -> None:
    ahead = [
        s.model_copy(update={"time": s.time + timedelta(hours=20)}) for s in Film().show([person("p", *ON)], 30).scenes
    ]
    right = Film().show([person("p", *ON)], 30).end()
    right = [s.model_copy(update={"seq": s.seq + len(ahead)}) for s in right]
    found = summary(interpret([*ahead, *right], settings))
    assert [ended_by for *_, ended_by in found] == [None, "camera_lost"]
