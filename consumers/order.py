"""Restores the order of a camera's scenes by their `seq`: duplicates go, gaps wait until filled or known lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Entry = TypeVar("Entry")

StreamKey = tuple[str, str, str]
"""(site, camera, stream)"""


@dataclass(slots=True)
class StreamOrder(Generic[Entry]):
    """One stream's scenes that came before their turn. `next_seq` is None until the first scene."""

    next_seq: int | None = None
    waiting: dict[int, Entry] = field(default_factory=dict)
    floor: int = 0

    def offer(self, seq: int, floor: int, entry: Entry) -> bool:
        """Take a scene in; False when it is a duplicate.

        `floor` is the lowest seq that can still come: a stream's row begins there, and what is missing below is lost.
        """
        self.floor = max(self.floor, floor)
        if (self.next_seq is not None and seq < self.next_seq) or seq in self.waiting:
            return False
        self.waiting[seq] = entry
        return True

    def ready(self) -> list[tuple[int, Entry]]:
        """Take out the scenes whose turn it is, in order."""
        if not self.waiting:
            return []
        if self.next_seq is None or self.next_seq < self.floor:
            below = sorted(seq for seq in self.waiting if seq < self.floor)
            due = [(seq, self.waiting.pop(seq)) for seq in below]
            self.next_seq = max(self.floor, self.next_seq or 0)
        else:
            due = []
        while self.next_seq in self.waiting:
            due.append((self.next_seq, self.waiting.pop(self.next_seq)))
            self.next_seq += 1
        return due

    def give_up_gaps(self) -> list[tuple[int, Entry]]:
        """Take out all that waits, in order: what is missing will not come any more."""
        due = sorted(self.waiting.items(), key=lambda pair: pair[0])
        self.waiting = {}
        if due:
            self.next_seq = due[-1][0] + 1
        return due
