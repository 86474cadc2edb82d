"""`spotter up` and `spotter demo` as a person starts them, with real servers, footage and Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]


class Chain:
    """A running `spotter up` or `spotter demo` and what it has printed."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "spotter", *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith("SPOTTER_")},
        )
        self.cwd = cwd
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def printed(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first printed line that matches, waiting for it."""
        return self.eventually(
            lambda: next((match for line in self.lines if (match := re.search(pattern, line))), None),
            seconds,
            f"no line like {pattern}",
        )

    def eventually(self, look: Callable[[], Any], seconds: float, otherwise: str | Callable[[], str]) -> Any:
        """What `look` gives as soon as it is true, while the chain lives."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            if self._process.poll() is not None or time.monotonic() > deadline:
                what = otherwise if isinstance(otherwise, str) else otherwise()
                how = "ended" if self._process.poll() is not None else f"within {seconds:.0f} s"
                raise AssertionError(f"{what} ({how}):\n{self.text()}")
            time.sleep(0.1)

    def text(self) -> str:
        """All that was printed, and the end of each part's log."""
        logs = [
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            for log in sorted(self.cwd.rglob("logs/*.log"))
        ]
        return "\n".join(self.lines + logs)

    def child(self, name: str) -> psutil.Process:
        """The process of a part, such as `ingest` or `redis`."""
        marks = {"broker": "spotter.embedded.broker", "redis": "redis.conf"}
        mark = marks.get(name, name)
        for process in psutil.Process(self._process.pid).children():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if any(mark == word or word.endswith("/" + mark) for word in command) or (
                name == "redis" and "redis-server" in " ".join(command)
            ):
                return process
        raise LookupError(f"no process of {name}")

    def children(self) -> list[psutil.Process]:
        """All processes below."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def interrupt(self) -> float:
        """Press Ctrl-C and give the seconds that the stop took."""
        before = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)
        return time.monotonic() - before

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End it, however it is."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Chain]]:
    """Start a chain in a folder of its own."""
    chains: list[Chain] = []

    def run(*arguments: str, cwd: Path | None = None) -> Chain:
        chains.append(Chain(*arguments, cwd=cwd or tmp_path_factory.mktemp("gym")))
        return chains[-1]

    yield run
    for chain in chains:
        chain.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium through Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium (apt install chromium)")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=chromium,
            args=CHROMIUM_ARGUMENTS,
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def sign_up() -> Callable[..., None]:
    """Use the one-time set-up link as an owner does."""

    def run(page: Any, link: str) -> None:
        page.goto(link)
        page.get_by_label("Name").fill("Olga")
        for field in page.locator("input[type=password]").all():
            field.fill("correct horse battery")
        page.locator("main form [type=submit]").first.click()
        page.wait_for_load_state()

    return run
