"""How much of a type of equipment was free in a time slice, and whether that is healthy.

See `docs/rules/availability.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from spotter.settings import Rules

Band = Literal["short", "healthy", "plenty"]


class UnitSlice(NamedTuple):
    """One unit in one time slice, such as an hour. Durations in one unit of time, whichever."""

    in_use: float
    watched: float
    """In which a camera really saw it."""


def availability(slices: Iterable[UnitSlice]) -> float | None:
    """The share of unit-time not in use, 0 to 1; None where nothing was watched.

    Time that nobody watched is neither free nor in use, but for use that is known to have gone on through it.
    """
    used = known = 0.0
    for one in slices:
        used += one.in_use
        known += max(one.watched, one.in_use)
    return None if known <= 0 else 1 - used / known


def band(share: float, rules: Rules) -> Band:
    """Whether a type of which `share` is free at peak is short, healthy (40 to 60 %), or more than is needed."""
    if share < rules.availability_low:
        return "short"
    return "plenty" if share > rules.availability_high else "healthy"
