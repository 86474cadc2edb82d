"""Kiosk, cards and photos in Chromium: a customer at the front desk, with a tablet and with a phone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from spotter import catalog, topics
from spotter.events import Candidate, Identified
from spotter.mqtt import MqttClient

from .gym import Gym
from .test_browser import PHONE, Visit, address, browser, sync_api  # noqa: F401 - fixtures are used by their names

cv2 = pytest.importorskip("cv2", reason="needs OpenCV (the cpu extra)")
TABLET = {"width": 1180, "height": 820}
KIOSK_CLIP = Path(catalog.__file__).parent / "demo" / "kiosk.mp4"


class Rules:
    """Tells what is held up, as the usage worker does."""

    def __init__(self, gym: Gym) -> None:
        assert gym.settings.mqtt is not None
        self._gym = gym
        self._client = MqttClient(gym.settings.mqtt, "test-rules")
        self._client.start()
        self._client.wait_connected(10)

    def tell(self, state: Any, label: str | None = None, nearest: tuple[str, ...] = ()) -> None:
        told = Identified(
            state=state,
            label=label,
            confidence=0.9 if label else None,
            nearest=tuple(Candidate(label=one, confidence=0.4) for one in nearest),
            time=datetime.now(timezone.utc),
        )
        self._client.publish(topics.identified(self._gym.site, "kiosk"), told.to_json())

    def close(self) -> None:
        self._client.stop()


@pytest.fixture
def rules(gym: Gym) -> Iterator[Rules]:
    speaking = Rules(gym)
    yield speaking
    speaking.close()


def photo_at(seconds: float) -> bytes:
    clip = cv2.VideoCapture(str(KIOSK_CLIP))
    clip.set(cv2.CAP_PROP_POS_MSEC, seconds * 1000)
    read, frame = clip.read()
    assert read
    return bytes(cv2.imencode(".jpg", frame)[1].tobytes())


def fits(visit: Visit) -> bool:
    return bool(visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def shown(visit: Visit) -> Any:
    return visit.page.locator(".screens:not([hidden]) .screen:not([hidden])")


def held_up(
    gym: Gym, rules: Rules, visit: Visit, expected: str, state: Any, label: str | None = None, **more: Any
) -> None:
    """Hold it up until the page says so: a message may be published before the dashboard has subscribed."""
    for _ in range(40):
        gym.scene("kiosk", "person", label or "kettlebell")
        rules.tell(state, label, **more)
        try:
            sync_api.expect(shown(visit)).to_contain_text(expected, timeout=1500)
        except AssertionError:
            gym.well()
            continue
        return
    raise AssertionError(f"the kiosk never said {expected}")


def test_a_customer_holds_items_up_to_the_kiosk(gym: Gym, browser: Any, address: str, rules: Rules) -> None:  # noqa: F811
    gym.well()
    gym.add()
    visit = Visit(browser, address, viewport=TABLET, locale="en")
    try:
        visit.sign_in()
        visit.go("/kiosk/kiosk?sleep=3600")
        sync_api.expect(shown(visit)).to_contain_text("Hold an item up to the camera")
        assert visit.axe() == []
        held_up(gym, rules, visit, "Medicine ball", "recognised", "med_ball")
        assert visit.axe() == []
        assert fits(visit)
        assert visit.page.locator("body").get_attribute("data-state") == "card"
        assert shown(visit).evaluate("one => one.scrollHeight <= one.clientHeight"), "nobody scrolls without touching"

        # The other language, by keyboard, without another request for it.
        before = len(visit.requested)
        visit.page.get_by_role("button", name="한국어", exact=True).focus()
        visit.page.keyboard.press("Enter")
        sync_api.expect(shown(visit)).to_contain_text("메디신 볼")
        assert visit.page.evaluate("document.documentElement.lang") == "ko"
        assert [url for url in visit.requested[before:] if not url.endswith((".svg", "/state", "/events"))] == []
        visit.page.get_by_role("button", name="English", exact=True).click()

        held_up(
            gym, rules, visit, "Not sure: is it Kettlebell or Dumbbell?", "unsure", nearest=("kettlebell", "dumbbell")
        )
        assert shown(visit).locator("figure").count() == 2
        assert visit.axe() == []
        held_up(gym, rules, visit, "Hold an item up to the camera", "none")
        assert visit.wrong == []
        assert [url for url in visit.requested if not url.startswith(address)] == []
    finally:
        visit.context.close()


def test_the_kiosk_sleeps_when_nobody_is_there_and_wakes_by_itself(
    gym: Gym,
    browser: Any,  # noqa: F811
    address: str,  # noqa: F811
) -> None:
    gym.well()
    gym.add()
    visit = Visit(browser, address, viewport=TABLET)
    try:
        visit.sign_in()
        visit.go("/kiosk/kiosk?sleep=0.5")
        sync_api.expect(visit.page.locator("body.asleep")).to_have_count(1, timeout=20000)
        visit.page.evaluate("""() => { window.woke = new Promise((done) => new MutationObserver(() => {
            if (!document.body.classList.contains('asleep')) done(true);
        }).observe(document.body, {attributes: true})); }""")
        gym.scene("kiosk", "person")
        assert visit.page.evaluate("window.woke")
    finally:
        visit.context.close()


def test_a_photo_on_the_phone_gives_the_card(gym: Gym, browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address, viewport=PHONE, locale="ko-KR")
    try:
        visit.go("/identify")
        assert visit.axe() == []
        assert fits(visit)
        # Turned as a phone turns it: its pixels lie on their side, and EXIF says so.
        upright = Image.open(io.BytesIO(photo_at(13.5)))
        exif = Image.Exif()
        exif[0x0112] = 6
        file = io.BytesIO()
        upright.rotate(90, expand=True).save(file, "JPEG", exif=exif, quality=95)
        visit.page.locator("input[type=file]").nth(1).set_input_files(
            {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
        )
        sync_api.expect(visit.page.locator("article h1")).to_have_text("메디신 볼", timeout=60000)
        assert visit.axe() == []
        assert fits(visit)
        visit.page.get_by_role("link", name="이 카드 간직하기").click()
        visit.page.wait_for_url("**/cards/med_ball")
        assert visit.axe() == []
        assert fits(visit)
        assert visit.wrong == []
        assert [url for url in visit.requested if not url.startswith((address, "blob:"))] == []
    finally:
        visit.context.close()


def test_what_is_no_photo_is_said_on_the_page(gym: Gym, browser: Any, address: str) -> None:  # noqa: F811
    visit = Visit(browser, address, viewport=PHONE, locale="en", java_script_enabled=False)
    try:
        visit.go("/identify")
        visit.page.locator("input[type=file]").nth(1).set_input_files(
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a photo"}
        )
        visit.page.get_by_role("button", name="What is it?").click()  # without scripts there is a button
        visit.says("[role=alert]", "no photo that can be read")
    finally:
        visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cards_fit_phones_and_tablets_and_print(gym: Gym, browser: Any, address: str, scheme: str) -> None:  # noqa: F811
    gym.well()
    gym.add()
    for size in (PHONE, TABLET):
        visit = Visit(browser, address, viewport=size, color_scheme=scheme)
        try:
            for path in ("/cards", "/cards/kettlebell"):
                visit.go(path)
                assert fits(visit), path
                assert visit.axe() == [], path
            visit.page.emulate_media(media="print")
            for hidden in (".top", ".card-links-top"):
                sync_api.expect(visit.page.locator(hidden).first).to_be_hidden()
            sync_api.expect(visit.page.locator("article h1")).to_be_visible()
            visit.page.emulate_media(media="screen")
            visit.sign_in()
            visit.go("/kiosk")
            assert fits(visit)
            assert visit.axe() == []
            assert visit.wrong == []
        finally:
            visit.context.close()
