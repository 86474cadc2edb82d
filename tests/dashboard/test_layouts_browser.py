"""Zones drawn in Chromium by mouse, touch and keyboard, with what they would hold now, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from spotter.database import layouts
from spotter.database.people_tables import SignInRow

from .gym import Gym
from .test_browser import DESKTOP, PHONE, Visit, address, browser, sync_api  # noqa: F401


@pytest.fixture
def visit(browser: Any, address: str, gym: Gym) -> Iterator[Visit]:  # noqa: F811
    gym.well()
    gym.add()
    opened = Visit(browser, address, viewport=DESKTOP)
    opened.sign_in()
    opened.go("/layout/free-weights")
    opened.says("#connection", "Live")
    yield opened
    opened.context.close()


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    frame = page.locator("#zones").bounding_box()
    return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]


def drag(page: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *begin))
    page.mouse.down()
    page.mouse.move(*at(page, (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


def kept(gym: Gym, visit: Visit, version: int = 1) -> dict[str, Any]:
    visit.page.get_by_role("button", name="Save", exact=True).click()
    visit.says("#said", f"Saved as version {version}")
    with gym.engine.connect() as connection:
        newest = layouts.newest(connection, gym.site)
    assert newest is not None
    zones: dict[str, Any] = newest.document["cameras"]["free-weights"]
    return zones


def near(polygon: list[list[float]], wanted: list[tuple[float, float]]) -> bool:
    return len(polygon) == len(wanted) and all(
        abs(a - b) <= 0.015 for one, other in zip(polygon, wanted, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_by_mouse_a_zone_is_drawn_and_says_who_is_in_it(gym: Gym, visit: Visit) -> None:
    page = visit.page
    gym.scene("free-weights", "person", "kettlebell")  # the person's feet are at 0.16, 0.85
    page.get_by_role("button", name="Draw a zone").click()
    for x, y in ((0.1, 0.6), (0.3, 0.6), (0.3, 0.95), (0.1, 0.95), (0.1, 0.6)):
        page.mouse.click(*at(page, x, y))
    visit.says("#list", "somebody is on it")
    page.get_by_label("Name", exact=True).fill("treadmill-1")
    page.get_by_label("Equipment", exact=True).fill("rower")
    page.get_by_label("Equipment", exact=True).blur()
    assert visit.axe() == []
    drag(page, (0.3, 0.6), (0.35, 0.5))  # a corner
    drag(page, (0.1, 0.775), (0.05, 0.775))  # a new one, from between two
    zones = kept(gym, visit)
    assert list(zones) == ["treadmill-1"]
    assert zones["treadmill-1"]["equipment"] == "rower"
    wanted = [(0.1, 0.6), (0.35, 0.5), (0.3, 0.95), (0.1, 0.95), (0.05, 0.775)]
    assert near(zones["treadmill-1"]["polygon"], wanted), zones
    gym.scene("free-weights")
    visit.says("#list", "nobody is on it")
    visit.go("/layout")
    assert visit.axe() == []
    visit.says(".changes", "treadmill-1")


def test_by_keyboard_alone(gym: Gym, visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Add a square").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("rack-a")  # the name has the focus and is marked
    page.keyboard.press("Tab")
    page.get_by_label("Kind", exact=True).select_option("rack")
    page.get_by_label("Kettlebell", exact=True).fill("4")
    page.get_by_label("Kettlebell", exact=True).blur()
    visit.says("#list", "Kettlebell: 0 of 4")
    page.locator("#zones [data-zone='0']").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.locator("#zones [data-corner='2']").focus()
    page.keyboard.press("Enter")
    page.locator("#zones [data-corner='0']").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    page.locator("#zones [data-corner='3']").focus()
    page.keyboard.press("ArrowDown")
    zones = kept(gym, visit)
    assert zones["rack-a"]["holds"] == {"kettlebell": 4}
    wanted = [(0.45, 0.4), (0.65, 0.4), (0.65, 0.6), (0.55, 0.61), (0.45, 0.6)]
    assert near(zones["rack-a"]["polygon"], wanted), zones
    assert visit.wrong == []


def test_a_zone_is_chosen_while_the_camera_tells_news_and_tab_leads_to_its_corners(gym: Gym, visit: Visit) -> None:
    page = visit.page
    for _ in range(2):
        page.get_by_role("button", name="Add a square").click()
    page.get_by_label("Kind", exact=True).select_option("floor")
    rows = page.locator("#list button")
    rows.first.click()
    rows.last.hover()
    page.mouse.down()
    gym.scene("free-weights", "person", "person", "kettlebell")
    visit.says("#list", "1 Kettlebell")
    page.mouse.up()
    sync_api.expect(rows.last).to_have_attribute("aria-pressed", "true")
    rows.first.click()
    page.locator("#zones [data-zone='0']").focus()
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.focus ?? document.activeElement.id"))
    assert reached == ["corner0", "corner1", "corner2", "corner3", "save"]
    rows.last.press("Enter")
    page.locator("#save").press("Shift+Tab")
    assert page.evaluate("document.activeElement.dataset.focus") == "corner3"
    sync_api.expect(page.locator("#zones .chosen")).to_have_attribute("data-zone", "1")


def test_what_changes_while_a_save_is_on_its_way_is_still_to_be_saved(gym: Gym, visit: Visit) -> None:
    page = visit.page
    unit, save = page.locator("#zone-unit"), page.get_by_role("button", name="Save", exact=True)
    on_its_way: list[Any] = []
    page.route("**/layout/free-weights", lambda route: on_its_way.append(route), times=1)
    page.get_by_role("button", name="Add a square").click()
    unit.fill("first")
    unit.blur()
    save.click()
    unit.fill("second")
    unit.blur()
    gym.scene("free-weights", "person")
    visit.says("#list", "nobody is on it")
    sync_api.expect(save).to_be_disabled()  # or it would be sent twice
    on_its_way[0].continue_()
    visit.says("#said", "Saved as version 1")
    assert kept(gym, visit, 2)["zone-1"]["unit"] == "second"
    page.get_by_role("button", name="Undo").click()
    sync_api.expect(save).to_be_enabled()


def test_since_when_it_is_not_live_stays_as_it_was(visit: Visit) -> None:
    visit.page.clock.install()
    visit.page.route("**/live/*", lambda route: route.abort())
    for path in ("/layout/free-weights", "/alerts"):
        visit.go(path)
        said = []
        for _ in range(2):
            visit.page.clock.run_for(14_000)
            visit.says("#connection", "Not live since")
            said.append(visit.page.locator("#connection").inner_text())
        assert said[0] == said[1], path


def test_a_refusal_is_shown_and_nothing_is_lost(gym: Gym, visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Add a square").click()
    page.get_by_text("Corners as numbers").click()
    page.locator("#zone-corners").fill("10 10\n40 40\n40 10\n10 35")
    page.locator("#zone-corners").blur()
    page.get_by_role("button", name="Save", exact=True).click()
    visit.says("#problems", "edges cross")
    assert visit.axe() == []
    page.locator("#zone-corners").fill("10 10\n40 10\n40 40\n10 40")
    page.locator("#zone-corners").blur()
    assert near(kept(gym, visit)["zone-1"]["polygon"], [(0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4)])


def test_whose_sign_in_ends_is_told_and_saves_after_a_new_one(gym: Gym, visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Add a square").click()
    with Session(gym.engine) as session:
        session.execute(delete(SignInRow))
        session.commit()
    page.get_by_role("button", name="Save", exact=True).click()
    visit.says("#said", "Your sign-in has ended")
    visit.page = visit.context.new_page()
    visit.sign_in()
    visit.page = page
    assert list(kept(gym, visit)) == ["zone-1"]


def test_by_touch_on_a_phone(gym: Gym, browser: Any, address: str) -> None:  # noqa: F811
    gym.well()
    gym.add()
    visit = Visit(browser, address, viewport=PHONE, has_touch=True, color_scheme="dark")
    visit.sign_in()
    visit.go("/layout/free-weights")
    visit.says("#connection", "Live")
    page = visit.page
    page.get_by_role("button", name="Draw a zone").tap()
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8)):
        page.touchscreen.tap(*at(page, x, y))
    page.get_by_role("button", name="Done").tap()
    assert visit.axe() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert near(kept(gym, visit)["zone-1"]["polygon"], [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8)])
    visit.context.close()
