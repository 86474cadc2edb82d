"""The demo as a stranger meets it: started, looked at, subscribed to, its parts killed, stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from spotter import events, topics
from spotter.embedded import servers

from . import days

pytestmark = pytest.mark.timeout(600)

FIRST_SESSION_SECONDS = 150
RECOVERY_SECONDS = 15


@pytest.fixture(scope="module")
def demo(start: Callable[..., Any]) -> Any:
    chain = start("demo", "--data", "data", "--port", str(servers.free_port()))
    chain.printed(r"Dashboard: (\S+)")
    return chain


@pytest.fixture(scope="module")
def address(demo: Any) -> str:
    return str(demo.printed(r"Dashboard: (http\S+)")[1]).rstrip("/")


def health(address: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except (OSError, ValueError):
        return 0, {}


def works(address: str) -> bool:
    """Whether all parts are well and no camera is lost. One that a busy machine looks at too seldom says so."""
    parts = health(address)[1].get("parts", {})
    if {word for part, word in parts.items() if part != "cameras"} != {"ok"}:
        return False
    try:
        with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return False
    states = dict(re.findall(r'^spotter_cameras{state="(\w+)"} ([\d.]+)$', text, re.MULTILINE))
    return float(states["offline"]) == float(states["unknown"]) == 0


@pytest.fixture(scope="module")
def page(browser: Any, demo: Any, address: str, sign_up: Callable[..., None]) -> Any:
    """Signed up through the printed link, on the live page; every request is noted."""
    link = demo.printed(r"Set up Spotter: (http\S+)")[1]
    context = browser.new_context()
    page = context.new_page()
    page.requested = []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("pageerror", lambda error: page.requested.append(f"error: {error}"))
    sign_up(page, link)
    page.goto(address + "/live")
    return page


def test_every_part_is_healthy_soon(demo: Any, address: str) -> None:
    demo.eventually(lambda: works(address), 60, lambda: f"not healthy: {health(address)}")


def test_the_live_page_shows_what_the_cameras_see_without_a_reload(demo: Any, page: Any) -> None:
    demo.eventually(
        lambda: page.evaluate("document.querySelector('main').innerText.toLowerCase().includes('person')"),
        FIRST_SESSION_SECONDS,
        "no person on the live page",
    )
    demo.eventually(
        lambda: page.evaluate("[...document.images].some(i => i.src.includes('preview') && i.naturalWidth > 100)"),
        60,
        "no preview on the live page",
    )


def test_a_session_ends_and_stands_on_the_sessions_page(demo: Any, page: Any, address: str) -> None:
    def ended() -> bool:
        page.goto(address + "/sessions")
        rows = page.locator("tbody tr").all_inner_texts()
        return any("running" not in row.lower() for row in rows)

    demo.eventually(ended, FIRST_SESSION_SECONDS, "no ended session")


@pytest.fixture(scope="module")
def states(browser: Any, page: Any, address: str) -> dict[str, Any]:
    """What the browsers of an owner and a trainer keep who have signed in."""
    owner = days.Visit(browser, address, "desktop", page.context.storage_state())
    trainer = days.invited(browser, owner, "trainer", "Tom")
    owner.end()
    return {"owner": page.context.storage_state(), "trainer": trainer}


@pytest.mark.parametrize("size", days.SIZES)
def test_each_persons_day(browser: Any, address: str, states: dict[str, Any], size: str) -> None:
    walks = [(days.owner_day, "owner"), (days.trainer_day, "trainer"), (days.customer_day, None)]
    walks += [(days.integrator_day, "owner"), *([(days.kiosk_day, "owner")] if size == "tablet" else [])]
    for walk, who in walks:
        visit = days.Visit(browser, address, size, states[who] if who else None)
        walk(visit)
        visit.end()


def test_no_request_left_the_machine_and_no_script_failed(page: Any, address: str) -> None:
    assert page.requested
    assert [url for url in page.requested if not url.startswith((address, "data:", "blob:"))] == []


def test_a_stranger_with_mosquitto_sub_sees_the_contract(demo: Any) -> None:
    subscriber = shutil.which("mosquitto_sub")
    if subscriber is None:
        pytest.skip("needs mosquitto_sub (apt install mosquitto-clients)")
    line = demo.printed(r"(mosquitto_sub .*)")[1].replace("'", "")
    heard: list[str] = []
    with subprocess.Popen(
        [*line.split(), "-W", "120"], stdout=subprocess.PIPE, text=True, errors="replace"
    ) as listening:
        assert listening.stdout is not None
        seen: set[str] = set()
        for message in listening.stdout:
            heard.append(message)
            topic, _, payload = message.rstrip("\n").partition(" ")
            parsed = topics.parse_camera_topic(topic)
            if parsed is not None and parsed.leaf == "scene":
                scene = events.parse(events.Scene, payload)
                assert (scene.site, scene.camera) == (parsed.site, parsed.camera)
                seen.add("scene")
            elif parsed is not None and parsed.leaf == "status":
                seen.add(events.parse(events.Status, payload).state)
            elif topic.startswith("spotter/demo/usage/"):
                usage = events.parse(events.UsageSession, payload)
                assert topic == topics.usage("demo", usage.equipment)
                seen.add(usage.type)
            if seen >= {"scene", "online", "ended"}:
                break
        listening.terminate()
    assert seen >= {"scene", "online", "ended"}, "".join(heard[-50:])


def test_the_embedded_servers_listen_on_this_machine_only(demo: Any) -> None:
    for part in ("broker", "redis"):
        sockets = demo.child(part).net_connections(kind="inet")
        listening = {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}, part


def committed(demo: Any) -> int:
    """How many scenes the database has: it grows only while every part from camera to database works."""
    with sqlite3.connect(demo.cwd / "data" / "spotter.db") as database:
        return int(database.execute("SELECT coalesce(sum(seq), 0) FROM camera_positions").fetchone()[0])


@pytest.mark.parametrize("part", ["broker", "redis", "ingest", "usage", "pipeline", "dashboard"])
def test_a_killed_part_recovers_by_itself(demo: Any, address: str, part: str) -> None:
    demo.eventually(lambda: works(address), 60, lambda: f"not healthy before: {health(address)}")
    victim = demo.child(part)
    os.kill(victim.pid, signal.SIGKILL)
    deadline = time.monotonic() + RECOVERY_SECONDS

    def new_process() -> bool:
        try:
            return bool(demo.child(part).pid != victim.pid)
        except LookupError:
            return False

    def left() -> float:
        return deadline - time.monotonic()

    demo.eventually(new_process, left(), f"{part} was not started again")
    before = committed(demo)
    demo.eventually(lambda: committed(demo) > before + 1, left(), lambda: f"nothing is committed: {health(address)}")
    demo.eventually(lambda: works(address), left(), lambda: f"not healthy: {health(address)}")


def test_sessions_go_on_after_all_that(demo: Any, page: Any, address: str) -> None:
    def newest() -> str:
        page.goto(address + "/sessions")
        rows = page.locator("tbody tr").all_inner_texts()
        return rows[0] if rows else ""

    before = newest()
    demo.eventually(lambda: newest() != before, FIRST_SESSION_SECONDS, "no new session")


def test_a_second_one_on_the_same_data_is_refused_in_one_line(demo: Any, start: Callable[..., Any]) -> None:
    second = start("demo", "--data", str(demo.cwd / "data"), "--port", str(servers.free_port()), cwd=demo.cwd)
    while second.exit_code is None:
        time.sleep(0.1)
    assert second.exit_code == 1
    assert any("already runs on this data folder" in line for line in second.lines)


def test_a_port_in_use_is_refused_in_one_line(demo: Any, address: str, start: Callable[..., Any]) -> None:
    second = start("demo", "--port", address.rsplit(":", 1)[1])
    while second.exit_code is None:
        time.sleep(0.1)
    assert second.exit_code == 1
    assert any("is in use" in line for line in second.lines)


def test_ctrl_c_stops_everything_within_five_seconds(demo: Any) -> None:
    children = demo.children()
    assert demo.interrupt() < 6  # 5 s for the parts, and a little for the interpreter's own end
    assert demo.exit_code == 0, demo.text()
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert Path(demo.cwd, "data", "spotter.db").is_file()
