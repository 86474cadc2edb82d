"""The pages in Chromium, from the set-up link to the charts, as an owner walks them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from dashboard.context import attached
from dashboard.keys import SetupLink

from .gym import CHROMIUM, PASSWORD, Command, Gym, Process

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")

AXE = Path(pytest.importorskip("axe_playwright_python").__file__).with_name("axe.min.js")

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
PEOPLE = (
    "/people",
    "/people/sign-ins",
    "/people/log",
    "/people/tokens",
    "/api",
    "/account",
    "/account/two-step",
    "/join/x",
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 860}

# One grey pixel; what a camera box sends is larger and blurred.
PIXEL = bytes.fromhex(
    "ffd8ffe000104a46494600010101004800480000ffdb004300" + "10" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000ffda0008010100003f0054dfffd9"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs chromium (apt install chromium)")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    server.block_on_close = False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    attached(app).watcher.stop()
    server.shutdown()


# What fades in has less contrast for a moment; what moves for ever is not waited for.
SETTLED = """() => Promise.all(document.getAnimations()
  .filter(one => one.effect.getComputedTiming().endTime !== Infinity).map(one => one.finished.catch(() => {})))"""


MIRRORED = """() => {
  document.documentElement.dir = "rtl";
  const cut = [...document.querySelectorAll("main svg text")].filter((text) => {
    const own = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
    return own.left < all.left - 1 || own.right > all.right + 1;
  });
  const wider = document.documentElement.scrollWidth > innerWidth ? ["wider than the screen"] : [];
  return [...wider, ...cut.map((text) => text.textContent)];
}"""
"""What goes wrong when a page runs from right to left."""


class Visit:
    """A page that notes what it asks for and what goes wrong in it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.page = self.context.new_page()
        self.requested: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA and good practice, as rule: element."""
        self.page.evaluate(SETTLED)
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run(document)")
        return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]

    def fill(self, **fields: str) -> None:
        for label, text in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(text)
        self.page.locator("main form [type=submit]").click()
        self.page.wait_for_load_state()

    def sign_in(self) -> None:
        self.go("/login")
        self.fill(Name="Olga", Password=PASSWORD)

    def says(self, selector: str, text: str, seconds: float = 10) -> None:
        sync_api.expect(self.page.locator(selector)).to_contain_text(text, timeout=seconds * 1000)


@pytest.fixture
def visit(browser: Any, address: str, gym: Gym) -> Iterator[Visit]:
    gym.well()
    opened = Visit(browser, address)
    yield opened
    opened.context.close()


def test_from_the_set_up_link_to_the_charts(gym: Gym, visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    visit.go(f"/setup/{SetupLink(gym.settings.data).renew()}")
    assert visit.axe() == []
    visit.fill(Your_name="Olga", Password=PASSWORD, Password_again=PASSWORD)

    # The first page fills itself, and follows what ingest writes, without a reload.
    visit.says("#connection", "Live")
    visit.says("[data-camera=free-weights] header .chip", "online")
    visit.says("#use-empty", "Nothing is in use")
    assert visit.axe() == []
    page.evaluate("window.stayed = true")
    gym.scene("free-weights", "person", "kettlebell", moving=True)
    visit.says("[data-camera=free-weights] .seen", "1 Person")
    visit.says("[data-camera=free-weights] .seen", "1 Kettlebell")
    assert page.locator("[data-camera=free-weights] svg [data-label=kettlebell] rect").count() == 2
    gym.preview("free-weights", PIXEL)
    picture = page.locator("[data-camera=free-weights] img")
    sync_api.expect(picture).to_be_visible(timeout=8000)
    assert page.evaluate("document.querySelector('[data-camera=free-weights] img').naturalWidth") == 1
    gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(seconds=75), None)
    visit.says("#use", "Kettlebell")
    visit.says("#use .time", "1:")
    visit.says("#spoken", "Kettlebell in use")
    assert page.evaluate("window.stayed")

    # Sessions, filtered, and their file.
    gym.session("treadmill", datetime.now(timezone.utc) - timedelta(hours=2), 40, unit="treadmill-1")
    page.get_by_role("link", name="Sessions").click()
    sync_api.expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Equipment", exact=True).select_option("treadmill")
    page.get_by_role("button", name="Show").click()
    sync_api.expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    saved = tmp_path / "sessions.csv"
    download.value.save_as(saved)
    assert saved.read_text().count("treadmill-1") == 1

    # Charts in the page's own colours, and again in the others.
    page.get_by_role("link", name="Equipment").first.click()
    filled = "getComputedStyle(document.querySelector('#totals .k-series-0')).fill"
    assert page.locator("#totals rect").count() == 2
    light = page.evaluate(filled)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(filled) != light
    with page.expect_download() as download:
        page.get_by_role("link", name="Picture (SVG) Hours in use by type").click()
    assert download.value.suggested_filename.endswith(".svg")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"

    page.get_by_role("button", name="Sign out Olga").click()
    page.wait_for_url("**/login")
    assert visit.wrong == []
    assert [url for url in visit.requested if not url.startswith((visit.address, "blob:", "data:"))] == []


def test_it_says_so_when_nothing_is_live(gym: Gym, visit: Visit, redis_server: Process) -> None:
    gym.add()
    visit.sign_in()
    gym.scene("free-weights", "kettlebell")
    visit.says("[data-camera=free-weights] .seen", "1 Kettlebell")
    redis_server.kill()
    try:
        visit.says("#trouble", "Redis", 15)
        visit.says("[data-camera=free-weights] header .chip", "not known", 15)
        assert visit.page.locator("[data-camera=free-weights] .seen").inner_text() == ""
        assert visit.page.locator("[data-camera=free-weights] svg g").count() == 0
    finally:
        redis_server.start()
    gym.well()
    visit.says("[data-camera=free-weights] header .chip", "online", 15)
    sync_api.expect(visit.page.locator("#trouble")).to_be_hidden(timeout=15000)


def test_reasons_are_said_in_the_language_of_the_page(gym: Gym, visit: Visit) -> None:
    gym.add()
    visit.sign_in()
    gym.status("free-weights", "offline", "rtsp://10.0.0.7/live: no picture for 5 s; check the camera")
    visit.says("[data-camera=free-weights] .reason", "rtsp://10.0.0.7/live: no picture for 5 s; check the camera")
    visit.go("/language/ko?next=/live")
    visit.says(
        "[data-camera=free-weights] .reason", "rtsp://10.0.0.7/live: 5초 동안 화면이 없습니다. 카메라를 확인하세요"
    )
    visit.says("#trouble", "free-weights: 오프라인")
    assert visit.wrong == []


def test_a_lost_server_is_said_and_a_returned_one_is_followed_again(
    gym: Gym, browser: Any, run: Callable[..., Command]
) -> None:
    gym.well()
    gym.add()
    server = run("dashboard", "--port", "0")
    visit = Visit(browser, server.printed(r"Dashboard: (\S+)"))
    visit.sign_in()
    visit.says("#connection", "Live")
    gym.well()  # again: on a busy machine a server starts for longer than a report counts as fresh
    visit.says("[data-camera=kiosk] header .chip", "online")
    # Connections stay and nothing answers, as when a laptop loses its network: the worst way to be lost.
    server.freeze(True)
    try:
        visit.says("#connection", "Not live", 15)
        visit.says("#trouble", "Not live since")
        assert visit.page.locator("[data-camera=kiosk].stale").count() == 1
    finally:
        server.freeze(False)
    gym.well()
    visit.says("#connection", "Live", 15)
    sync_api.expect(visit.page.locator("#trouble")).to_be_hidden(timeout=15000)
    visit.context.close()


def test_everything_is_reached_by_keyboard(gym: Gym, visit: Visit) -> None:
    gym.add()
    visit.sign_in()
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"
    visit.page.keyboard.press("Shift+Tab")
    reached = set()
    visit.go("/sessions")
    for _ in range(40):  # a field for a time has a stop for each of its parts
        visit.page.keyboard.press("Tab")
        reached.add(visit.page.evaluate(FOCUSED))
    assert {"Live", "Sessions", "Equipment", "from", "to", "equipment", "camera", "Show", "Sign out Olga"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_pages_fit_every_screen_and_can_be_read(
    gym: Gym, browser: Any, address: str, scheme: str, size: dict[str, int]
) -> None:
    gym.well()
    gym.add()
    gym.status("kiosk", "degraded", "no frame for 7 s from rtsp://a-very-long-host-name.example.org/stream/number/two")
    gym.session("kettlebell", datetime.now(timezone.utc) - timedelta(minutes=75), 20)
    gym.session("treadmill", datetime.now(timezone.utc) - timedelta(minutes=5), None, unit="treadmill-1")
    gym.alert("walkway", zone="walkway-with-a-very-long-name-to-the-showers")
    gym.clear(gym.alert())
    gym.alert("maintenance_due", unit="treadmill-1", equipment="treadmill", detail="treadmill-1 was in use for 300 h")
    opened = Visit(browser, address, viewport=size, color_scheme=scheme)
    try:
        opened.go("/")
        assert opened.axe() == [], "the sign-in page"
        opened.sign_in()
        opened.says("#connection", "Live")
        for path in (
            "/",
            "/live",
            "/sessions",
            "/sessions?equipment=nothing",
            "/alerts",
            "/alerts?state=over",
            "/alerts?kind=queue",
            "/equipment",
            "/equipment?period=x&against=before",
            "/equipment/kettlebell",
            "/report",
            "/equipment/treadmill?unit=treadmill-1",
            "/none",
            *PEOPLE,
        ):
            opened.go(path)
            opened.page.wait_for_load_state("load")
            if path in ("/", "/live") or path.startswith("/alerts"):
                opened.says("#connection", "Live")  # grey until then, which is not what is looked at here
            assert opened.page.evaluate("document.documentElement.dataset.bsTheme") == scheme
            wider = opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path
            assert opened.page.locator("main").count() == opened.page.locator("h1").count() == 1
            assert opened.axe() == [], path
            assert opened.page.evaluate(MIRRORED) == [], f"{path} from right to left"
    finally:
        opened.context.close()


FOCUSED = """() => {
  const one = document.activeElement;
  return (one.getAttribute("aria-label") || one.id || one.textContent).trim();
}"""


def test_alerts_come_and_go_in_an_open_page(gym: Gym, visit: Visit) -> None:
    gym.well()
    gym.add()
    visit.sign_in()
    visit.go("/alerts")
    visit.says("#connection", "Live")
    visit.says("#alerts", "All is well")
    alert = gym.alert("walkway")
    visit.says(".alert-item h2", "Kettlebell, floor")
    visit.says("#alert-badge", "1")
    visit.page.get_by_role("button", name="I see to it").click()
    visit.says(".evidence", "Olga")
    sync_api.expect(visit.page.locator("#alert-badge")).to_be_hidden()
    gym.clear(alert)
    visit.says("#alerts", "All is well")
    assert visit.wrong == []


def test_one_camera_shows_what_the_rules_think_and_why(gym: Gym, visit: Visit) -> None:
    gym.add("Olga", "owner")
    visit.sign_in()
    visit.go("/live")
    visit.says("#connection", "Live")
    visit.page.get_by_role("link", name="free-weights").click()
    visit.says("#no-thoughts", "The rules do not answer")
    gym.scene("free-weights", "person", "kettlebell", moving=True)
    gym.think(
        "free-weights",
        {
            "rule": "station",
            "why": "entering",
            "unit": "treadmill-1",
            "label": "treadmill",
            "seconds": 2.1,
            "needed": 3,
        },
        {
            "rule": "kit",
            "why": "moving",
            "track": "t-1",
            "label": "kettlebell",
            "session": True,
            "seconds": 65,
            "also": {"kettlebell": 0.8, "med_ball": 0.2},
        },
    )
    visit.says("#thoughts", "Somebody is in its zone for 2.1 of 3 s; then it is in use.")
    visit.says("#thoughts", "In use for 1:05: it moves. Seen as: Kettlebell 80 %, Medicine ball 20 %.")
    visit.says("#state", "online")
    assert visit.page.locator("#drawn .zone-station polygon").count() == 1
    assert visit.page.locator("#drawn .kit").count() == 1
    visit.page.get_by_label("Zones").uncheck()
    assert visit.page.locator("#drawn .zone-station").count() == 0
    assert visit.axe() == []
    visit.page.set_viewport_size(PHONE)
    assert visit.axe() == []
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit.wrong = [text for text in visit.wrong if "204" not in text]
    assert visit.wrong == []
