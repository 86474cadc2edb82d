"""Today against a usual day: the median of the same weekday over the last weeks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dashboard.equipment.figures import HOURS, Figures

WEEKS = 8
FEWEST_DAYS = 3
"""Of fewer days no median is usual."""
ENOUGH_SEEN = 0.5
"""Share of a day that cameras must have covered for it to count."""
UNUSUAL = 0.25
"""Share from which on a difference is worth telling, if no usual day reached it either."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the whole gym. `coverage` is the share of it that cameras covered, as far as it is over."""

    hours: Sequence[Figures]
    coverage: float

    def so_far(self, over: int) -> Figures:
        """The sums of the first `over` hours."""
        return sum(self.hours[:over], Figures())


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual, from `days` days. Of `in_use_ms`, also the least and the most of them."""

    days: int
    minutes: tuple[float, ...]
    """In use, by hour of the day."""
    in_use_ms: float
    sessions: float
    queue_ms: float
    least_ms: int
    most_ms: int


def usual(days: Sequence[Day], over: int) -> Usual | None:
    """The usual day up to its hour `over`; None while there are too few that cameras saw."""
    seen = [day for day in days if day.coverage >= ENOUGH_SEEN]
    if len(seen) < FEWEST_DAYS:
        return None
    sums = [day.so_far(over) for day in seen]
    used = [one.in_use_ms for one in sums]
    return Usual(
        len(seen),
        tuple(median(day.hours[hour].in_use_ms for day in seen) / 60000 for hour in range(HOURS)),
        median(used),
        median(one.sessions for one in sums),
        median(one.queue_ms for one in sums),
        min(used),
        max(used),
    )


def deviation(today: Day, known: Usual | None, over: int) -> float | None:
    """By which share today is unusual, such as -0.4; None where it is not, or nothing can be said."""
    if known is None or known.in_use_ms <= 0 or today.coverage < ENOUGH_SEEN:
        return None
    used = today.so_far(over).in_use_ms
    share = used / known.in_use_ms - 1
    return share if abs(share) >= UNUSUAL and not known.least_ms <= used <= known.most_ms else None
