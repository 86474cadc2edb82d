"""A day of each person at a running gym, walked in Chromium: owner, trainer, customer and integrator."""

from __future__ import annotations

import io
import json
import os
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PASSWORD = "correct horse battery"
SIZES = {
    "phone": {"width": 390, "height": 844},
    "tablet": {"width": 1180, "height": 820},
    "desktop": {"width": 1280, "height": 860},
}
SHOTS = os.environ.get("SPOTTER_SCREENSHOTS")
"""A folder for a picture of each page: `make screenshots`."""

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "pages"
LIKENESS = 0.85
"""Of a page to its picture in docs/, as `likeness` gives it: the same page has 0.94 and more; `test_pictures.py`."""
CHANGING = {"api": 0.7, "equipment": 0.4, "sessions": 0.65, "sessions-lanes-camera": 0.65, "sessions-review": 0.42}
"""Pages that look different as minutes go by, and the one that grows with the API."""
ANY_STATE = ("kiosk", "kiosk-kiosk", "kiosk-shown")
"""A tablet that waits, or is shown something: each may be met when a picture is taken."""

SOON_MS = 20_000


class Visit:
    """A browser of one size; what goes wrong on its pages is noted, and each page has to fit."""

    def __init__(self, browser: Any, address: str, size: str, state: Any = None) -> None:
        self.address, self.size = address, size
        self.context = browser.new_context(viewport=SIZES[size], storage_state=state)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.wrong.append(request.url)

    def go(self, path: str, expect: str = "h1", *, pictured: bool = True) -> None:
        """Open a page, wait for what it is about, and look at it, unless its picture is of another moment."""
        answer = self.page.goto(self.address + path)
        assert answer.status == 200, path
        self.sees(expect)
        if pictured:
            self.shoot(re.sub(r"\W+", "-", path).strip("-") or "today")

    def sees(self, selector: str) -> None:
        """Wait for something to be there."""
        self.page.locator(selector).first.wait_for(timeout=SOON_MS)

    def shoot(self, name: str) -> None:
        """Check that the page fits and looks as in docs/, or keep a new picture of it where that is wanted."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, self.size)
        if self.size != "desktop" and not name.startswith("kiosk"):
            return
        if SHOTS:
            self.page.wait_for_timeout(1500)  # for pictures, and what fades in
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{name}.jpg", type="jpeg", quality=70)
        else:
            self._looks_like(name)

    def _looks_like(self, name: str) -> None:
        known = [reduced(PICTURES / f"{one}.jpg") for one in (ANY_STATE if name in ANY_STATE else (name,))]
        end, alike = time.monotonic() + SOON_MS / 1000, -1.0
        while alike < CHANGING.get(name, LIKENESS):
            assert time.monotonic() < end, f"{name}: {alike:.2f} like docs/images/pages/{name}.jpg: make screenshots?"
            shown = reduced(io.BytesIO(self.page.screenshot()))
            alike = max(likeness(shown, one) for one in known)

    def end(self) -> None:
        """Close it; nothing may have gone wrong."""
        self.context.close()
        assert self.wrong == []


def reduced(picture: Path | io.BytesIO) -> NDArray[np.float64]:
    """A picture in 64 by 43 shades of grey: what a page looks like from afar, whatever the time on it."""
    return np.asarray(Image.open(picture).convert("L").resize((64, 43), Image.Resampling.BOX), np.float64)


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of two reduced pictures: 1 for equal ones."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def invited(browser: Any, owner: Visit, role: str, name: str) -> Any:
    """What the browser of a person whom the owner invited keeps after they signed up."""
    owner.go("/people", pictured=False)
    owner.page.locator("select[name=role]").last.select_option(role)
    owner.page.locator("input[name=note]").fill(name)
    owner.page.get_by_role("button", name="Make a link").click()
    link = owner.page.locator("code.secret").inner_text()
    guest = Visit(browser, owner.address, "desktop")
    guest.page.goto(link)
    guest.shoot("join")
    guest.page.get_by_label("Your name").fill(name)
    for field in guest.page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    guest.page.locator("main form [type=submit]").click()
    guest.page.wait_for_url("**/")
    state = guest.context.storage_state()
    guest.end()
    return state


def owner_day(visit: Visit) -> None:
    """What is in use, who waits, what to buy, whether the zones are right, and who may do what."""
    visit.go("/", ".busy-count:text-matches('[0-9]')")
    visit.go("/live", "img[src*=preview]")
    visit.page.get_by_role("link", name="free-weights").click()
    visit.sees("#thoughts li")
    visit.sees("#drawn .zone")
    visit.shoot("camera")
    visit.go("/alerts", "#connection:text('Live')")
    visit.go("/equipment")
    visit.go("/equipment/treadmill?period=today", "main svg")
    visit.go("/report")
    visit.go("/layout")
    visit.go("/layout/free-weights", "#zones polygon")
    visit.go("/people/tokens", pictured=False)
    for path in ("/people", "/people/sign-ins", "/people/log", "/account", "/account/two-step"):
        visit.go(path)
    visit.go("/account/notifications", "#choice:not([hidden]), #said:not([hidden])")


def trainer_day(visit: Visit) -> None:
    """What was used, whether it is right, and nothing of people."""
    visit.go("/sessions", "tbody tr")
    visit.go("/sessions?lanes=camera", ".timeline svg")
    visit.go("/sessions/review")
    if "/sessions/" in visit.page.url:  # else all are reviewed by now
        reviewed = visit.page.url
        with visit.page.expect_navigation():
            visit.page.keyboard.press("a")
        assert visit.page.url != reviewed
        visit.page.goto(reviewed)
        assert "reviewed by Tom" in visit.page.inner_text("main")
    visit.go("/sessions/corrections")
    visit.go("/labels")
    visit.page.get_by_label("Name").fill(f"kit-{visit.size}")
    visit.page.get_by_role("button", name="Begin").click()
    visit.sees(f"h1:text('kit-{visit.size}')")
    visit.shoot("labels-set")
    assert visit.page.goto(visit.address + "/people").status == 403


def customer_day(visit: Visit) -> None:
    """What is this, and how is it used: from the shelf's QR code, and with a photo."""
    visit.go("/cards")
    visit.page.get_by_role("link", name="Kettlebell").first.click()
    visit.sees("h1:text('Kettlebell')")
    visit.shoot("card")
    visit.go("/login")
    visit.go("/identify", "input[type=file]")
    visit.page.get_by_role("link", name="한국어").click()
    visit.sees("html[lang=ko] h1")
    visit.shoot("identify-ko")


