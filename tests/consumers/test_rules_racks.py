"""What the rules say of kit that is in its rack, left out, in the way, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consumers.facts import CountFact, Fact, RackFact
from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.replay import interpret
from consumers.view import to_ms, view_of
from spotter.events import Scene, SceneObject, seconds_between
from spotter.settings import Settings

from .scenes import START, Film, kettlebell, person, thing

ZONES = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      rack-a: {kind: rack, holds: {kettlebell: 2}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}
      mats: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}
      aisle: {kind: walkway, polygon: [[0.0, 0.6], [0.3, 0.6], [0.3, 1.0], [0.0, 1.0]]}
"""
FLOOR, AISLE = (0.5, 0.9), (0.15, 0.9)


@pytest.fixture
def settings(gym: Callable[[str], Settings]) -> Settings:
    return gym(ZONES)


def racked(count: int) -> list[SceneObject]:
    return [kettlebell(f"r{i}", 0.85 + 0.07 * i, 0.5) for i in range(count)]


def before_the_rack(x: float = 0.9) -> SceneObject:
    return person("p", x, 0.8)


def facts(scenes: list[Scene], settings: Settings) -> list[Fact]:
    interpreter = Interpreter(layout_of_settings(settings))
    found = [fact for one in sorted(scenes, key=lambda one: one.time) for fact in interpreter.feed(view_of(one))]
    return found + interpreter.flush()


def since_start(time: int) -> float:
    return (time - to_ms(START)) / 1000


def racks(film: Film, settings: Settings) -> list[tuple[float, int, int]]:
    """(seconds, taken, missing)"""
    found = [fact for fact in facts(film.end(), settings) if isinstance(fact, RackFact)]
    return [(since_start(fact.time), fact.taken, fact.missing) for fact in found]


def alerts(film: Film, settings: Settings) -> list[tuple[str, str, str | None, float]]:
    return alerts_of(film.end(), settings)


def alerts_of(scenes: list[Scene], settings: Settings) -> list[tuple[str, str, str | None, float]]:
    """(kind, raised or cleared, zone, seconds)"""
    return [
        (alert.kind, alert.type, alert.zone, seconds_between(START, alert.time))
        for alert in interpret(scenes, settings).alerts
    ]


# Racks


def test_a_rack_is_told_of_after_its_window_and_when_it_changes(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).show(racked(1), 60, every=5).show(racked(2), 60, every=5)
    assert racks(film, settings) == [(30, 0, 0), (75, 1, 0), (140, 0, 0)]


def test_a_person_before_the_rack_makes_nothing_taken(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).show([before_the_rack()], 300, every=5).show(racked(2), 60, every=5)
    assert racks(film, settings) == [(30, 0, 0)]


def test_an_item_that_is_overlooked_for_a_moment_is_not_taken(settings: Settings) -> None:
    film = Film().play(lambda t: racked(2 if t % 10 < 6 else 1), 300, every=1)
    assert racks(film, settings) == [(30, 0, 0)]


def test_more_than_belongs_there_is_no_lack(settings: Settings) -> None:
    assert racks(Film().show(racked(3), 60, every=5), settings) == [(30, 0, 0)]


def test_what_a_rack_holds_is_its_count(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).show(racked(1), 60, every=5)
    found = [fact for fact in facts(film.end(), settings) if isinstance(fact, CountFact) and fact.zone == "rack-a"]
    assert [(fact.label, fact.count) for fact in found] == [("kettlebell", 2), ("kettlebell", 1)]


def test_two_cameras_on_one_rack_count_what_the_better_one_sees(gym: Callable[[str], Settings]) -> None:
    rack = "rack-a: {kind: rack, holds: {kettlebell: 2}, polygon: [[0.8, 0.3], [1.0, 0.3], [1.0, 0.6], [0.8, 0.6]]}"
    both = gym(f"site: gym\ncameras: {{a: {{uri: a.mp4, zones: {{{rack}}}}}, b: {{uri: b.mp4, zones: {{{rack}}}}}}}")
    scenes = Film("a").show(racked(1), 90, every=5).end() + Film("b").skip(1).show(racked(2), 89, every=5).end()
    found = [fact for fact in facts(scenes, both) if isinstance(fact, RackFact)]
    assert [(fact.expected, fact.seen) for fact in found][-1] == (2, 2)


# Missing


def test_what_is_seen_nowhere_for_ten_minutes_is_missing_until_it_is_seen(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).show(racked(1), 900, every=5)
    film.show([*racked(1), kettlebell("k", *FLOOR)], 60, every=5)
    found = [alert for alert in alerts(film, settings) if alert[0] == "missing"]
    assert [(kind, told, zone) for kind, told, zone, _ in found] == [
        ("missing", "raised", "rack-a"),
        ("missing", "cleared", "rack-a"),
    ]
    assert [at for *_, at in found] == [pytest.approx(660, abs=10), pytest.approx(960, abs=10)]


def test_kit_in_use_on_the_floor_is_not_missing(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5)
    film.show([*racked(1), person("p", *FLOOR), kettlebell("k", 0.5, 0.8, moving=True)], 1200, every=5)
    assert [alert for alert in alerts(film, settings) if alert[0] == "missing"] == []


def test_a_dark_camera_makes_nothing_missing(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).dark(3600).show(racked(2), 60, every=5)
    assert [alert[0] for alert in alerts(film, settings)] == ["camera_offline", "camera_offline"]


