"""Lengths of sessions in steps, each a fifth longer than the one before: enough to tell a median closely.

Within a step lengths are taken as spread evenly, so that a median is wrong by less than its step, and mostly by far
less. A year of five million sessions has some ten thousand rows a type where the lengths themselves would be millions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

_LONGEST_MS = 7 * 24 * 3_600_000


def _bounds() -> list[int]:
    bounds = [1000]
    while bounds[-1] < _LONGEST_MS:
        bounds.append(bounds[-1] * 6 // 5)
    return bounds


BOUNDS_MS = tuple(_bounds())
"""Where each step begins; whole numbers, so that they are the same everywhere."""


def step_of(length_ms: int) -> int:
    """The step that a length is in; 0 is all below a second."""
    return bisect_right(BOUNDS_MS, length_ms)


def median_seconds(sessions: Mapping[int, int]) -> float | None:
    """The median length, in seconds, of sessions counted by step; None without any."""
    half, passed = sum(sessions.values()) / 2, 0
    for step, count in sorted(sessions.items()):
        if count and passed + count >= half:
            low = BOUNDS_MS[step - 1] if step else 0
            high = BOUNDS_MS[min(step, len(BOUNDS_MS) - 1)]
            return (low + (high - low) * (half - passed) / count) / 1000
        passed += count
    return None
