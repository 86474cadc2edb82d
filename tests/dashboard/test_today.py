"""Today: what is usual, what is worth knowing, and the page that says both."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from dashboard.equipment.figures import HOUR_MS, Figures
from dashboard.today.usual import Day, deviation, usual
from dashboard.today.worth import Open, TypeHour, UnitWeek, all_taken_ms, could_be_taken, things
from spotter.database import layouts, rollups, services
from spotter.database.rollups import FigureChanges
from spotter.moments import to_ms

from .gym import Gym
from .people import browser

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 20, tzinfo=timezone.utc)
TODAY = date(2026, 11, 26)


def a_day(minutes: int, coverage: float = 1.0) -> Day:
    """So many minutes in use in each hour."""
    return Day([Figures(minutes * 60_000, 2)] * 24, coverage)


def an_hour(in_use: float, taken: float, equipment: str = "treadmill", queue: float = 0, pieces: int = 2) -> TypeHour:
    """Minutes in use, all taken, and waited, of the hour 18:00."""
    figures = Figures(
        round(in_use * 60_000), 3, HOUR_MS * pieces, HOUR_MS * pieces, round(queue * 60_000), pieces, HOUR_MS
    )
    return TypeHour(equipment, NOW, TODAY, 18, figures, round(taken * 60_000))


def test_usual_is_the_median_of_days_that_cameras_saw() -> None:
    known = usual([a_day(10), a_day(20), a_day(60), a_day(1, coverage=0.4)], over=3)
    assert known is not None
    assert (known.days, known.in_use_ms, known.minutes[5], known.sessions) == (3, 3 * 20 * 60_000, 20, 6)
    assert usual([a_day(10), a_day(20), a_day(60, coverage=0.4)], over=3) is None


@pytest.mark.parametrize(
    ("minutes", "coverage", "said"),
    [(40, 1.0, 1.0), (21, 1.0, None), (10, 1.0, -0.5), (40, 0.3, None), (26, 1.0, None)],
)
def test_a_day_is_unusual_only_beyond_all_usual_days(minutes: int, coverage: float, said: float | None) -> None:
    known = usual([a_day(15), a_day(20), a_day(26)], over=12)
    assert deviation(a_day(minutes, coverage), known, over=12) == said
    assert deviation(a_day(minutes), None, over=12) is None


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


@given(SPANS, st.integers(1, 4))
def test_all_taken_is_counted_minute_by_minute(spans: list[tuple[int, int]], pieces: int) -> None:
    spans = [(min(span), max(span)) for span in spans]
    counted = sum(1 for minute in range(10, 50) if sum(begin <= minute < end for begin, end in spans) >= pieces)
    assert all_taken_ms(spans, pieces, 10, 50) == counted


def test_no_hour_is_taken_for_longer_than_its_use_allows() -> None:
    assert could_be_taken(an_hour(60, 0)) == 0.5
    assert could_be_taken(an_hour(60, 0, pieces=0)) == 0


def said(*hours: TypeHour, opened: tuple[Open, ...] = (), units: tuple[UnitWeek, ...] = (), today: Day | None = None):
    known = usual([a_day(15), a_day(20), a_day(26)], over=12)
    return [(one.kind, one.equipment) for one in things(hours, opened, units, today or a_day(20), known, 12, NOW)]


def test_what_costs_members_most_comes_first_and_no_kind_fills_the_list() -> None:
    hours = [an_hour(100, minutes, kind) for kind, minutes in (("bike", 8), ("rower", 20), ("treadmill", 30))]
    assert said(*hours, an_hour(50, 0, "bike", queue=25)) == [
        ("all_taken", "treadmill"),
        ("queue", "bike"),
        ("all_taken", "rower"),
    ]
    assert said(*hours) == [("all_taken", "treadmill"), ("all_taken", "rower")]


def test_little_is_not_worth_a_word() -> None:
    assert said(an_hour(50, 2, queue=1)) == []
    begun = replace(an_hour(8, 4), figures=Figures(8 * 60_000, 1, known_ms=2 * 10 * 60_000, pieces=2))
    assert said(begun) == []  # of ten minutes nothing follows
    assert said() == []


def test_what_is_missing_worn_in_service_or_idle_is_told() -> None:
    opened = (
        Open("maintenance_due", "a", "bike", "bike-1", NOW),
        Open("missing", "b", "kettlebell", None, NOW),
        Open("in_service", None, "bike", "bike-2", NOW - timedelta(days=10)),
        Open("in_service", None, "bike", "bike-3", NOW - timedelta(days=1)),
        Open("left_out", "c", "kettlebell", None, NOW),
    )
    assert said(opened=opened) == [("in_service", "bike"), ("missing", "kettlebell"), ("maintenance_due", "bike")]
    week = Figures(watched_ms=100, pieces=1, length_ms=100)
    used, unseen = Figures(sessions=40, watched_ms=100, pieces=1, length_ms=100), Figures(pieces=1, length_ms=100)
    units = [UnitWeek("bike", "bike-1", week), UnitWeek("bike", "bike-2", used), UnitWeek("rower", "rower-1", week)]
    assert said(units=tuple(units)) == [("idle", "bike")]
    assert said(units=(UnitWeek("bike", "bike-1", unseen), units[1])) == []


def test_an_unusual_day_is_told() -> None:
    assert said(today=a_day(40)) == [("unusual", None)]


def at(weeks: int, hour: int, minute: int = 0) -> datetime:
    day = (datetime.now(BERLIN) - timedelta(weeks=weeks)).date()
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(timezone.utc)


def test_a_new_gym_is_told_that_nothing_is_usual_yet(gym: Gym, signed_in: FlaskClient) -> None:
    page = signed_in.get("/").text
    assert "No usual day yet" in page
    assert "Nothing stands out" in page
    assert "No alert is open" in page


def test_today_stands_beside_the_usual_day(gym: Gym, signed_in: FlaskClient) -> None:
    for week in range(1, 5):
        gym.watched(at(week, 0), 24, ("treadmill", "treadmill-1"))
        gym.session("treadmill", at(week, 12), 10 * week, unit="treadmill-1")
    page = signed_in.get("/").text
    assert "the last 4 same weekdays" in page
    table = signed_in.get("/today.csv").text
    assert "hour,minutes,usual" in table
    assert "12:00,0.0,25.0" in table
    assert signed_in.get("/today.svg").mimetype == "image/svg+xml"
    assert signed_in.get("/today.png").status_code == 404
    told = signed_in.get("/api/v1/today").get_json()
    assert (len(told["seconds_by_hour"]), told["usual"] is None, told["things"]) == (24, False, [])


def test_a_camera_that_was_taken_down_does_not_make_days_unseen(gym: Gym, signed_in: FlaskClient) -> None:
    with gym.engine.begin() as connection:
        changes = FigureChanges(BERLIN)
        changes.cameras[to_ms(at(20, 12)), "old"] = HOUR_MS
        rollups.add(connection, gym.site, changes)
    for week in range(1, 4):
        gym.watched(at(week, 0), 23, ("treadmill", "treadmill-1"))
        gym.session("treadmill", at(week, 12), 10, unit="treadmill-1")
    assert "the last 3 same weekdays" in signed_in.get("/").text


def test_what_comes_into_use_changes_the_etag(gym: Gym, signed_in: FlaskClient) -> None:
    station = {"kind": "station", "equipment": "treadmill", "polygon": [[0, 0], [1, 0], [1, 1]]}
    layouts.add(gym.engine, gym.site, {"cameras": {"a": {"treadmill-1": station}}, "rules": {}}, "settings")
    tag = signed_in.get("/api/v1/today").headers["ETag"]
    gym.session("treadmill", datetime.now(timezone.utc), None, unit="treadmill-1", zone="treadmill-1")
    answer = signed_in.get("/api/v1/today", headers={"If-None-Match": tag})
    assert answer.get_json()["now"] == [{"equipment": "treadmill", "pieces": 1, "in_use": 1}]


def test_all_taken_leads_to_its_evidence(gym: Gym, signed_in: FlaskClient) -> None:
    yesterday = datetime.now(BERLIN) - timedelta(days=1)
    six = yesterday.replace(hour=18, minute=0, second=0, microsecond=0).astimezone(timezone.utc)
    gym.watched(six, 1, ("treadmill", "treadmill-1"), ("treadmill", "treadmill-2"), queue_seconds=600)
    gym.session("treadmill", six - timedelta(minutes=30), 60, unit="treadmill-1")
    gym.session("treadmill", six + timedelta(minutes=15), 30, unit="treadmill-2")
    page = signed_in.get("/").text
    assert "Treadmill: all were taken 25 % of the time (Yesterday 18:00\u201319:00)." in page
    assert "Treadmill: people waited 20 min altogether" in page
    link = page.split('data-kind="all_taken"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    evidence = signed_in.get(link.partition("#")[0])
    assert evidence.status_code == 200
    assert 'id="day"' in evidence.text
    first = signed_in.get("/api/v1/today?language=ko").get_json()["things"]
    assert {one["kind"] for one in first} == {"all_taken", "queue"}
    assert all(re.search("[가-힣]", one["text"]) for one in first)
    assert link in [one["evidence"] for one in first]


def test_alerts_services_and_pieces_are_shown(gym: Gym, app: Flask, signed_in: FlaskClient) -> None:
    alert = gym.alert("missing", unit=None)
    with gym.engine.begin() as connection:
        services.start(connection, gym.site, "treadmill-1", "Olga", datetime.now(timezone.utc) - timedelta(days=5))
    station = {"kind": "station", "equipment": "treadmill", "polygon": [[0, 0], [1, 0], [1, 1]]}
    rack = {"kind": "rack", "holds": {"kettlebell": 4}, "polygon": [[0, 0], [1, 0], [1, 1]]}
    zones = {"a": {"treadmill-1": station, "rack": rack}, "b": {"treadmill-1": station, "rack": rack}}
    layouts.add(gym.engine, gym.site, {"cameras": zones, "rules": {}}, "settings")
    page = browser(app, gym, "viewer").get("/").text
    assert f"#alert-{alert}" in page
    assert "Kettlebell: missing from its rack." in page
    assert "treadmill-1: in service for 5 days." in page
    assert 'data-label="treadmill" data-pieces="1"' in page  # what two cameras see is one
    assert 'data-label="kettlebell" data-pieces="4"' in page
    gym.session("kettlebell", datetime.now(timezone.utc), None)
    now = signed_in.get("/api/v1/today").get_json()["now"]
    assert {"equipment": "kettlebell", "pieces": 4, "in_use": 1} in now