def kiosk_day(visit: Visit) -> None:
    """A tablet at the front desk: sooner or later somebody holds something up."""
    visit.go("/kiosk")
    visit.go("/kiosk/kiosk", "body.kiosk")
    visit.page.locator("body.kiosk:not([data-state=idle])").wait_for(timeout=60_000)
    visit.shoot("kiosk-shown")


def integrator_day(visit: Visit) -> None:
    """A token, questions, something done in its name, and the token is gone."""
    visit.go("/people/tokens", pictured=False)
    visit.page.get_by_label("For (the program's name)").fill(f"wallboard {visit.size}")
    for box in visit.page.locator("fieldset input[type=checkbox]").all():
        box.check()
    visit.page.get_by_role("button", name="Make a token").click()
    token = visit.page.locator("code.secret").inner_text()
    assert asked(visit, token, "/live")["cameras"]
    (session,) = asked(visit, token, "/sessions?limit=1")["sessions"]
    written = asked(visit, token, f"/sessions/{session['session']}/review", {"note": f"seen by {visit.size}"})
    assert written["by"] == f"token wallboard {visit.size}"
    assert asked(visit, token, "/cameras/cardio/thoughts")["zones"]
    visit.go("/api", "form[data-path]")
    first = visit.page.locator("section.operation").first
    first.get_by_role("button").click()
    first.locator(".answer:not([hidden])").wait_for(timeout=SOON_MS)
    assert "\n200 " in first.locator(".answer").inner_text()
    visit.go("/people/tokens")
    visit.page.get_by_role("button", name=re.compile(f"Revoke.*wallboard {visit.size}")).click()
    visit.sees("h1")


def asked(visit: Visit, token: str, path: str, body: Any = None) -> Any:
    """What the API answers to a program."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{visit.address}/api/v1{path}", data)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
