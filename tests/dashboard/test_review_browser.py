"""A trainer reviews a day in Chromium by keyboard alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from spotter.database.tables import ReviewRow, UsageSessionRow

from .gym import Gym
from .people import only
from .test_browser import DESKTOP, PHONE, Visit, address, browser, sync_api  # noqa: F401


def begun() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=3)


def a_day(gym: Gym) -> list[str]:
    gym.well()
    gym.add()
    begin = begun()
    bells = [gym.session("kettlebell", begin + timedelta(minutes=12 * n), 10) for n in range(4)]
    gym.session("treadmill", begin, 40, unit="treadmill-1", cameras=["cardio"])
    return bells


def press(page: Any, key: str) -> None:
    with page.expect_navigation():
        page.keyboard.press(key)


def test_by_keyboard_alone(gym: Gym, browser: Any, address: str) -> None:  # noqa: F811
    bells = a_day(gym)
    visit = Visit(browser, address, viewport=DESKTOP)
    page = visit.page
    visit.sign_in()
    visit.go("/sessions/review")
    assert page.url.endswith(bells[3])
    assert visit.axe() == []
    with page.expect_navigation():
        page.keyboard.down("x")  # the newest was no use
    page.keyboard.down("x")  # still held, which says nothing of the next
    page.keyboard.up("x")
    assert page.url.endswith(bells[2])
    press(page, "u")
    assert page.url.endswith(bells[3])
    press(page, "j")
    page.keyboard.press("r")
    page.keyboard.type("Med")
    page.keyboard.press("Tab")
    press(page, "Enter")
    visit.says("h1", "Medicine ball")
    page.keyboard.press("n")
    page.keyboard.type("x is typed, not pressed")
    page.keyboard.press("Escape")
    press(page, "a")
    assert page.url.endswith(bells[1])
    visit.go("/sessions/corrections")
    assert visit.axe() == []
    rows = {row.id: row.equipment for row in only(gym, UsageSessionRow)}
    assert [rows[bell] for bell in bells] == ["kettlebell", "kettlebell", "med_ball", "kettlebell"]
    (review,) = only(gym, ReviewRow)
    assert (review.session, review.note) == (bells[2], "x is typed, not pressed")
    assert visit.wrong == []
    visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(gym: Gym, browser: Any, address: str, scheme: str) -> None:  # noqa: F811
    bells = a_day(gym)
    visit = Visit(browser, address, viewport=PHONE, color_scheme=scheme)
    visit.sign_in()
    for path in ("/sessions", f"/sessions/{bells[0]}", "/sessions/corrections"):
        visit.go(path)
        assert visit.axe() == [], path
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    day = begun().astimezone(ZoneInfo(gym.settings.timezone)).date()  # that of the gym may have ended since
    visit.go(f"/sessions?from={day}&to={day}")
    visit.page.locator(".timeline svg a").first.dispatch_event("click")
    sync_api.expect(visit.page.locator("h1")).to_contain_text("Kettlebell")
    visit.context.close()
