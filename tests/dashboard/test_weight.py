"""What a page weighs for a browser that has nothing yet, and that style sheets and scripts come compressed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Flask

from .gym import Gym
from .test_browser import Visit, address, browser  # noqa: F401 - fixtures are used by their names

LIGHT_BYTES = 200_000


def test_pages_are_light_for_a_browser_that_has_nothing_yet(gym: Gym, browser: Any, address: str) -> None:  # noqa: F811
    gym.well()
    gym.add("Olga", "owner")
    now = datetime.now(timezone.utc)
    for minutes in range(0, 600, 30):
        gym.session("treadmill", now - timedelta(minutes=minutes), 20, unit="treadmill-1")
    first = Visit(browser, address)
    first.sign_in()
    state = first.context.storage_state()
    first.context.close()
    for path in ("/", "/live", "/sessions", "/equipment/treadmill", "/layout/kiosk", "/api"):
        visit = Visit(browser, address, storage_state=state)
        protocol = visit.context.new_cdp_session(visit.page)
        protocol.send("Network.enable")
        sizes: list[float] = []
        protocol.on("Network.loadingFinished", lambda told, sizes=sizes: sizes.append(told["encodedDataLength"]))
        visit.page.goto(address + path, wait_until="load")
        visit.page.wait_for_timeout(200)
        assert 20_000 < sum(sizes) < LIGHT_BYTES, path
        visit.context.close()


def test_static_files_are_compressed_and_known_again(app: Flask) -> None:
    client = app.test_client()
    for path in ("/static/css/spotter.css", "/static/js/tiles.js", "/bootstrap/static/css/bootstrap.min.css"):
        answer = client.get(path, headers={"Accept-Encoding": "br"})
        assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "br"), path
        tag = {"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "br"}
        assert client.get(path, headers=tag).status_code == 304, path
        assert "Content-Encoding" not in client.get(path).headers
    assert "Content-Encoding" not in client.get("/login", headers={"Accept-Encoding": "br"}).headers
