"""Runs Spotter's parts as child processes: restarts what dies with growing waits, and stops all in good order.

It knows nothing of cameras or gyms: a part is a command with an environment. It is driven by `tick`, which never
blocks for long, so that the caller owns the loop, the screen and the signals.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

STEADY_SECONDS = 20
"""A part that lives so long has recovered: its next restart is quick again."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0

HOPELESS_STARTS, SOON_SECONDS = 2, 8.0
"""So many first starts that each end with an error so soon are a mistake to mend, not bad luck."""

STOP_SECONDS = 4.0
"""Time to end by itself after SIGTERM; then SIGKILL. Under the 5 s that a stop may take."""

_LOG_BYTES, _LOG_FILES = 5_000_000, 3

State = Literal["waiting", "running", "restarting", "stopped"]


@dataclass
class Part:
    """One supervised process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    announces: bool = False
    """Whether its standard output is for the person; otherwise that goes to its log as its standard error does."""

    ready: Callable[[], bool] = lambda: True
    """Whether parts after this one may start; asked again and again, so it must be quick."""

    state: State = "waiting"
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    wait_seconds: float = FIRST_WAIT_SECONDS
    restarts: int = 0
    hopeless: int = 0
    """Ends with an error soon after the start, and starts that the system refused."""

    was_ready: bool = False
    last_line: str = ""
    exit_code: int | None = None


class Supervisor:
    """Starts parts in order, each when the one before is ready, and keeps them running."""

    def __init__(self, parts: Sequence[Part], log_folder: Path, announce: Callable[[str], None]) -> None:
        """`announce` gets every line that a part with `announces` writes to its standard output."""
        self.parts = list(parts)
        self._log_folder = log_folder
        self._announce = announce
        log_folder.mkdir(parents=True, exist_ok=True)

    def tick(self, now: float | None = None) -> None:
        """Start, restart and note the end of parts. Call it several times a second."""
        now = time.monotonic() if now is None else now
        for part in self.parts:
            if part.state == "running":
                self._note_end(part, now)
            if part.state == "waiting" or (part.state == "restarting" and now >= part.restart_at):
                self._start(part, now)
            if part.state == "running" and not part.was_ready:
                part.was_ready = part.ready()
            if not part.was_ready:
                return  # the parts after it need it

    def failed_to_start(self) -> Part | None:
        """A part whose first starts all ended soon with an error: trying again can't mend that."""
        for part in self.parts:
            if part.hopeless == part.restarts == HOPELESS_STARTS:
                return part
        return None

    def stop(self) -> None:
        """End all parts, the last started first, within 5 s."""
        alive = [part for part in reversed(self.parts) if part.process is not None and part.process.poll() is None]
        for part in alive:
            assert part.process is not None
            with contextlib.suppress(ProcessLookupError):
                part.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for part in alive:
            assert part.process is not None
            try:
                part.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
        for part in self.parts:
            part.state = "stopped"

    def _start(self, part: Part, now: float) -> None:
        try:
            log = self._log_taker(part)
            part.process = subprocess.Popen(
                list(part.command),
                env={**os.environ, **part.environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is the supervisor's to pass on
                preexec_fn=end_with_parent,
            )
        except OSError as error:  # no memory or no process left, or an upgrade is just replacing the program
            part.exit_code, part.last_line = None, f"error: {part.name} can't be started ({error})"
            part.hopeless += 1
            self._put_off(part, now)
            return
        part.state, part.started_at = "running", now
        assert part.process.stdout is not None and part.process.stderr is not None
        says = self._announce if part.announces else log
        for stream, taker in ((part.process.stdout, says), (part.process.stderr, log)):
            threading.Thread(target=_drain, args=(stream, taker), daemon=True, name=f"{part.name}-output").start()

    def _note_end(self, part: Part, now: float) -> None:
        assert part.process is not None
        code = part.process.poll()
        if code is None:
            return
        part.exit_code = code
        part.hopeless += code in (1, 2) and now - part.started_at < SOON_SECONDS
        if now - part.started_at > STEADY_SECONDS:
            part.wait_seconds = FIRST_WAIT_SECONDS
        self._put_off(part, now)

    def _put_off(self, part: Part, now: float) -> None:
        part.restarts += 1
        part.state, part.restart_at = "restarting", now + part.wait_seconds
        part.wait_seconds = min(part.wait_seconds * 2, LONGEST_WAIT_SECONDS)

    def _log_taker(self, part: Part) -> Callable[[str], None]:
        logger = logging.getLogger(f"spotter.part.{part.name}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        if not logger.handlers:
            handler = logging.handlers.RotatingFileHandler(
                self._log_folder / f"{part.name}.log", maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"
            )
            logger.addHandler(handler)

        def take(line: str) -> None:
            part.last_line = line
            logger.info("%s", line)

        return take


def _drain(stream: IO[str], taker: Callable[[str], None]) -> None:
    for line in stream:
        if line.strip():
            taker(line.rstrip("\n"))


def end_with_parent(by: int = signal.SIGTERM) -> None:
    """On Linux, ask the kernel to end this process when its parent is killed, so that no orphan holds a port."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, by)
