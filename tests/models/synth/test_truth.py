"""True times from exact boxes."""

from __future__ import annotations

import pytest

from models.synth.film import merged
from models.synth.truth import Box, Look, in_reach, inside, kit_spans, spans, station_spans, truth_of

SQUARE = [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]
STATION = {"bike-1": {"kind": "station", "equipment": "bike", "polygon": SQUARE}}


def look(seconds: float, person: Box | None = None, item: Box | None = None, held: bool = False) -> Look:
    return Look(
        seconds, (person,) if person else (), {"bell": item} if item else {}, frozenset({"bell"} if held else ())
    )


def test_a_point_is_inside_or_outside_of_a_polygon() -> None:
    assert inside(SQUARE, 0.5, 0.5)
    assert not inside(SQUARE, 0.7, 0.5)
    assert not inside([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 0.6, 0.6)


def test_runs_are_joined_over_short_breaks_only() -> None:
    times = [0.0, 1.0, 2.0, 3.0, 9.0, 10.0]
    assert spans(times, [True, False, True, True, False, True], bridged=4) == [(0.0, 3.0), (10.0, 10.0)]


def test_a_station_is_used_while_feet_are_in_it() -> None:
    there, passing = (0.45, 0.1, 0.55, 0.5), (0.45, 0.1, 0.55, 0.9)
    looks = [look(0), look(1, passing), look(2, there), look(3, there), look(4, passing), look(5)]
    assert station_spans(looks, SQUARE) == [(2, 3)]


def test_kit_is_used_outside_of_its_rack_in_a_hand_or_in_reach() -> None:
    home, away = (0.45, 0.45, 0.55, 0.55), (0.1, 0.1, 0.2, 0.2)
    looks = [
        look(0, item=home, held=True),
        look(1, item=away, held=True),
        look(2, person=(0.15, 0.0, 0.3, 0.4), item=away),
        look(3, person=(0.5, 0.0, 0.7, 0.4), item=away),
    ]
    assert kit_spans(looks, "bell", [SQUARE]) == [(1, 2)]


def test_reach_is_the_person_grown_by_a_tenth() -> None:
    person = (0.4, 0.2, 0.6, 0.8)
    assert in_reach(person, (0.61, 0.4, 0.7, 0.5))
    assert not in_reach(person, (0.63, 0.4, 0.7, 0.5))


def test_a_truth_file_has_sessions_in_tenths_and_doubt_at_their_ends() -> None:
    there = (0.45, 0.1, 0.55, 0.5)
    truth = truth_of([look(second / 8, there) for second in range(8, 81)], STATION, {}, {})
    assert truth["sessions"] == [{"equipment": "bike", "unit": "bike-1", "start": 1.0, "end": 10.0}]
    assert truth["uncertain"] == [[0.7, 1.3], [9.7, 10.3]]


def test_a_kiosk_has_no_sessions_but_says_what_is_held_up() -> None:
    zones = {"desk": {"kind": "kiosk", "polygon": SQUARE}}
    looks = [look(second, item=(0.1, 0.1, 0.2, 0.2), held=True) for second in range(10)]
    truth = truth_of(looks, zones, {"bell": "kettlebell"}, {"bell": [(0, 9)]}, (("kettlebell", 2.0, 5.0),))
    assert truth["sessions"] == []
    assert truth["held"] == [{"label": "kettlebell", "start": 2.0, "end": 5.0}]


@pytest.mark.parametrize(
    ("windows", "apart"),
    [
        ([(0, 0, 10, 10), (20, 0, 30, 10)], [(0, 0, 10, 10), (20, 0, 30, 10)]),
        ([(0, 0, 10, 10), (5, 5, 30, 12)], [(0, 0, 30, 12)]),
        ([(0, 0, 10, 10), (20, 0, 30, 10), (8, 0, 22, 10)], [(0, 0, 30, 10)]),
        ([(0, 0, 4, 30), (6, 0, 20, 4), (2, 20, 8, 24)], [(0, 0, 20, 30)]),
    ],
)
def test_windows_that_overlap_become_one(
    windows: list[tuple[int, int, int, int]], apart: list[tuple[int, int, int, int]]
) -> None:
    assert sorted(merged(windows)) == apart
