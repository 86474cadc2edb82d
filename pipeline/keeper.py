"""The thread between the engine and the outbox: many scenes, one write to the disk."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from pipeline.outbox import Outbox
from pipeline.scene import Draft

log = structlog.get_logger()

MOST_WAITING = 5000
"""Scenes kept in memory while the disk takes none; the oldest beyond it are lost, and counted."""

_MOST_AT_ONCE = 500
_RETRY_SECONDS = 1.0


class Keeper:
    """Puts scenes into the outbox, off the engine's thread, and tells `kept` of each."""

    def __init__(self, outbox: Outbox, kept: Callable[[Draft, int], None]) -> None:
        self.lost = 0
        """Scenes that were lost because the disk took none for too long."""
        self.failing: str | None = None
        """Why the disk takes none, while it does not."""
        self._outbox, self._kept = outbox, kept
        self._queue: queue.SimpleQueue[Draft | None] = queue.SimpleQueue()
        self._waiting: deque[Draft] = deque()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, draft: Draft) -> None:
        """Hand over a scene; returns at once."""
        self._queue.put(draft)

    def stop(self, seconds: float) -> None:
        """Write what is left and end."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        stopping = False
        while not stopping or (self._waiting and self.failing is None):
            stopping = self._collect() or stopping
            if self._waiting:
                self._write()

    def _collect(self) -> bool:
        """Move what was handed over to `_waiting`; whether the end was asked for."""
        block = not self._waiting
        ended = False
        while not ended:
            try:
                item = self._queue.get(block, _RETRY_SECONDS)
            except queue.Empty:
                break
            block = False
            if item is None:
                ended = True
            else:
                self._waiting.append(item)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
        return ended

    def _write(self) -> None:
        batch = [self._waiting[index] for index in range(min(len(self._waiting), _MOST_AT_ONCE))]
        try:
            seqs = self._outbox.append(batch)
        except Exception as error:  # noqa: BLE001 - without this thread every scene is lost, and nothing tells of it
            reason = str(error) if isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {error}"
            if self.failing is None:
                log.error("outbox_write_failed", error=reason, mend="see to the disk; scenes wait in memory until then")
            self.failing = reason
            time.sleep(_RETRY_SECONDS)
            return
        self.failing = None
        for draft, seq in zip(batch, seqs, strict=True):
            self._waiting.popleft()
            self._kept(draft, seq)
