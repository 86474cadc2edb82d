"""What the rules make of kit in scenes, scenario by scenario."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.replay import interpret
from consumers.state import dump_state, load_state
from consumers.view import view_of
from spotter.settings import Settings

from .rules_gym import ZONES, active, of, summary
from .scenes import Film, kettlebell, person, scene, thing


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


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


def test_what_comes_out_of_its_rack_with_somebody_else_is_a_use_of_its_own(settings: Settings) -> None:
    film = Film().show(held("k"), 20).show([person("p", 0.9, 0.6), kettlebell("k", 0.9, 0.5)], 0.5)
    film.show([person("p", 0.4, 0.9), person("q", 0.9, 0.6), kettlebell("k", 0.9, 0.5)], 0.5)
    film.show([person("p", 0.4, 0.9), person("q", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True)], 20)
    assert of(film, settings) == [("kettlebell", 0, 20, "rest"), ("kettlebell", 21, None, None)]


def test_what_lay_in_its_rack_for_a_moment_and_leaves_it_beside_who_put_it_there_is_another(settings: Settings) -> None:
    film = Film().show(held("k"), 20).show([person("p", 0.9, 0.6), kettlebell("k", 0.9, 0.5)], 2.5)
    both = [person("p", 0.9, 0.6), person("q", 0.78, 0.6, moving=True)]
    film.show([*both, kettlebell("k", 0.78, 0.5, moving=True)], 0.5)
    film.show([person("p", 0.9, 0.6), person("q", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True)], 20)
    assert of(film, settings) == [("kettlebell", 0, 20, "rest"), ("kettlebell", 22.5, None, None)]


def test_who_passes_by_takes_nothing_from_one_they_hide(settings: Settings) -> None:
    low, high = kettlebell("k", 0.8, 0.75, moving=True), kettlebell("k", 0.85, 0.6)
    film = Film().show([person("p", 0.8, 0.9), low], 20)
    for _ in range(5):
        film.show([person("p", 0.8, 0.9), person("q", 0.9, 0.9), high], 0.5).show([person("q", 0.85, 0.9), high], 0.5)
        film.show([person("q", 0.85, 0.9), low], 0.5).show([person("p", 0.8, 0.9), low], 1)
    assert len(of(film, settings)) == 1


def test_a_kick_in_passing_is_no_use(settings: Settings) -> None:
    film = Film().show([kettlebell("k", 0.6, 0.9)], 5).show([kettlebell("k", 0.6, 0.9, moving=True)], 1.5)
    assert of(film.show([kettlebell("k", 0.6, 0.9)], 30), settings) == []


@pytest.mark.parametrize("track", ["k", "k-again"])
def test_a_hand_over_the_item_for_8_s_keeps_one_session(settings: Settings, track: str) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9)], 8).show(held(track), 10)
    film.show([kettlebell(track, 0.6, 0.9)], 30)
    assert of(film, settings) == [("kettlebell", 0, 28, "rest")]
    assert active(film, settings) == [20]


@pytest.mark.parametrize("track", ["k", "k-again"])
@pytest.mark.parametrize(("unseen", "used"), [(1.5, 11.5), (2, 10)])
def test_a_moment_out_of_sight_between_two_of_use_is_use(
    settings: Settings, track: str, unseen: float, used: float
) -> None:
    film = Film().show(held("k"), 5, every=0.5).show([person("p", 0.6, 0.9)], unseen, every=0.5)
    film.show(held(track), 5, every=0.5).show([kettlebell(track, 0.6, 0.9)], 30)
    assert active(film, settings) == [used]


def test_a_glimpse_now_and_then_does_not_add_up_to_a_session(settings: Settings) -> None:
    film = Film()
    for _ in range(5):
        film.show([kettlebell("k", 0.6, 0.9, moving=True)], 0.2, every=0.1).show([], 0.8, every=0.1)
    assert of(film, settings) == []


def test_an_item_gone_for_longer_than_lost_after_ends_where_it_was_last_seen(settings: Settings) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9)], 12).show(held("k2"), 10)
    assert of(film, settings) == [("kettlebell", 0, 10, "lost"), ("kettlebell", 22, None, None)]


def test_a_track_that_is_shown_on_while_nothing_is_found_of_it_ends_where_it_was_found_last(settings: Settings) -> None:
    film = (
        Film().play(lambda t: held("k", 0.5 + t / 100), 10).show(held("k", 0.595), 1).show([person("p", 0.6, 0.9)], 12)
    )
    assert of(film, settings) == [("kettlebell", 0, 9.5, "lost")]
    assert active(film, settings) == [9.5]


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


def test_what_its_user_takes_next_is_not_what_they_left_elsewhere(settings: Settings) -> None:
    left, next_one = kettlebell("k0", 0.5, 0.9), [person("p", 0.75, 0.9), kettlebell("k1", 0.75, 0.8, moving=True)]
    film = Film().show(held("k0", 0.5), 20).show([person("p", 0.75, 0.9), left], 5)
    film.show(next_one, 0.5).show([*next_one, left], 30)  # somebody hides what was left for a moment
    assert of(film, settings) == [("kettlebell", 0, 20, "rest"), ("kettlebell", 25, None, None)]


def test_a_thing_found_again_in_time_under_a_wrong_label_goes_on_with_its_session(settings: Settings) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9)], 9)
    film.show([person("p", 0.6, 0.9), thing("n", "med_ball", 0.6, 0.8, moving=True, size=0.05, score=0.3)], 0.5)
    assert of(film.show(held("n"), 10), settings) == [("kettlebell", 0, None, None)]


def test_what_lay_in_a_rack_is_not_taken_for_what_came_back_beside_it(settings: Settings) -> None:
    film = Film().show([*held("k", 0.7), kettlebell("other", 0.85, 0.58)], 10)
    film.show([person("p", 0.88, 0.9), kettlebell("k", 0.88, 0.65, moving=True), kettlebell("other", 0.85, 0.58)], 1)
    film.show([person("p", 0.88, 0.9)], 2)  # hides the rack
    film.show([kettlebell("n", 0.9, 0.58)], 30)
    assert of(film, settings) == [("kettlebell", 0, pytest.approx(13, abs=2), "rest")]


def test_two_who_cross_with_their_kettlebells_hidden_keep_a_session_each(settings: Settings) -> None:
    film = Film().show([*held("k1", 0.45), person("q", 0.6, 0.9), kettlebell("k2", 0.6, 0.8, moving=True)], 10)
    film.show([person("p", 0.75, 0.9), person("q", 0.46, 0.9)], 4)
    film.show([*held("a", 0.75), person("q", 0.46, 0.9), kettlebell("b", 0.46, 0.8, moving=True)], 10)
    assert of(film, settings) == [("kettlebell", 0, None, None)] * 2


def test_rest_counts_while_the_detector_misses_what_rests(settings: Settings) -> None:
    film = Film().show(held("k"), 10)
    film.play(lambda t: [kettlebell("k", 0.6, 0.8)] if round(t * 2) % 3 == 0 else [], 30)
    assert of(film, settings) == [("kettlebell", 0, 10, "rest")]


def test_what_an_earlier_version_remembered_of_kit_is_read(settings: Settings) -> None:
    interpreter = Interpreter(layout_of_settings(settings))
    for one in Film().show(held("k"), 5).end():
        interpreter.feed(view_of(one))
    state = json.loads(dump_state(interpreter.places["cam"].state))
    for item in state["kit"]["cam"]["items"]:
        del item["left_by"], item["former_box"]
    (item,) = load_state(json.dumps(state).encode()).kit["cam"].items
    assert item.use is not None
    assert item.use.session
