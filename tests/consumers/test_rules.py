"""What the rules make of scenes, scenario by scenario."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from consumers.replay import Interpretation, interpret
from spotter.events import Scene, UsageSession, seconds_between
from spotter.settings import Settings

from .scenes import START, Film, kettlebell, person, scene, thing

ZONES = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.3, 0.5], [0.3, 1.0], [0.0, 1.0]]}
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
      mats: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}
"""

ON, OFF = (0.15, 0.9), (0.6, 0.9)
"""Places for feet: on the treadmill, and elsewhere."""


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


def summary(result: Interpretation) -> list[tuple[str, float, float | None, str | None]]:
    """(unit or label, start, end, ended_by), in seconds."""
    return [
        (
            session.unit or session.equipment,
            seconds_between(START, session.started),
            None if session.ended is None else seconds_between(START, session.ended),
            session.ended_by,
        )
        for session in result.sessions
    ]


def of(film: Film, settings: Settings) -> list[tuple[str, float, float | None, str | None]]:
    return summary(interpret(film.end(), settings))


def active(film: Film, settings: Settings) -> list[float]:
    return [session.active_seconds for session in interpret(film.end(), settings).sessions]


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


# Kit


def held(track: str, x: float = 0.6, *, moving: bool = True) -> list[Any]:
    return [person("p", x, 0.9), kettlebell(track, x, 0.8, moving=moving)]


def test_kit_that_moves_is_used_until_it_rests_with_nobody_in_reach(settings: Settings) -> None:
    film = Film().show([kettlebell("k", 0.6, 0.9)], 10, every=5).show(held("k"), 30)
    film.show([kettlebell("k", 0.6, 0.9), person("p", 0.35, 0.7)], 30)
    assert of(film, settings) == [("kettlebell", 10, 40, "rest")]


def test_kit_is_booked_under_the_zone_it_is_used_in(settings: Settings) -> None:
    film = Film().show(held("k"), 30).show([kettlebell("k", 0.6, 0.9)], 30)
    (session,) = interpret(film.end(), settings).sessions
    assert (session.zone, session.unit, session.cameras) == ("mats", None, ("cam",))


def test_a_kettlebell_that_rests_for_a_week_is_no_session(settings: Settings) -> None:
    week = 7 * 24 * 3600
    scenes = [scene(t, [kettlebell("k", 0.6, 0.9)], seq=i) for i, t in enumerate(range(0, week, 60))]
    # A scene a minute keeps the test quick; a camera gap of its length makes them one unbroken week.
    patient = settings.model_copy(update={"rules": settings.rules.model_copy(update={"camera_gap": 90})})
    assert summary(interpret(scenes, patient)) == []


def test_kit_in_its_rack_is_not_used_whoever_stands_there(settings: Settings) -> None:
    film = Film().show([person("p", 0.9, 0.6), kettlebell("k", 0.9, 0.5, moving=True)], 60)
    assert of(film, settings) == []


def test_kit_returned_to_its_rack_ends_where_it_came_home(settings: Settings) -> None:
    film = Film().show(held("k"), 20).show([person("p", 0.9, 0.6), kettlebell("k", 0.9, 0.5)], 30)
    assert of(film, settings) == [("kettlebell", 0, 20, "rest")]


def test_a_kick_in_passing_is_no_use(settings: Settings) -> None:
    film = Film().show([kettlebell("k", 0.6, 0.9)], 5).show([kettlebell("k", 0.6, 0.9, moving=True)], 1.5)
    assert of(film.show([kettlebell("k", 0.6, 0.9)], 30), settings) == []


@pytest.mark.parametrize("track", ["k", "k-again"])
def test_a_hand_over_the_item_for_8_s_keeps_one_session(settings: Settings, track: str) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9)], 8).show(held(track), 10)
    film.show([kettlebell(track, 0.6, 0.9)], 30)
    assert of(film, settings) == [("kettlebell", 0, 28, "rest")]
    assert active(film, settings) == [20]


