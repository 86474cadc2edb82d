"""What open pages show, as versioned documents: written once, read by any number of pages, each from where it was."""

from __future__ import annotations

import secrets
import threading
from typing import NamedTuple


class Update(NamedTuple):
    """What changed on the board since a version."""

    version: int
    documents: tuple[tuple[str, str], ...]
    """(key, JSON), oldest change first; each key at most once, with its newest document."""


class Board:
    """Newest document for each key. Waiting costs nothing, and a slow page simply misses what was overwritten."""

    def __init__(self) -> None:
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
            self._changed.notify_all()

    def since(self, version: int, timeout: float) -> Update:
        """Everything that changed after `version` (0: everything); waits up to `timeout` seconds for something."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version or self._closed, timeout)
            newer = sorted((at, key, text) for key, (at, text) in self._documents.items() if at > version)
            return Update(self._version, tuple((key, text) for _, key, text in newer))

    def close(self) -> None:
        """Wake and end every wait, for a quick stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
