"""`spotter bench live`: from a change of a scene to the open pages, on a dashboard as it is served."""

from __future__ import annotations

import bisect
import os
import platform
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

import click
import redis
import yaml
from rich.console import Console
from rich.progress import track
from sqlalchemy.orm import Session

from dashboard.bench.surroundings import START_SECONDS, change, redis_client
from dashboard.people import tokens
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.embedded import servers
from spotter.errors import ServerError

SITE = "bench"
GOAL_SECONDS = 1.0
_SEEN = re.compile(rb'"camera": "cam-(\d+)".*?"id": "n(\d+)"')


class Page:
    """An open page's stream of events."""

    def __init__(self, address: str, token: str) -> None:
        host, port = urlsplit(address).hostname or "", urlsplit(address).port or 80
        self.socket = socket.create_connection((host, port), timeout=10)
        asked = f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.socket.sendall(asked.encode())
        self._rest = b""
        self.is_live = False
        """Its first `ping` has come: it has all that was there before."""

    def read(self) -> Iterator[tuple[int, int]]:
        """(camera, number of its change) of what has come. Raises ServerError where the stream was refused or ended."""
        came = self.socket.recv(1 << 20)
        if not came or (came.startswith(b"HTTP/1.1 ") and not came.startswith(b"HTTP/1.1 200")):
            raise ServerError(f"a stream was refused or ended: {came[:80]!r}")
        self.is_live = self.is_live or b"event: ping" in came
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            if found := _SEEN.search(line):
                yield int(found[1]), int(found[2])


class Ledger:
    """When each camera's changes were made, and how long each took to each page."""

    def __init__(self, cameras: int, pages: int) -> None:
        self.made: list[list[float]] = [[] for _ in range(cameras)]
        self.told = [[0] * cameras for _ in range(pages)]
        """Of each page, how many changes of each camera have arrived, or newer ones in their place."""
        self.seconds: list[float] = []

    def take(self, page: int, camera: int, number: int, now: float) -> None:
        """Note that a page has heard of change `number`, and so of all before it."""
        known = self.told[page][camera]
        self.seconds += [now - at for at in self.made[camera][known : number + 1]]
        self.told[page][camera] = max(known, number + 1)

    @property
    def missing(self) -> int:
        """Changes that did not reach a page yet."""
        return sum(len(made) - count for told in self.told for made, count in zip(self.made, told, strict=True))


@click.command()
@click.option("--pages", type=click.IntRange(1, 80), default=50, show_default=True, help="Open pages.")
@click.option("--cameras", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1, 30), default=5, show_default=True, help="Changes a second of each.")
@click.option("--seconds", type=click.FloatRange(min=1), default=60, show_default=True, help="How long to measure.")
def bench_live(pages: int, cameras: int, rate: float, seconds: float) -> None:
    """From a change of a scene in Redis to every open page, through a dashboard as it is served."""
    with (
        tempfile.TemporaryDirectory(prefix="spotter-bench-") as folder,
        _served(Path(folder), cameras) as (address, token, client),
    ):
        ledger = _measure([Page(address, token) for _ in range(pages)], client, cameras, rate, seconds)
    ordered = sorted(ledger.seconds)
    row = [ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.95, 0.99, 1)]
    late = len(ordered) - bisect.bisect_right(ordered, GOAL_SECONDS)
    click.echo("| pages | cameras | changes a second | p50 s | p95 s | p99 s | longest s | over 1 s | never came |")
    click.echo("| ---: " * 9 + "|")
    figures = " | ".join(f"{value:.3f}" for value in row)
    share = f"{late} of {len(ordered):,}"
    click.echo(f"| {pages} | {cameras} | {cameras * rate:g} | {figures} | {share} | {ledger.missing} |")
    click.echo(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", err=True)


@contextmanager
def _served(folder: Path, cameras: int) -> Iterator[tuple[str, str, redis.Redis]]:
    """A dashboard with a database and a Redis of its own: its address, a token for it, and the Redis."""
    embedded = servers.prepare(folder)
    configuration = servers.write_redis_configuration(folder, embedded)
    gym = {
        "site": SITE,
        "data": str(folder),
        "database": {"url": f"sqlite:///{folder / 'bench.db'}"},
        "redis": {"url": embedded.redis_url},
        "mqtt": {"url": f"mqtt://{servers.HOST}:{embedded.mqtt_port}"},  # where nobody answers: no picture is asked for
        "cameras": {f"cam-{number}": {"uri": "none.mp4"} for number in range(cameras)},
    }
    (folder / "gym.yaml").write_text(yaml.safe_dump(gym))
    engine = open_database(gym["database"]["url"])  # type: ignore[index]
    upgrade(engine)
    with Session(engine) as session:
        _, token = tokens.issue(session, SITE, "bench", ["live:read"], None, "bench", datetime.now(timezone.utc))
        session.commit()
    engine.dispose()
    client = redis_client(embedded)
    dashboard = [sys.executable, "-m", "spotter", "dashboard", "--config", str(folder / "gym.yaml"), "--port", "0"]
    log = folder / "log"
    with log.open("w") as output:
        started = [
            subprocess.Popen(command, stdout=output, stderr=output)
            for command in ([servers.redis_server_path(), str(configuration)], dashboard)
        ]
    try:
        yield _address(started[1], log), token, client
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


def _address(dashboard: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while (found := re.search(r"^Dashboard: (\S+)", log.read_text(), re.MULTILINE)) is None:
        if dashboard.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"the dashboard did not start: {log.read_text().strip()[-500:]}")
        time.sleep(0.1)
    return found[1]


def _measure(pages: list[Page], client: redis.Redis, cameras: int, rate: float, seconds: float) -> Ledger:
    ledger, selector = Ledger(cameras, len(pages)), selectors.DefaultSelector()
    for number, page in enumerate(pages):
        selector.register(page.socket, selectors.EVENT_READ, number)

    def listen(until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                for camera, number in pages[key.data].read():
                    ledger.take(key.data, camera, number, time.monotonic())

    deadline = time.monotonic() + START_SECONDS
    while not all(page.is_live for page in pages):
        if time.monotonic() > deadline:
            raise ServerError("not every page came to life")
        listen(time.monotonic() + 0.1)
    turns = int(seconds * rate * cameras)
    begin = time.monotonic()
    for turn in track(range(turns), "measuring", console=Console(stderr=True), transient=True):
        with client.pipeline(transaction=False) as commands:
            change(commands, SITE, f"cam-{turn % cameras}", len(ledger.made[turn % cameras]))
            commands.execute()
        ledger.made[turn % cameras].append(time.monotonic())
        listen(begin + (turn + 1) / (rate * cameras))
    listen(time.monotonic() + 2 * GOAL_SECONDS)
    for page in pages:
        page.socket.close()
    return ledger
