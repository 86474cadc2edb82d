"""The equipment pages: stored figures, periods and comparisons, charts as files, several sites."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from spotter import catalog
from spotter.database import layouts, services

from .gym import Gym

BERLIN = ZoneInfo("Europe/Berlin")


def at(days_ago: int, hour: int, minute: int = 0) -> datetime:
    """A local time of some days ago."""
    day = (datetime.now(BERLIN) - timedelta(days=days_ago)).date()
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(timezone.utc)


def table(answer: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer)))


def a_busy_evening(gym: Gym) -> None:
    """Two treadmills, watched all of yesterday; one in use 18:00-19:00, the other 18:15-19:00; people wait."""
    gym.watched(at(1, 0), 24, ("treadmill", "treadmill-1"), ("treadmill", "treadmill-2"))
    gym.watched(at(1, 18), 1, ("treadmill", "treadmill-1"), queue_seconds=900)
    gym.session("treadmill", at(1, 18), 60, unit="treadmill-1")
    gym.session("treadmill", at(1, 18, 15), 45, unit="treadmill-2")


def test_an_open_session_counts_up_to_where_it_was_last_told(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("treadmill", datetime.now(timezone.utc) - timedelta(minutes=30), None, unit="treadmill-1")
    (kind,) = signed_in.get("/api/v1/equipment?days=2").get_json()["equipment"]
    assert kind["seconds"] == pytest.approx(1800, abs=20)
    assert (kind["running"], kind["median_seconds"]) == (1, None)
    page = signed_in.get("/equipment?period=7d").text
    assert "30 min" in page
    assert "in use now" in page


def test_pages_files_and_api_say_the_same(gym: Gym, signed_in: FlaskClient) -> None:
    a_busy_evening(gym)
    query = f"from={at(1, 12).date()}&to={at(1, 12).date()}"
    page = signed_in.get(f"/equipment?{query}").text
    assert "1 h 45 min" in page
    assert "18:00\u201319:00" in page
    hours = table(signed_in.get(f"/equipment/charts/hours.csv?{query}").text)
    assert [(row["hour"], row["treadmill"]) for row in hours if float(row["all"])] == [("18:00", "105.0")]
    (figure,) = signed_in.get(f"/api/v1/figures?{query}").get_json()["figures"]
    assert (figure["seconds"], figure["sessions"], figure["queue_seconds"]) == (6300, 2, 900)
    assert figure["availability"] == pytest.approx(1 - 105 / (24 * 2 * 60 + 60), abs=0.001)
    (row,) = table(signed_in.get(f"/api/v1/figures.csv?{query}").text)
    assert (row["equipment"], float(row["seconds"]), row["compared_seconds"]) == ("treadmill", 6300, "")
    week = signed_in.get(f"/api/v1/figures/week?equipment=treadmill&{query}").get_json()["hours"]
    peak = next(one for one in week if one["hour"] == 18)
    assert peak["seconds"] == 6300
    cells = table(signed_in.get(f"/equipment/charts/availability.csv?label=treadmill&{query}").text)
    assert sum(bool(cell["available"]) for cell in cells) == 24
    assert len(cells) == 7 * 24
    assert len(table(signed_in.get(f"/api/v1/figures/week.csv?equipment=treadmill&{query}").text)) == len(week) == 24


def test_a_type_has_its_units_its_hint_and_its_card(gym: Gym, signed_in: FlaskClient) -> None:
    a_busy_evening(gym)
    with gym.engine.begin() as connection:
        services.done(connection, gym.site, "treadmill-1", "Olga", at(1, 18, 30), 1)
    page = signed_in.get("/equipment/treadmill?period=30d").text
    assert "treadmill-2" in page
    assert "0.5 h" in page  # of the hour of the service, the half that was left
    assert "never recorded" in page
    unit = signed_in.get("/equipment/treadmill?unit=treadmill-2&period=30d").text
    assert "45 min" in unit
    assert "Is it enough?" not in unit
    assert "How to use it" in signed_in.get("/equipment/kettlebell").text
    for path in ("/equipment/no-such", "/equipment/treadmill?unit=no-such", "/equipment/person"):
        assert signed_in.get(path).status_code == 404, path


def test_too_few_and_too_many_are_said_with_their_reason(gym: Gym, signed_in: FlaskClient) -> None:
    for day in range(1, 6):
        gym.watched(at(day, 0), 24, ("treadmill", "treadmill-1"), ("bike", "bike-1"), ("bike", "bike-2"))
        gym.session("treadmill", at(day, 18), 55, unit="treadmill-1")
        gym.session("bike", at(day, 18), 5, unit="bike-1")
    page = signed_in.get("/equipment").text
    assert "Too few" in page
    assert "More than needed" in page
    reason = signed_in.get("/equipment/treadmill").text
    assert "0.9 of 1 are in use on average: 8 % free" in reason
    assert "One more would leave 54 %" in reason
    hints = {one["equipment"]: one["hint"] for one in signed_in.get("/api/v1/figures").get_json()["figures"]}
    assert (hints["treadmill"]["verdict"], hints["treadmill"]["change"]) == ("buy", 1)
    assert (hints["bike"]["verdict"], hints["bike"]["hour"]) == ("too_many", 18)


def test_another_time_stands_beside(gym: Gym, signed_in: FlaskClient) -> None:
    gym.session("bike", at(1, 12), 30, unit="bike-1")
    gym.session("bike", at(2, 12), 20, unit="bike-1")
    query = f"from={at(1, 12).date()}&to={at(1, 12).date()}"
    for against in ("before", str(at(2, 12).date())):
        (one,) = signed_in.get(f"/api/v1/figures?{query}&against={against}").get_json()["figures"]
        assert (one["seconds"], one["compared"]["seconds"]) == (1800, 1200)
        assert "+50 %" in signed_in.get(f"/equipment?{query}&against={against}").text
    day = table(signed_in.get(f"/equipment/charts/day.csv?label=bike&{query}&against=before").text)[12]
    assert (day["minutes"], day["compared"]) == ("30.0", "20.0")


@pytest.mark.parametrize(
    "path", ["figures?against=before", "figures/week?equipment=treadmill", "figures/sites", "services"]
)
def test_figures_up_to_now_have_an_etag_that_lasts(gym: Gym, signed_in: FlaskClient, path: str) -> None:
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    gym.watched(yesterday, 2, ("treadmill", "treadmill-1"))
    gym.session("treadmill", yesterday, 10, unit="treadmill-1")
    first = signed_in.get(f"/api/v1/{path}")
    again = signed_in.get(f"/api/v1/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    if path != "services":
        gym.session("treadmill", yesterday + timedelta(minutes=20), 10, unit="treadmill-1")
        again = signed_in.get(f"/api/v1/{path}", headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 200


def test_of_yesterday_only_what_is_over_today_is_compared(gym: Gym, signed_in: FlaskClient) -> None:
    now = datetime.now(BERLIN)
    if now.hour in (0, 23):
        pytest.skip("needs an hour before and one after this one today")
    gym.session("bike", at(1, now.hour + 1), 10, unit="bike-1")
    gym.session("bike", at(0, 0), 10, unit="bike-1")
    (one,) = signed_in.get("/api/v1/figures?period=today&against=before").get_json()["figures"]
    assert one["compared"]["seconds"] == 0


def test_units_come_page_by_page(gym: Gym, signed_in: FlaskClient) -> None:
    for number in range(5):
        gym.session("bike", at(1, 12), 10, unit=f"bike-{number}")
    seen, cursor = [], ""
    while cursor is not None:
        body = signed_in.get(f"/api/v1/figures?by=unit&limit=2&cursor={cursor}").get_json()
        seen += [one["unit"] for one in body["figures"]]
        cursor = body["next"]
    assert seen == [f"bike-{number}" for number in range(5)]


@pytest.mark.parametrize(
    "query",
    ["cursor=damaged", "period=x", "from=x", "from=2026-02-02&to=2026-02-01", "against=x", "against=9999-12-31"],
)
def test_what_is_not_understood_is_named(signed_in: FlaskClient, query: str) -> None:
    answer = signed_in.get(f"/api/v1/figures?{query}")
    assert answer.status_code == 422
    assert f"“{query.partition('=')[0]}”" in answer.get_json(force=True)["detail"]
    if not query.startswith("cursor"):
        page = signed_in.get(f"/equipment?{query}")
        assert page.status_code == 200
        assert 'role="alert"' in page.text
        assert signed_in.get(f"/equipment/charts/hours.csv?{query}").status_code == 400


def test_every_chart_is_a_picture_and_a_table(gym: Gym, signed_in: FlaskClient) -> None:
    a_busy_evening(gym)
    for name in ("hours", "totals", "availability", "day", "units", "sites"):
        picture = signed_in.get(f"/equipment/charts/{name}.svg?label=treadmill")
        assert picture.mimetype == "image/svg+xml"
        assert "attachment" in picture.headers["Content-Disposition"]
        drawn = ElementTree.fromstring(picture.text)
        assert drawn.tag.endswith("svg")
        assert "style" not in picture.text
        assert "coverage" in signed_in.get(f"/equipment/charts/{name}.csv?label=treadmill").text or name in (
            "hours",
            "day",
        )
    for path in ("nothing.csv", "hours.png", "availability.csv?label=nothing"):
        assert signed_in.get(f"/equipment/charts/{path}").status_code == 404, path


def seconds(client: FlaskClient, query: str = "") -> dict[str, float]:
    return {one["site"]: one["seconds"] for one in client.get(f"/api/v1/figures/sites{query}").get_json()["sites"]}


def test_sites_stand_side_by_side_for_who_may_see_them(gym: Gym, app: object, signed_in: FlaskClient) -> None:
    gym.session("bike", at(1, 12), 30, unit="bike-1")
    assert "Sites side by side" not in signed_in.get("/equipment").text
    gym.elsewhere("uptown", "bike", at(1, 12), 90)
    page = signed_in.get("/equipment").text
    assert "uptown" in page
    assert "1 h 30 min" in page
    rows = {row["site"]: row["hours"] for row in table(signed_in.get("/equipment/charts/sites.csv").text)}
    assert rows == {"downtown": "0.5", "uptown": "1.5"}
    assert seconds(signed_in) == {"downtown": 1800, "uptown": 5400}
    assert seconds(signed_in, "?equipment=treadmill") == {"downtown": 0, "uptown": 0}
    gym.add("Vera", "viewer", site="downtown")
    here = signed_in.application.test_client()
    from .gym import AuthActions

    AuthActions(here).login("Vera")
    assert "uptown" not in here.get("/equipment").text
    assert seconds(here) == {"downtown": 1800}


def test_each_site_has_the_days_of_its_own_clocks(gym: Gym, signed_in: FlaskClient) -> None:
    there = ZoneInfo("America/Los_Angeles")
    layouts.add(gym.engine, "uptown", {"cameras": {}, "rules": {}, "timezone": there.key}, "settings")
    today = datetime.now(BERLIN).date()
    yesterday = today - timedelta(days=1)
    half_past_midnight = datetime.combine(today, time(0, 30), tzinfo=BERLIN)  # yesterday, on the other site's clocks
    gym.elsewhere("uptown", "bike", half_past_midnight, 20, there)
    assert seconds(signed_in, f"?from={yesterday}&to={today}")["uptown"] == 1200
    assert seconds(signed_in, f"?from={today}&to={today}")["uptown"] == 0


def test_a_unit_without_figures_in_the_period_has_its_page(gym: Gym, signed_in: FlaskClient) -> None:
    station = {"kind": "station", "equipment": "treadmill", "polygon": [[0, 0], [1, 0], [1, 1]]}
    layouts.add(gym.engine, gym.site, {"cameras": {"a": {"treadmill-1": station}}, "rules": {}}, "settings")
    gym.session("treadmill", at(2, 12), 10, unit="treadmill-1")
    page = signed_in.get("/equipment/treadmill?unit=treadmill-1&period=today")
    assert page.status_code == 200
    assert "Not used in this time." in page.text
    assert signed_in.get("/equipment/treadmill?unit=treadmill-9").status_code == 404


@pytest.mark.parametrize("period", ["today", "7d", "30d", "90d", "365d"])
def test_every_period_has_an_empty_state(signed_in: FlaskClient, period: str) -> None:
    page = signed_in.get(f"/equipment?period={period}")
    assert page.status_code == 200
    assert "Nothing was used" in page.text


def test_each_kind_has_a_card(gym: Gym, signed_in: FlaskClient) -> None:
    for entry in catalog.load():
        answer = signed_in.get(f"/equipment/{entry.label}")
        assert answer.status_code == (200 if entry.equipment else 404)
