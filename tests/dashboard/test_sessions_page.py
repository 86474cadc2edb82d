"""The sessions page, its filter, its pages and its CSV file."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from dashboard import timeline
from dashboard.sessions import safe_cell
from dashboard.times import day_start, iso_texts, length, parse_local

from .gym import Gym

BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = "<script>alert(1)</script>"


def at(hour: int, minute: int = 0, *, day: int = 20) -> datetime:
    """A moment of November 2026 by the gym's clock."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


def names(page: str) -> list[str]:
    return [part.split(">")[1].split("<")[0].strip() for part in page.split('<th scope="row">')[1:]]


def rows_of(answer: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer)))


def test_an_empty_gym_says_what_to_do_next(signed_in: FlaskClient) -> None:
    page = signed_in.get("/sessions").text
    assert "No session yet" in page
    assert "Layout</strong> as a zone" in page
    assert "<table" not in page


def test_newest_first_with_running_ones_marked(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("foam_roller", at(8))
    gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(minutes=5), None)
    gym.session("dumbbell", at(9))
    page = signed_in.get("/sessions").text
    assert names(page) == ["Kettlebell", "Dumbbell", "Foam roller"]
    assert page.count("running</span>") == 1
    assert "5 min" in page
    assert "09:00:00" in page  # by the gym's clock


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("equipment=kettlebell", ["Kettlebell"]),
        ("camera=cardio", ["Dumbbell"]),
        ("camera=cardi", []),
        ("camera=c_rdio", []),
        ("from=2026-11-20&to=2026-11-20", ["Dumbbell", "Kettlebell"]),
        ("from=2026-11-20T09:00&to=2026-11-20T10:00", ["Dumbbell"]),
        ("from=2026-11-20T08:01&to=2026-11-20T08:02", ["Kettlebell"]),
        ("from=2026-11-21", []),
        ("to=2026-11-19", ["Foam roller"]),
        ("equipment=kettlebell&camera=cardio", []),
    ],
)
def test_the_filter(gym: Gym, signed_in: FlaskClient, query: str, expected: list[str]) -> None:
    gym.session("foam_roller", at(8, day=18))
    gym.session("kettlebell", at(8), 10)
    gym.session("dumbbell", at(9), cameras=["free-weights", "cardio"])
    assert names(signed_in.get(f"/sessions?{query}").text) == expected
    found = rows_of(signed_in.get(f"/sessions.csv?{query}").text)
    assert [row["name"] for row in found] == expected


