"""Which item of before each thing in a scene is, where tracks break: kit in use, scenario by scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spotter.settings import Settings

from .rules_gym import ZONES, of
from .scenes import Film, kettlebell, person, thing


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


def held(track: str, x: float = 0.6, *, moving: bool = True) -> list[Any]:
    return [person("p", x, 0.9), kettlebell(track, x, 0.8, moving=moving)]


def test_a_broken_track_is_stitched_across_the_room_with_the_person_who_carries_it(settings: Settings) -> None:
    film = Film().show(held("k", 0.45), 5).show([person("p", 0.6, 0.9)], 4).show(held("k2", 0.75), 5)
    assert len(of(film, settings)) == 1


def test_who_passes_in_front_of_another_keeps_what_they_carry(settings: Settings) -> None:
    def both(t: float) -> list[Any]:
        ball = 0.6 + 0.001 * int(min(t, 11.6) * 5)  # from then on it is only shown on
        x = 1.0 - 0.2 * (t - 10)
        passing = [person("q", x, 0.9, moving=True), kettlebell("k", x, 0.85, moving=True)] if t >= 10 else []
        return [person("p", 0.6, 0.9), *passing, thing("m", "med_ball", ball, 0.7, moving=True, size=0.05)]

    assert of(Film().play(both, 13, 0.2), settings) == [("med_ball", 0, None, None), ("kettlebell", 10, None, None)]


def test_what_is_lost_in_a_swing_before_a_rack_is_found_where_its_user_put_it_down(settings: Settings) -> None:
    def swing(t: float) -> list[Any]:
        return [person("p", 0.85, 0.9), kettlebell("k", 0.9, 0.5 if t % 1 else 0.8, moving=True)]

    film = Film().play(swing, 20).show([person("p", 0.85, 0.7, moving=True), kettlebell("again", 0.9, 0.95)], 12)
    film.play(lambda t: [person("p", 0.85, 0.9), kettlebell("again", 0.9, 0.8, moving=True)], 20)
    assert len(of(film, settings)) == 1


def test_what_is_lost_at_the_top_of_a_swing_far_before_a_rack_was_not_returned(settings: Settings) -> None:
    user = thing("p", "person", 0.88, 0.98, size=0.125)

    def swing(t: float) -> list[Any]:
        return [user, kettlebell("k", 0.9, 0.6 if t % 1 else 0.8, moving=True)]

    film = Film().play(swing, 20).show([user, kettlebell("k", 0.9, 0.6)], 0.5).show([user], 5)
    film.show([user, kettlebell("again", 0.9, 0.75, moving=True)], 20)
    assert len(of(film, settings)) == 1


def test_what_is_found_at_the_top_of_a_swing_for_a_moment_lay_in_no_rack(settings: Settings) -> None:
    user = person("p", 0.88, 0.98)
    film = Film().show([user, kettlebell("k", 0.9, 0.8, moving=True)], 20).show([user], 0.5)
    film.show([user, kettlebell("again", 0.9, 0.5)], 0.2, 0.2)
    film.show([user, kettlebell("again", 0.9, 0.8, moving=True)], 20)
    assert len(of(film, settings)) == 1


def test_what_is_found_in_the_hands_of_two_is_what_was_lost_there_rather_than_a_piece_from_the_rack(
    settings: Settings,
) -> None:
    lying, behind, user = kettlebell("other", 0.82, 0.5), person("q", 0.84, 0.72), person("p", 0.84, 0.9)
    film = Film().show([behind, user, lying, kettlebell("k", 0.85, 0.85, moving=True)], 20)
    film.show([behind, user], 1).show([behind, user, kettlebell("again", 0.85, 0.7)], 0.5)
    film.show([behind, user, kettlebell("again", 0.85, 0.7, moving=True)], 20)
    assert len(of(film, settings)) == 1


def test_what_comes_to_light_in_a_rack_takes_nothing_from_what_is_carried_off_and_missed_for_a_moment(
    settings: Settings,
) -> None:
    def carried(t: float) -> list[Any]:
        x = 0.78 - 0.01 * int(t / 0.2) if t < 1 or t >= 1.2 else 0.74
        behind = [kettlebell("other", 0.82, 0.5)] if t >= 1 else []
        return [person("p", x, 0.75), kettlebell("k", x, 0.62, moving=True), *behind]

    film = Film().show([person("p", 0.8, 0.75), kettlebell("k", 0.85, 0.5)], 5).play(carried, 2, 0.2)
    film.show([person("p", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True), kettlebell("other", 0.82, 0.5)], 20)
    assert of(film, settings) == [("kettlebell", 5.0, None, None)]


def test_what_is_put_down_where_somebody_else_stands_goes_on_with_its_session(settings: Settings) -> None:
    both = [person("p", 0.5, 0.9), person("q", 0.62, 0.9)]
    film = Film().show([*both, kettlebell("k", 0.5, 0.7, moving=True)], 10)
    film.show([*both, kettlebell("again", 0.575, 0.9)], 4).show([kettlebell("again", 0.575, 0.9)], 15)
    film.show([person("p", 0.5, 0.9), kettlebell("again", 0.5, 0.8, moving=True)], 10)
    assert len(of(film, settings)) == 1


def test_what_comes_back_into_the_same_hands_within_a_moment_is_theirs_whoever_passes_next(settings: Settings) -> None:
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9), kettlebell("c", 0.6, 0.3, moving=True)], 0.5)
    film.show(held("c"), 0.5)
    film.show([person("p", 0.65, 0.9), person("q", 0.55, 0.9), kettlebell("c", 0.52, 0.8, moving=True)], 3)
    film.show([person("p", 0.65, 0.9)], 15)
    assert len(of(film, settings)) == 1


def test_a_ball_that_comes_to_light_beside_a_kettlebell_in_use_takes_its_session_for_a_moment_at_most(
    settings: Settings,
) -> None:
    ball = thing("m", "med_ball", 0.6, 0.85, size=0.06)
    film = Film().show(held("k"), 10).show([*held("k"), ball], 0.5)
    film.play(lambda t: [person("p", 0.6, 0.9), kettlebell("k", 0.6, 0.7 + t % 2 / 20, moving=True), ball], 20)
    assert of(film, settings) == [("kettlebell", 0, None, None), ("med_ball", 10.5, None, None)]


def test_two_that_meet_and_are_found_again_crosswise_keep_their_sessions(settings: Settings) -> None:
    two = [person("p", 0.6, 0.9), person("q", 0.66, 0.9)]

    def shown(kettlebell_at: float, ball_at: float, tracks: str) -> list[Any]:
        ball = thing(tracks[1], "med_ball", ball_at, 0.8, moving=True, size=0.05)
        return [*two, kettlebell(tracks[0], kettlebell_at, 0.8, moving=True), ball]

    film = Film().show(held("k"), 10).show(shown(0.6, 0.68, "km"), 10)
    film.show([*two, thing("n", "med_ball", 0.61, 0.8, moving=True, size=0.05)], 0.5)
    film.show(shown(0.68, 0.61, "ln"), 30)
    assert of(film, settings) == [("kettlebell", 0, None, None), ("med_ball", 10, None, None)]


def test_a_piece_put_away_ends_its_use_though_its_track_goes_on_with_the_next_one(settings: Settings) -> None:
    lying = kettlebell("other", 0.83, 0.5)
    film = Film().show([*held("k"), lying], 20).show([person("p", 0.84, 0.7), person("q", 0.8, 0.6), lying], 0.5)
    film.show([person("p", 0.84, 0.7), person("q", 0.8, 0.6), kettlebell("k", 0.85, 0.55, moving=True)], 0.5)
    put = kettlebell("new", 0.92, 0.5)
    film.show([person("p", 0.82, 0.7), person("q", 0.78, 0.7), kettlebell("k", 0.76, 0.6, moving=True), put], 0.5)
    film.show([person("p", 0.4, 0.7), person("q", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True), put], 20)
    assert of(film, settings) == [("kettlebell", 0, 20.5, "rest"), ("kettlebell", 20.5, None, None)]


def test_another_label_at_rest_beside_somebody_else_is_not_what_was_lost(settings: Settings) -> None:
    others = [person("q", 0.67, 0.9), thing("m", "med_ball", 0.64, 0.9, size=0.06)]
    film = Film().show(held("k"), 10).show([person("p", 0.6, 0.9), *others], 0.5).show([*held("again"), *others], 20)
    assert of(film, settings) == [("kettlebell", 0, None, None), ("med_ball", 10, None, None)]


def test_another_item_far_away_is_not_the_lost_one(settings: Settings) -> None:
    film = Film().show(held("k", 0.4), 5).show([person("p", 0.4, 0.9)], 1)
    film.show([person("p", 0.4, 0.9), person("q", 0.7, 0.9), kettlebell("k2", 0.7, 0.8, moving=True)], 15)
    assert len(of(film, settings)) == 2