def test_each_missing_piece_is_an_alert_of_its_own(settings: Settings) -> None:
    film = Film().show(racked(2), 60, every=5).show(racked(1), 60, every=5).show([], 900, every=5)
    found = [alert for alert in alerts(film, settings) if alert[0] == "missing"]
    assert [told for _, told, _, _ in found] == ["raised", "raised"]


# Left out


def test_kit_alone_on_the_floor_for_two_minutes_is_left_out_until_it_is_taken(settings: Settings) -> None:
    film = Film().show([kettlebell("k", *FLOOR)], 300, every=5)
    film.show([person("p", *FLOOR), kettlebell("k", 0.5, 0.8, moving=True)], 10)
    assert alerts(film, settings) == [
        ("left_out", "raised", "mats", 120),
        ("left_out", "cleared", "mats", pytest.approx(300, abs=2)),
    ]


def test_kit_with_somebody_in_reach_is_not_left_out(settings: Settings) -> None:
    film = Film().show([kettlebell("k", *FLOOR), person("p", *FLOOR)], 500, every=5)
    assert alerts(film, settings) == []


def test_who_walks_by_changes_nothing(settings: Settings) -> None:
    film = Film()
    for turn in range(6):
        film.show([kettlebell(f"k{turn}", *FLOOR)], 40, every=5)
        film.show([person(f"p{turn}", *FLOOR, moving=True)], 1.5)  # its track breaks behind them
    assert alerts(film, settings) == [("left_out", "raised", "mats", pytest.approx(122, abs=5))]


def test_kit_in_its_rack_is_never_left_out(settings: Settings) -> None:
    assert alerts(Film().show(racked(2), 600, every=5), settings) == []


def test_two_left_out_are_two_alerts_and_one_taken_clears_one(settings: Settings) -> None:
    film = Film().show([kettlebell("k", *FLOOR), kettlebell("l", 0.7, 0.9)], 200, every=5)
    film.show([kettlebell("k", *FLOOR)], 100, every=5)
    assert [told for _, told, _, _ in alerts(film, settings)] == ["raised", "raised", "cleared"]


def test_kit_of_which_no_rack_is_known_may_lie_outside_the_drawn_zones(gym: Callable[[str], Settings]) -> None:
    film = Film("camera").show([kettlebell("k", *FLOOR)], 600, every=5)
    assert alerts(film, gym("uri: clip.mp4")) == []


def test_a_label_that_wavers_repeats_no_alert(settings: Settings) -> None:
    def lying(t: float) -> list[Any]:
        label = "med_ball" if t > 130 and t % 3 == 0 else "kettlebell"
        return [thing("k", label, *FLOOR, size=0.05)]

    assert alerts(Film().play(lying, 400, every=1), settings) == [("left_out", "raised", "mats", 120)]


def test_two_cameras_on_one_floor_raise_one_alert(gym: Callable[[str], Settings]) -> None:
    mats = "mats: {kind: floor, polygon: [[0.3, 0.6], [0.8, 0.6], [0.8, 1.0], [0.3, 1.0]]}"
    both = gym(f"site: gym\ncameras: {{a: {{uri: a.mp4, zones: {{{mats}}}}}, b: {{uri: b.mp4, zones: {{{mats}}}}}}}")
    left = Film("a").show([kettlebell("k", *FLOOR)], 200, every=5).end()
    right = Film("b").skip(1).show([kettlebell("x", 0.6, 0.8)], 199, every=5).end()
    assert [told for _, told, _, _ in alerts_of(left + right, both)] == ["raised"]


# Walkways


def test_kit_in_a_walkway_for_twenty_seconds_is_a_hazard_until_it_is_moved(settings: Settings) -> None:
    film = Film().show([kettlebell("k", *AISLE)], 60, every=5)
    film.show([person("p", *AISLE), kettlebell("k", 0.15, 0.7, moving=True)], 3).show([kettlebell("k", *FLOOR)], 30)
    assert alerts(film, settings) == [
        ("walkway", "raised", "aisle", 20),
        ("walkway", "cleared", "aisle", pytest.approx(60, abs=2)),
    ]


def test_kit_carried_along_a_walkway_is_no_hazard(settings: Settings) -> None:
    film = Film().play(lambda t: [person("p", 0.15, 0.9, moving=True), kettlebell("k", 0.15, 0.8, moving=True)], 60)
    assert [alert for alert in alerts(film, settings) if alert[0] == "walkway"] == []


def test_a_hazard_that_somebody_stands_before_stays_one_alert(settings: Settings) -> None:
    film = Film().show([kettlebell("k", *AISLE)], 60, every=5).show([person("p", *AISLE)], 120, every=5)
    film.show([kettlebell("k2", *AISLE)], 60, every=5)
    assert [alert for alert in alerts(film, settings) if alert[0] == "walkway"] == [("walkway", "raised", "aisle", 20)]


def test_a_zone_may_have_its_own_patience(gym: Callable[[str], Settings]) -> None:
    text = ZONES.replace("aisle: {kind: walkway,", "aisle: {kind: walkway, rules: {walkway_after: 40},")
    film = Film().show([kettlebell("k", *AISLE)], 60, every=5)
    assert alerts(film, gym(text))[0] == ("walkway", "raised", "aisle", 40)
