"""Figures by hour and kind: cut at hours and at the period's edges, by the gym's clock."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts import MOST_SERIES, hours_chart
from dashboard.usage_hours import EquipmentUse, Use, split_hours, tally
from spotter import catalog

from .gym import Gym

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = datetime(2026, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(timezone.utc)  # type: ignore[arg-type, misc]


def split(started: datetime, ended: datetime, zone: ZoneInfo = BERLIN) -> list[tuple[int, float]]:
    return list(split_hours(started, ended, zone))


def test_a_session_is_cut_at_full_hours() -> None:
    assert split(berlin(2026, 11, 20, 17, 50), berlin(2026, 11, 20, 19, 5)) == [(17, 600), (18, 3600), (19, 300)]


def test_a_session_over_midnight_counts_in_both_days_hours() -> None:
    assert split(berlin(2026, 11, 20, 23, 50), berlin(2026, 11, 21, 0, 10)) == [(23, 600), (0, 600)]


def test_an_hour_that_the_clocks_show_twice_counts_twice() -> None:
    pieces = split(berlin(2026, 10, 25, 1, 30), berlin(2026, 10, 25, 3, 30))
    assert sum(seconds for _, seconds in pieces) == 3 * 3600
    assert [hour for hour, _ in pieces] == [1, 2, 2, 3]


def test_an_hour_that_the_clocks_skip_does_not_count() -> None:
    pieces = split(berlin(2026, 3, 29, 1, 30), berlin(2026, 3, 29, 3, 30))
    assert pieces == [(1, 1800), (3, 1800)]


def test_zones_that_are_half_an_hour_off_are_cut_by_their_own_clock() -> None:
    began = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
    assert split(began, began + timedelta(hours=1), ZoneInfo("Asia/Kolkata")) == [(17, 1800), (18, 1800)]


@given(
    st.datetimes(YEAR, YEAR.replace(year=2027), timezones=st.just(timezone.utc)),
    st.floats(0, 200_000),
    st.sampled_from(["Europe/Berlin", "Asia/Seoul", "Australia/Lord_Howe", "America/St_Johns", "UTC", "Africa/Cairo"]),
)
def test_no_second_is_lost_or_doubled(started: datetime, seconds: float, zone: str) -> None:
    ended = started + timedelta(seconds=seconds)
    pieces = split(started, ended, ZoneInfo(zone))
    assert sum(piece for _, piece in pieces) == pytest.approx((ended - started).total_seconds(), abs=1e-3)
    assert all(0 < piece <= 3600 and 0 <= hour < 24 for hour, piece in pieces)


def test_what_lies_outside_the_period_does_not_count() -> None:
    begin, end = berlin(2026, 11, 20), berlin(2026, 11, 20, 12)
    kinds = tally(
        [
            Use("kettlebell", begin - timedelta(minutes=10), begin + timedelta(minutes=5)),
            Use("kettlebell", end - timedelta(minutes=2), None),
            Use("kettlebell", begin - timedelta(hours=2), begin),
            Use("kettlebell", end, end + timedelta(hours=1)),
            Use("dumbbell", begin - timedelta(days=1), end + timedelta(days=1)),
        ],
        begin,
        end,
        BERLIN,
    )
    assert [(kind.equipment, kind.sessions, kind.seconds) for kind in kinds] == [
        ("dumbbell", 1, 12 * 3600),
        ("kettlebell", 2, 7 * 60),
    ]
    assert kinds[1].running == 1
    assert kinds[1].median_seconds == 15 * 60  # a session's own length, whole
    assert (kinds[1].seconds_by_hour[0], kinds[1].seconds_by_hour[11]) == (300, 120)


def test_an_open_session_counts_up_to_now(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("treadmill", datetime.now(timezone.utc) - timedelta(minutes=30), None, unit="treadmill-1")
    (kind,) = signed_in.get("/api/v1/equipment?days=2").get_json()["equipment"]
    assert kind["seconds"] == pytest.approx(1800, abs=20)
    assert (kind["running"], kind["median_seconds"]) == (1, None)
    page = signed_in.get("/equipment?period=7d").text
    assert "30 min" in page
    assert "in use now" in page


def charts(page: str) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = json.loads(
        page.split('<script type="application/json" id="charts">')[1].split("</script>")[0]
    )
    return found


def test_charts_and_tables_say_the_same(gym: Gym, signed_in: FlaskClient) -> None:
    now = datetime.now(timezone.utc)
    yesterday = (now.astimezone(BERLIN) - timedelta(days=1)).date()
    gym.session("kettlebell", datetime(yesterday.year, yesterday.month, yesterday.day, 18, 30, tzinfo=BERLIN), 70)
    page = signed_in.get("/equipment?period=7d").text
    (series,) = charts(page)["hours"]["series"]
    assert series["name"] == "Kettlebell"  # type: ignore[call-overload]
    assert series["y"][18] == pytest.approx(30 / 2, abs=0.05)  # type: ignore[call-overload, index]
    assert series["y"][19] == pytest.approx(40 / 2, abs=0.05)  # type: ignore[call-overload, index]
    assert charts(page)["totals"]["values"] == [70.0]
    assert "1 h 10 min" in page
    assert "on an average day" in page  # of the two days since the first session
    assert '<td class="num">20.0</td>' in page
    assert "19:00\u201320:00" in page


@pytest.mark.parametrize("period", ["today", "7d", "30d", "nonsense"])
def test_every_period_has_an_empty_state(signed_in: FlaskClient, period: str) -> None:
    page = signed_in.get(f"/equipment?period={period}")
    assert page.status_code == 200
    assert "Nothing was used" in page.text


def test_many_kinds_become_one_series_of_the_rest() -> None:
    kinds = [EquipmentUse(f"kind-{number}", [60.0] * 24, 1, 0, 1440) for number in range(12)]
    series = hours_chart(kinds, 1, catalog.load())["series"]
    assert len(series) == MOST_SERIES
    assert series[-1]["name"] == "Other"
    assert series[-1]["y"][0] == 5.0


def test_the_script_of_the_charts_is_served_from_here_and_kept(signed_in: FlaskClient) -> None:
    page = signed_in.get("/equipment").text
    assert "plotly" not in page.split("<script")[-1]  # nothing to draw, nothing to load
    answer = signed_in.get("/assets/plotly-7.0.min.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"plotly" in gzip.decompress(answer.data)[:200]
    assert "immutable" in answer.headers["Cache-Control"]
    assert signed_in.get("/assets/plotly-7.0.min.js").data[:10] != answer.data[:10]


def test_each_kind_has_a_card(gym: Gym, signed_in: FlaskClient) -> None:
    for entry in catalog.load():
        answer = signed_in.get(f"/equipment/{entry.label}")
        assert answer.status_code == (200 if entry.equipment else 404)
    assert "How to use it" in signed_in.get("/equipment/kettlebell").text
    assert signed_in.get("/equipment/no-such").status_code == 404
