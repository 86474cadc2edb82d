"""Boxes drawn in Chromium by mouse, touch and keyboard, and what is kept of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from dashboard.labelling import sets
from dashboard.labelling.sets import LabelSet

from .gym import Gym
from .test_browser import DESKTOP, PHONE, Visit, address, browser, sync_api  # noqa: F401

LABELS = ("person", "kettlebell", "med_ball")


@pytest.fixture
def kit(gym: Gym) -> LabelSet:
    gym.add()
    made = sets.create(gym.settings.data / "labelling", "kit", LABELS)
    for number in range(2):
        kept = io.BytesIO()
        Image.new("RGB", (640, 480), (60 + number, 120, 140)).save(kept, "JPEG")
        made.add(kept.getvalue(), f"still-{number}.jpg")
    return made


@pytest.fixture
def visit(browser: Any, address: str, gym: Gym, kit: LabelSet) -> Iterator[Visit]:  # noqa: F811
    gym.well()
    opened = Visit(browser, address, viewport=DESKTOP)
    opened.sign_in()
    opened.go(f"/labels/kit/{kit.pictures[0]}")
    yield opened
    opened.context.close()


def drag(page: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the picture to another, both as shares of its sides."""
    frame = page.locator("#boxes").bounding_box()
    (x1, y1), (x2, y2) = ((frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (begin, end))
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
    page.mouse.move(x2, y2)
    page.mouse.up()


def saved(kit: LabelSet, page: Any, number: int = 0) -> list[tuple[str, tuple[float, ...]]]:
    with page.expect_navigation():
        page.keyboard.press("a")
    drawn = LabelSet(kit.folder).read(kit.pictures[number])
    assert drawn.state == "done"
    return [(box.label, tuple(round(side, 2) for side in box.corners)) for box in drawn.boxes]


def near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= 0.02 for a, b in zip(found, wanted, strict=True))


def test_by_mouse_a_box_is_drawn_moved_resized_renamed_and_kept(visit: Visit, kit: LabelSet) -> None:
    page = visit.page
    drag(page, (0.2, 0.2), (0.4, 0.5))
    sync_api.expect(page.locator("#list li")).to_have_count(1)
    assert visit.axe() == []
    drag(page, (0.3, 0.35), (0.5, 0.45))  # moves by 0.2 and 0.1
    drag(page, (0.6, 0.6), (0.7, 0.8))  # its lower right corner
    page.locator("#classes button", has_text="ball").first.click()
    drag(page, (0.05, 0.05), (0.051, 0.051))  # a slip is no box
    sync_api.expect(page.locator("#list li")).to_have_count(1)
    ((label, corners),) = saved(kit, page)
    assert label == "med_ball"
    assert near(corners, (0.4, 0.3, 0.7, 0.8)), corners
    assert page.url.endswith(kit.pictures[1])  # the next that waits


def test_by_keyboard_alone(visit: Visit, kit: LabelSet) -> None:
    page = visit.page
    page.keyboard.press("n")
    page.keyboard.press("1")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Alt+Shift+ArrowDown")
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    page.keyboard.press("n")
    page.keyboard.press("z")
    sync_api.expect(page.locator("#list li")).to_have_count(1)
    ((label, corners),) = saved(kit, page)
    assert label == "person"
    assert near(corners, (0.4 + 30 / 640, 0.4, 0.6 + 30 / 640, 0.6 + 10 / 480)), corners


def test_a_picture_without_items_is_accepted_as_it_is(visit: Visit, kit: LabelSet) -> None:
    page = visit.page
    with page.expect_navigation():
        page.keyboard.down("a")
    page.keyboard.down("a")  # still held, which says nothing of the next
    sync_api.expect(page.locator("#accept")).to_be_enabled()
    page.keyboard.up("a")
    assert LabelSet(kit.folder).counts()["done"] == 1
    assert saved(kit, page, 1) == []
    assert page.url.endswith("/labels/kit")  # all are done
    assert LabelSet(kit.folder).counts() == {"done": 2}
    assert visit.axe() == []


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(visit: Visit, kit: LabelSet) -> None:
    kit.save(kit.pictures[0], [sets.Box("person", (0.1, 0.1, 0.9, 0.9))], "none")
    visit.page.keyboard.press("a")
    visit.says("#said", "Somebody else saved")
    assert len(LabelSet(kit.folder).read(kit.pictures[0]).boxes) == 1


def test_who_signs_out_in_another_tab_loses_no_box(visit: Visit, kit: LabelSet) -> None:
    page = visit.page
    page.keyboard.press("n")
    visit.page = visit.context.new_page()
    visit.go("/account")
    visit.page.get_by_role("button", name="Sign out").click()
    visit.page.wait_for_url("**/login")
    page.keyboard.press("a")
    sync_api.expect(page.locator("#said")).to_contain_text("Your sign-in has ended")
    visit.sign_in()
    assert len(saved(kit, page)) == 1


def test_by_touch_on_a_phone(browser: Any, address: str, gym: Gym, kit: LabelSet) -> None:  # noqa: F811
    gym.well()
    opened = Visit(browser, address, viewport=PHONE, has_touch=True, color_scheme="dark")
    try:
        opened.sign_in()
        opened.go(f"/labels/kit/{kit.pictures[0]}")
        page = opened.page
        frame = page.locator("#boxes").bounding_box()
        touch = opened.context.new_cdp_session(page)
        for kind, x, y in (
            ("touchStart", 0.2, 0.2),
            ("touchMove", 0.5, 0.4),
            ("touchMove", 0.8, 0.7),
            ("touchEnd", 0, 0),
        ):
            at = [{"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"]}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else at})
        sync_api.expect(page.locator("#list li")).to_have_count(1)
        assert opened.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ((label, corners),) = saved(kit, page)
        assert label == "kettlebell"
        assert near(corners, (0.2, 0.2, 0.8, 0.7)), corners
        for path in ("/labels", "/labels/kit"):
            opened.go(path)
            assert opened.axe() == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    finally:
        opened.context.close()
