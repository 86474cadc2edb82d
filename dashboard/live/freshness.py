"""How old what others report is, whatever their clocks say."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

STALE_SECONDS = 12.0
"""Scenes come every 5 s at least: two missed and a margin. With a check each second, under the promised 15."""


@dataclass
class Freshness:
    """Remembers when each thing last changed *here*.

    A camera box with a wrong clock must not look dead, and a value that lies in Redis since yesterday must not look
    alive. So the age that a value claims counts only when it is first seen; from then on, the time since it changed.
    """

    _seen: dict[str, tuple[Hashable, float]] = field(default_factory=dict)

    def age(self, key: str, value: Hashable, claimed_age: float, now: float) -> float:
        """Seconds since `key` became `value`; `now` is a monotonic clock's."""
        known = self._seen.get(key)
        if known is not None and known[0] == value:
            return now - known[1]
        began = now - max(0.0, claimed_age) if known is None else now
        self._seen[key] = (value, began)
        return now - began

    def forget(self, key: str) -> None:
        """Treat the next value of `key` as the first one."""
        self._seen.pop(key, None)
