"""What open pages show, as versioned documents: written once, read by any number of pages, each from where it was."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from typing import NamedTuple


class Update(NamedTuple):
    """What changed on the board since a version."""

    version: int
    documents: tuple[tuple[str, str], ...]
    """(key, JSON), oldest change first; each key at most once with its newest document, but for a replay."""


PAST_CHARACTERS = 8_000_000
"""Of documents that are kept for replays: minutes of a busy gym, more of a quiet one."""


class Board:
    """Newest document for each key. Waiting costs nothing, and a slow page simply misses what was overwritten.

    The last `past` characters of documents are kept, overwritten ones too, for readers that want to miss none.
    """

    def __init__(self, past: int = PAST_CHARACTERS) -> None:
        self._past: deque[tuple[int, str, str]] = deque()
        self._past_room = past
        self._changed = threading.Condition()
        self._version = 0
        self._documents: dict[str, tuple[int, str]] = {}
        self._closed = False
        self.epoch = secrets.token_hex(6)
        """Names this board: a version means something only on the board that gave it."""

    @property
    def closed(self) -> bool:
        """Whether nothing will change any more since the process stops."""
        return self._closed

    def put(self, key: str, document: str) -> None:
        """Show `document` under `key`; the same document again wakes nobody."""
        with self._changed:
            known = self._documents.get(key)
            if known is not None and known[1] == document:
                return
            self._version += 1
            self._documents[key] = (self._version, document)
            self._past.append((self._version, key, document))
            self._past_room -= len(document)
            while self._past_room < 0:
                self._past_room += len(self._past.popleft()[2])
            self._changed.notify_all()

    def since(self, version: int, timeout: float) -> Update:
        """Everything that changed after `version` (0: everything); waits up to `timeout` seconds for something."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version or self._closed, timeout)
            newer = sorted((at, key, text) for key, (at, text) in self._documents.items() if at > version)
            return Update(self._version, tuple((key, text) for _, key, text in newer))

    def replay(self, version: int) -> Update:
        """Every change after `version`, overwritten ones too, where all are still kept; else as `since`."""
        with self._changed:
            kept = self._past[0][0] if self._past else self._version + 1
            if version < 1 or version + 1 < kept:
                return self.since(version, timeout=0)
            return Update(self._version, tuple((key, text) for at, key, text in self._past if at > version))

    def close(self) -> None:
        """Wake and end every wait, for a quick stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
