"""The week report, on screen, as files, and on paper."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from .gym import Gym
from .test_browser import Visit, address, browser, sync_api, visit  # noqa: F401

BERLIN = ZoneInfo("Europe/Berlin")


def monday(weeks: int) -> datetime:
    """Noon of the Monday so many weeks ago."""
    day = datetime.now(BERLIN)
    noon = day.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=day.weekday(), weeks=weeks)
    return noon.astimezone(timezone.utc)


def a_week(gym: Gym) -> str:
    gym.watched(monday(1) - timedelta(hours=12), 7 * 24, ("treadmill", "treadmill-1"))
    gym.session("treadmill", monday(1), 90, unit="treadmill-1")
    gym.session("treadmill", monday(2), 60, unit="treadmill-1")
    gym.alert("queue", raised=monday(1))
    year, number, _ = monday(1).isocalendar()
    return f"{year}-W{number:02d}"


def test_the_last_whole_week_stands_beside_the_one_before(gym: Gym, signed_in: FlaskClient) -> None:
    week = a_week(gym)
    page = signed_in.get("/report").text
    assert "1 h 30 min" in signed_in.get(f"/report?week={week}").text
    assert "1 h 30 min" in page
    assert "+50 %" in page
    assert "People wait: 1" in page
    assert "100 %" in page
    days = signed_in.get(f"/report/days.csv?week={week}").text.splitlines()
    assert days[0] == "day,hours,before"
    assert days[1] == "Mon,1.5,1.0"
    assert signed_in.get("/report/hours.svg").mimetype == "image/svg+xml"


def test_a_week_that_is_not_over_is_compared_with_as_much_of_the_one_before(
    gym: Gym, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuesday = monday(1) + timedelta(days=1, hours=8)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromtimestamp(tuesday.timestamp(), tz)

    gym.watched(monday(2) - timedelta(hours=12), 9 * 24, ("treadmill", "treadmill-1"))
    for day in range(9):
        gym.session("treadmill", monday(2) + timedelta(days=day), 60, unit="treadmill-1")
    monkeypatch.setattr("dashboard.report.datetime", Clock)
    year, number, _ = monday(1).isocalendar()
    page = signed_in.get(f"/report?week={year}-W{number:02d}").text
    assert "The week is not over." in page
    assert re.search(r"In use</dt><dd>2 h <small[^>]*>\+0 %", page)
    hours = signed_in.get(f"/report/hours.csv?week={year}-W{number:02d}").text
    assert "12:00,60.0" in hours
    assert signed_in.get(f"/report/days.csv?week={year}-W{number:02d}").text.splitlines()[3] == "Wed,0.0,1.0"


@pytest.mark.parametrize("week", ["x", "2026-W99", "1990-W01", "2099-W01", "-W"])
def test_a_week_that_is_none_is_refused(signed_in: FlaskClient, week: str) -> None:
    assert signed_in.get(f"/report?week={week}").status_code == 400


def test_an_empty_week_says_so(signed_in: FlaskClient) -> None:
    page = signed_in.get("/report").text
    assert "Nothing was used in this week" in page
    assert "No alert was raised" in page
    assert signed_in.get("/report/days.csv").status_code == 404


def test_it_prints_on_two_pages_with_its_figures(gym: Gym, visit: Visit, tmp_path: Path) -> None:  # noqa: F811
    gym.add()
    a_week(gym)
    visit.sign_in()
    visit.go("/report")
    assert visit.axe() == []
    visit.page.evaluate("window.print = () => { window.printed = true }")
    visit.page.get_by_role("button", name="Print").click()
    assert visit.page.evaluate("window.printed")
    paper = tmp_path / "report.pdf"
    visit.page.pdf(path=paper, prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) == 2
    visit.page.emulate_media(media="print")
    printed = visit.page.locator("body").inner_text()
    for told in ("Week report", "1 h 30 min", "Treadmill", "People wait: 1"):
        assert told in printed
    assert "Equipment\nKiosk" not in printed  # nothing that leads elsewhere
    assert "The figures as a table" not in printed
    assert visit.wrong == []
