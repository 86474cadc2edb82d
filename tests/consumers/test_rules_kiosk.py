"""What the rules say of an item that is held up to a kiosk camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consumers.facts import IdentifiedFact
from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.view import to_ms, view_of
from spotter.settings import Settings

from .scenes import START, Film, person, thing

DESK = """
site: gym
cameras: {cam: {uri: 0, zones: {desk: {kind: kiosk, polygon: [[0.3, 0.3], [0.7, 0.3], [0.7, 1.0], [0.3, 1.0]]}}}}
"""
WHO = person("p", 0.5, 1.0)


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(DESK)


def held(label: str, score: float = 0.8, track: str = "k", x: float = 0.5, *, moving: bool = False) -> list[Any]:
    return [WHO, thing(track, label, x, 0.6, size=0.15, score=score, moving=moving)]


def told(film: Film, settings: Settings) -> list[tuple[float, str, str | None]]:
    return [((fact.time - to_ms(START)) / 1000, fact.state, fact.label) for fact in identified(film, settings)]


def identified(film: Film, settings: Settings) -> list[IdentifiedFact]:
    interpreter = Interpreter(layout_of_settings(settings))
    facts = [fact for one in film.end() for fact in interpreter.feed(view_of(one))]
    return [fact for fact in facts if isinstance(fact, IdentifiedFact)]


def test_an_item_held_still_is_named_within_a_second_and_forgotten_when_it_is_gone(settings: Settings) -> None:
    film = Film().show([WHO], 3, every=0.2).show(held("kettlebell"), 3, every=0.2).show([WHO], 3, every=0.2)
    assert told(film, settings) == [
        (pytest.approx(3.6), "recognised", "kettlebell"),
        (pytest.approx(6.6), "none", None),
    ]


def test_what_the_detector_hardly_believes_is_unsure_instead_of_a_name(settings: Settings) -> None:
    film = Film().show(held("kettlebell", 0.45), 3, every=0.2)
    (fact,) = identified(film, settings)
    assert (fact.state, fact.label, fact.nearest) == ("unsure", None, (("kettlebell", 0.45),))


def test_a_label_that_flips_is_unsure_between_the_two_nearest(settings: Settings) -> None:
    def flipping(t: float) -> list[Any]:
        label = "kettlebell" if round(t / 0.2) % 3 else "med_ball"
        return held(label, 0.9, f"{label}-{round(t * 10)}")

    found = identified(Film().play(flipping, 6, every=0.2), settings)
    assert {fact.state for fact in found} == {"unsure"}
    assert [label for label, _ in found[-1].nearest] == ["kettlebell", "med_ball"]


def test_one_scene_under_another_label_keeps_the_name(settings: Settings) -> None:
    film = Film().show(held("kettlebell"), 2, every=0.2).show(held("med_ball", 0.5, "m"), 0.2, every=0.2)
    film.show(held("kettlebell"), 2, every=0.2)
    assert [state for _, state, _ in told(film, settings)] == ["recognised"]


def test_evidence_that_is_split_stays_unsure_however_steady_the_later_label_is(settings: Settings) -> None:
    film = Film().show(held("kettlebell", 0.6), 0.4, every=0.2).show(held("med_ball", 0.66, "m"), 2, every=0.2)
    film.show(held("med_ball", 0.66, "m"), 2, every=2)  # nothing changes, so scenes come rarely
    found = identified(film, settings)
    assert {fact.state for fact in found} == {"unsure"}
    assert {label for label, _ in found[-1].nearest} == {"kettlebell", "med_ball"}


def test_while_nothing_changes_the_name_stays_and_is_told_once(settings: Settings) -> None:
    film = Film().show(held("kettlebell"), 2, every=0.2).show(held("kettlebell"), 600, every=2)
    assert [state for _, state, _ in told(film, settings)] == ["recognised"]


def test_what_lies_on_the_desk_from_the_start_is_not_forgotten_when_its_track_breaks(settings: Settings) -> None:
    film = Film().show(held("kettlebell"), 1, every=0.2).show([WHO], 0.4, every=0.2)
    film.show(held("kettlebell", track="k2", x=0.52), 2, every=0.2)
    assert [state for _, state, _ in told(film, settings)] == ["recognised"]


def test_a_kiosk_that_slept_for_an_hour_tells_nothing_and_names_the_next_item_within_a_second(
    settings: Settings,
) -> None:
    film = Film().show(held("kettlebell"), 2, every=0.2).show([WHO], 2, every=0.2)
    film.show([], 1800, every=5).show([person("q", 0.1, 1.0)], 10, every=0.2).show([], 1800, every=5)
    film.show(held("med_ball", track="m"), 2, every=0.2)
    found = told(film, settings)
    assert [(state, label) for _, state, label in found] == [
        ("recognised", "kettlebell"),
        ("none", None),
        ("recognised", "med_ball"),
    ]
    assert found[-1][0] - (2 + 2 + 1800 + 10 + 1800) <= 1


def test_what_was_blurred_on_its_way_up_is_named_once_it_is_still(settings: Settings) -> None:
    film = Film().show(held("med_ball", 0.5, "m", moving=True), 0.6, every=0.2).show(held("kettlebell"), 3, every=0.2)
    ((at, state, label),) = [found for found in told(film, settings) if found[1] == "recognised"]
    assert (state, label) == ("recognised", "kettlebell")
    assert at <= 1.6


def test_the_next_item_gets_its_own_card(settings: Settings) -> None:
    film = Film().show(held("kettlebell"), 2, every=0.2).show([WHO], 2, every=0.2)
    film.show(held("med_ball", track="m"), 2, every=0.2)
    assert [label for _, _, label in told(film, settings)] == ["kettlebell", None, "med_ball"]


def test_items_outside_the_zone_are_not_held_up(settings: Settings) -> None:
    assert told(Film().show(held("kettlebell", x=0.9), 3, every=0.2), settings) == []


def test_of_two_items_the_larger_one_is_named(settings: Settings) -> None:
    small = thing("s", "lacrosse_ball", 0.6, 0.6, size=0.05)
    film = Film().show([*held("kettlebell"), small], 3, every=0.2)
    assert [label for _, _, label in told(film, settings)] == ["kettlebell"]


def test_a_camera_without_zones_names_what_is_in_its_middle(gym: Callable[[str], Settings]) -> None:
    plain = gym("uri: 0")
    assert [label for *_, label in told(Film("camera").show(held("kettlebell"), 2, every=0.2), plain)] == ["kettlebell"]
    assert told(Film("camera").show(held("kettlebell", x=0.95), 2, every=0.2), plain) == []


def test_a_gym_camera_names_nothing(gym: Callable[[str], Settings]) -> None:
    floor = gym(DESK.replace("kiosk", "floor"))
    assert told(Film().show(held("kettlebell"), 3, every=0.2), floor) == []