def test_a_file_has_what_reaches_into_its_time(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("kettlebell", at(8), None)
    gym.session("dumbbell", at(8, 30), 60)
    gym.session("foam_roller", at(7), 90)
    found = rows_of(signed_in.get("/sessions.csv?from=2026-11-20T09:00").text)
    assert [row["name"] for row in found] == ["Dumbbell", "Kettlebell"]


def test_a_filter_that_fits_nothing_says_so(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("kettlebell", at(8))
    assert "Nothing fits" in signed_in.get("/sessions?equipment=dumbbell").text


@pytest.mark.parametrize(
    "query",
    ["from=yesterday", "to=2026-13-45", "from=2026-11-21&to=2026-11-20", "from=99999-01-01", "from=0001-01-05"],
)
def test_a_time_that_is_not_understood_is_named(signed_in: FlaskClient, query: str) -> None:
    page = signed_in.get(f"/sessions?{query}")
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert signed_in.get(f"/sessions.csv?{query}").status_code == 400


def test_pages_follow_each_other_without_gap_or_repeat(gym: Gym, signed_in: FlaskClient) -> None:
    # Several begin in the same moment, so the order within it must be kept too.
    for number in range(120):
        gym.session("kettlebell", at(8) - timedelta(minutes=number // 7))
    seen: list[str] = []
    cursor = ""
    while True:
        answer = signed_in.get(f"/api/v1/sessions?limit=50&cursor={cursor}").get_json()
        seen += [one["session"] for one in answer["sessions"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 120
    assert "Older sessions" in signed_in.get("/sessions").text


@pytest.mark.parametrize("cursor", ["x", "%00", "A" * 9000, "MjAyNi0xMS0yMA", "🏋"])
def test_a_damaged_cursor_shows_the_newest_page(gym: Gym, signed_in: FlaskClient, cursor: str) -> None:
    gym.session("kettlebell", at(8))
    assert names(signed_in.get("/sessions", query_string={"cursor": cursor}).text) in (["Kettlebell"], [])


def test_hostile_names_are_text_on_every_page(gym: Gym, signed_in: FlaskClient) -> None:
    now = datetime.now(timezone.utc)
    gym.session(HOSTILE, now - timedelta(minutes=5), 1, unit="'\"><img src=x>", zone=HOSTILE, cameras=[HOSTILE])
    gym.session(HOSTILE, now - timedelta(minutes=2), None)
    for path in ("/sessions", "/equipment", "/", "/live/state", f"/sessions?equipment={HOSTILE}&camera={HOSTILE}"):
        page = signed_in.get(path)
        assert page.status_code == 200
        if page.mimetype == "text/html":
            assert HOSTILE not in page.text
            assert "<img src=x>" not in page.text


def test_the_csv_file_is_safe_for_spreadsheets(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("=HYPERLINK(1)", at(8), unit="+1", zone="@SUM", cameras=["-2", 'a"b,c'])
    answer = signed_in.get("/sessions.csv")
    assert answer.mimetype == "text/csv"
    assert 'attachment; filename="sessions-downtown-' in answer.headers["Content-Disposition"]
    (row,) = rows_of(answer.text)
    assert row["equipment"] == "'=HYPERLINK(1)"
    assert (row["unit"], row["zone"]) == ("'+1", "'@SUM")
    assert row["started"] == "2026-11-20T08:00:00+01:00"
    assert (row["seconds"], row["ended_by"]) == ("60.0", "rest")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")


def test_a_large_csv_file_is_whole(gym: Gym, signed_in: FlaskClient) -> None:
    from sqlalchemy import insert

    from spotter.database.tables import UsageSessionRow

    with gym.engine.begin() as connection:
        connection.execute(
            insert(UsageSessionRow),
            [
                {
                    "id": f"id-{number}", "site": "downtown", "equipment": "kettlebell", "cameras": [],
                    "started_at": at(8) + timedelta(seconds=number), "ended_at": at(9), "active_seconds": 1,
                    "confidence": 1, "layout_version": 1,
                }
                for number in range(2345)
            ],
        )  # fmt: skip
    found = rows_of(signed_in.get("/sessions.csv").text)
    assert len({row["session"] for row in found}) == 2345


def test_a_session_over_midnight_stands_under_the_day_it_began(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("treadmill", at(23, 50), 30, unit="treadmill-1")
    page = signed_in.get("/sessions").text
    assert "Fri 20 Nov 2026" in page
    assert "(Sat)" in page
    assert names(signed_in.get("/sessions?from=2026-11-21&to=2026-11-21").text) == ["Treadmill"]


def test_another_sites_sessions_are_not_shown(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("kettlebell", at(8), site="uptown")
    assert "No session yet" in signed_in.get("/sessions").text
    assert rows_of(signed_in.get("/sessions.csv").text) == []


def test_local_times_on_days_when_the_clocks_change() -> None:
    # 25 October 2026 has 25 hours in Berlin: 02:30 comes twice, and a range that ends then ends with the second.
    first, second = (parse_local("2026-10-25T02:30", BERLIN, end=end) for end in (False, True))
    assert first is not None
    assert second is not None
    assert second - first == timedelta(hours=1)
    whole = [parse_local("2026-10-25", BERLIN, end=end) for end in (False, True)]
    assert whole[1] - whole[0] == timedelta(hours=25)  # type: ignore[operator]
    assert day_start(date(2026, 3, 30), BERLIN) - day_start(date(2026, 3, 29), BERLIN) == timedelta(hours=23)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC"])
def test_times_in_files_are_those_of_the_zone(zone: str) -> None:
    local, text = ZoneInfo(zone), iso_texts(ZoneInfo(zone))
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for number in range(365 * 24):  # each in another minute and second of its hour; every change of the clocks
        moment = begin + timedelta(hours=number, seconds=number * 617 % 3600, microseconds=999_999)
        expected = moment.astimezone(local).isoformat(timespec="seconds")
        assert text(math.floor(moment.timestamp() * 1000)) == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (-3, "0 s"),
    ],
)
def test_lengths_in_words(seconds: float, words: str) -> None:
    assert length(seconds) == words


def test_a_day_with_more_sessions_than_bars_is_shown_by_the_hour(
    gym: Gym, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST", 3)
    for minute in (0, 20, 40):
        gym.session("kettlebell", at(8, minute), 10)
    gym.session("treadmill", at(9, 30), 60, unit="treadmill-1")
    page = signed_in.get("/sessions?from=2026-11-20&to=2026-11-20").text
    assert "4 sessions by the hour" in page
    said = re.findall(r'aria-label="([^"]+: \d+ min, sessions: \d+)"', page)
    assert said == [
        "Kettlebell 08:00: 30 min, sessions: 3",
        "Treadmill 09:00: 30 min, sessions: 1",
        "Treadmill 10:00: 30 min, sessions: 0",
    ]
    (link,) = re.findall(r'href="(/sessions\?[^"]+)" tabindex="-1" aria-label="Kettlebell 08', page)
    hour = signed_in.get(link.replace("&amp;", "&")).text
    assert "3 sessions as bars over time" in hour
    gym.session("treadmill", at(11), 5, unit="treadmill-2")
    gym.session("treadmill", at(12), 5, unit="treadmill-2")
    gym.session("treadmill", at(13), 5, unit="treadmill-2")
    units = signed_in.get("/sessions?from=2026-11-20&to=2026-11-20&equipment=treadmill").text
    assert "treadmill-1 09:00: 30 min, sessions: 1" in units
    by_camera = signed_in.get("/sessions?from=2026-11-20&to=2026-11-20&lanes=camera").text
    assert "The newest 3 sessions as bars" in by_camera