def test_an_item_gone_for_longer_than_lost_after_ends_where_it_was_last_seen(settings: Settings) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9)], 12).show(held("k2"), 10)
    assert of(film, settings) == [("kettlebell", 0, 10, "lost"), ("kettlebell", 22, None, None)]


def test_a_broken_track_is_stitched_across_the_room_with_the_person_who_carries_it(settings: Settings) -> None:
    film = Film().show(held("k", 0.45), 5).show([person("p", 0.6, 0.9)], 4).show(held("k2", 0.75), 5)
    assert len(of(film, settings)) == 1


def test_another_item_far_away_is_not_the_lost_one(settings: Settings) -> None:
    film = Film().show(held("k", 0.4), 5).show([person("p", 0.4, 0.9)], 1)
    film.show([person("p", 0.4, 0.9), person("q", 0.7, 0.9), kettlebell("k2", 0.7, 0.8, moving=True)], 15)
    assert len(of(film, settings)) == 2


def test_two_kettlebells_used_at_once_are_two_sessions(settings: Settings) -> None:
    film = Film().show([*held("k1", 0.4), person("q", 0.7, 0.9), kettlebell("k2", 0.7, 0.8, moving=True)], 20)
    assert [name for name, *_ in of(film, settings)] == ["kettlebell", "kettlebell"]


def test_two_people_who_swap_a_kettlebell_are_one_use_of_it(settings: Settings) -> None:
    film = Film().show([person("p", 0.5, 0.9), kettlebell("k", 0.52, 0.8, moving=True)], 10)
    film.show([person("p", 0.5, 0.9), person("q", 0.6, 0.9), kettlebell("k", 0.55, 0.8, moving=True)], 2)
    film.show([person("q", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True)], 10)
    film.show([kettlebell("k", 0.6, 0.9)], 25)
    assert of(film, settings) == [("kettlebell", 0, 22, "rest")]


def test_kit_in_reach_of_a_person_is_in_use_though_it_rests(settings: Settings) -> None:
    film = Film().show(held("k", moving=False), 30, every=5).show([kettlebell("k", 0.6, 0.8)], 30)
    ((name, start, _, _),) = of(film, settings)
    assert (name, start) == ("kettlebell", 0)


def test_a_set_a_rest_and_another_set_are_one_session_if_the_rest_is_short(settings: Settings) -> None:
    film = Film().show(held("k"), 20).show([kettlebell("k", 0.6, 0.9)], 15).show(held("k"), 20)
    film.show([kettlebell("k", 0.6, 0.9)], 25)
    assert of(film, settings) == [("kettlebell", 0, 55, "rest")]
    assert active(film, settings) == [40]


def test_kit_held_up_to_a_kiosk_is_not_used(gym: Callable[[str], Settings]) -> None:
    settings = gym(
        "cameras: {cam: {uri: a.mp4, zones: "
        "{desk: {kind: kiosk, polygon: [[0.4, 0.5], [0.8, 0.5], [0.8, 1.0], [0.4, 1.0]]}}}}"
    )
    assert of(Film().show(held("k"), 20), settings) == []


def test_two_boxes_on_one_thing_are_one_thing(settings: Settings) -> None:
    double = [*held("k"), kettlebell("ghost", 0.601, 0.8, moving=True, score=0.5)]
    assert len(of(Film().show(double, 20), settings)) == 1


def test_a_thing_that_changes_its_label_is_one_session_under_the_likelier_one(settings: Settings) -> None:
    ball = [person("p", 0.6, 0.9), thing("m", "med_ball", 0.6, 0.8, moving=True, size=0.05, score=0.5)]
    assert [name for name, *_ in of(Film().show(ball, 3).show(held("k"), 20), settings)] == ["kettlebell"]


def test_what_the_detector_hardly_believes_is_not_booked(settings: Settings) -> None:
    guess = [person("p", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True, score=0.3)]
    assert of(Film().show(guess, 60), settings) == []


def test_a_dark_camera_holds_kit_sessions_and_ends_them_when_it_stays_dark(settings: Settings) -> None:
    back = Film().show(held("k"), 10).dark(40).show(held("k2"), 10).show([kettlebell("k2", 0.6, 0.9)], 25)
    assert of(back, settings) == [("kettlebell", 0, 60, "rest")]
    gone = Film().show(held("k"), 10).dark(70)
    assert of(gone, settings) == [("kettlebell", 0, 9.5, "camera_lost")]


def test_cameras_without_zones_take_the_whole_picture_as_floor(gym: Callable[[str], Settings]) -> None:
    film = Film("camera").show(held("k"), 20)
    assert of(film, gym("uri: clip.mp4")) == [("kettlebell", 0, None, None)]


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


def test_a_track_that_is_shown_on_for_a_moment_after_another_followed_it_splits_nothing(settings: Settings) -> None:
    film = Film().play(lambda t: held("k1", 0.5 + t / 50), 6)
    stale = held("k1", 0.61)[1]
    film.play(lambda t: [*held("k2", 0.62 + t / 50), stale], 1, every=0.2)
    film.play(lambda t: held("k2", 0.64 + t / 50), 5)
    assert len(of(film, settings)) == 1


def test_two_things_that_move_without_a_change_of_their_boxes_stay_two(settings: Settings) -> None:
    one, other = held("k1", 0.5), [kettlebell("k2", 0.56, 0.8, moving=True)]
    film = Film().show(one, 10).show([*one, *other], 30)
    assert [session[1] for session in of(film, settings)] == [0, pytest.approx(11.5, abs=1)]


def test_a_thing_first_found_under_a_wrong_label_in_a_swing_goes_on_with_its_session(settings: Settings) -> None:
    ball = [person("p", 0.6, 0.9), thing("m", "med_ball", 0.6, 0.8, moving=True, size=0.05, score=0.5)]
    film = Film().show(held("k1"), 5).show([person("p", 0.6, 0.9)], 2).show(ball, 0.5).show(held("k2"), 10)
    assert of(film, settings) == [("kettlebell", 0, None, None)]


def test_who_rests_beside_kit_used_it_until_they_were_seen_to_move(settings: Settings) -> None:
    film = Film().show(held("k"), 10).show(held("k", moving=False), 20, every=5)
    film.show([person("p", 0.35, 0.9, moving=True), kettlebell("k", 0.6, 0.8)], 30)
    assert of(film, settings)[0] == ("kettlebell", 0, 30, "rest")


def test_tracks_that_a_swung_kettlebell_leaves_behind_are_no_second_one(settings: Settings) -> None:
    def swung(t: float) -> list[Any]:
        """Seen by turns under two tracks; the other one is shown on where it was last seen."""
        step = round(t / 0.25)
        low, high = step - max(0, step % 8 - 3), step - max(0, (step + 4) % 8 - 3)  # the last look of each
        shown = [kettlebell("low", 0.55, 0.9, moving=True, score=0.8 + low % 7 / 100)]
        if step >= 4:
            shown.append(kettlebell("high", 0.65, 0.7, moving=True, score=0.8 + high % 7 / 100))
        return [person("p", 0.6, 0.9), *shown]

    film = Film().play(swung, 30, every=0.25).show([kettlebell("k", 0.6, 0.9)], 30)
    assert [name for name, *_ in of(film, settings)] == ["kettlebell"]


def test_two_kettlebells_in_the_same_hands_are_two(settings: Settings) -> None:
    def both(t: float) -> list[Any]:
        up = 0.1 * (round(t / 0.5) % 3)
        return [person("p", 0.6, 0.9), *(kettlebell(f"k{x}", x, 0.85 - up, moving=True) for x in (0.57, 0.63))]

    film = Film().play(both, 30).show([kettlebell("k0.57", 0.57, 0.9), kettlebell("k0.63", 0.63, 0.9)], 30)
    assert of(film, settings) == [("kettlebell", 0, 30, "rest")] * 2
