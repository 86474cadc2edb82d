"""What can be said from stored figures: availability, coverage, the peak, and whether there is enough. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

HOURS = 24
HOUR_MS = 3_600_000

Band = Literal["short", "healthy", "plenty"]
Verdict = Literal["buy", "enough", "too_many", "unknown"]

ENOUGH_SEEN = 0.3
"""Share of the peak hour that cameras must have covered for a hint."""
ENOUGH_HOURS = 3
"""Peak hours that must have been covered for a hint: of fewer, one party decides."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over a stretch of time. `length_ms` is how long that was, whether watched or not."""

    in_use_ms: int = 0
    sessions: int = 0
    watched_ms: int = 0
    known_ms: int = 0
    queue_ms: int = 0
    pieces: int = 0
    length_ms: int = 0

    @property
    def seconds(self) -> float:
        """In use."""
        return self.in_use_ms / 1000

    @property
    def availability(self) -> float | None:
        """Share of unit-time not in use, 0 to 1; None where nothing was watched."""
        return 1 - self.in_use_ms / self.known_ms if self.known_ms > 0 else None

    @property
    def coverage(self) -> float | None:
        """Share of the time, 0 to 1, that cameras really covered; None of kit that no rack holds."""
        possible = self.pieces * self.length_ms
        return min(1.0, self.watched_ms / possible) if possible else None

    def __add__(self, other: Figures) -> Figures:
        """Both times together; pieces are those of the time that had more."""
        return Figures(
            self.in_use_ms + other.in_use_ms,
            self.sessions + other.sessions,
            self.watched_ms + other.watched_ms,
            self.known_ms + other.known_ms,
            self.queue_ms + other.queue_ms,
            max(self.pieces, other.pieces),
            self.length_ms + other.length_ms,
        )


Week = Mapping[tuple[int, int], Figures]
"""(weekday, hour of the day) -> figures; Monday is 0."""


class Limits(NamedTuple):
    """Between which shares availability at peak is healthy."""

    low: float
    high: float


class Peak(NamedTuple):
    """The hour of the day with most use."""

    hour: int
    figures: Figures


class Hint(NamedTuple):
    """Whether there is enough, with what it follows from."""

    verdict: Verdict
    peak: Peak | None = None
    busy: float = 0.0
    """Pieces in use at the peak, on average."""
    pieces: int = 0
    change: int = 0
    """How many more, or fewer, would be healthy."""
    then: float = 0.0
    """Availability at the peak with so many."""


def band(share: float, limits: Limits) -> Band:
    """See `docs/rules/availability.md`."""
    if share < limits.low:
        return "short"
    return "plenty" if share > limits.high else "healthy"


def by_hour_of_day(week: Week) -> list[Figures]:
    """24 figures."""
    found = [Figures()] * HOURS
    for (_, hour), figures in week.items():
        found[hour] = found[hour] + figures
    return found


def peak(hours: Iterable[Figures]) -> Peak | None:
    """The hour of the day with most use; None without any."""
    most = max(enumerate(hours), key=lambda one: (one[1].in_use_ms, -one[0]), default=None)
    return Peak(*most) if most is not None and most[1].in_use_ms > 0 else None


def hint(at: Peak | None, limits: Limits) -> Hint:
    """Buy, enough or too many, judged at the peak hour."""
    if at is None or at.figures.availability is None or not at.figures.pieces:
        return Hint("unknown", at)
    figures, pieces = at.figures, at.figures.pieces
    free = at.figures.availability
    if (figures.coverage or 0.0) < ENOUGH_SEEN or figures.watched_ms < ENOUGH_HOURS * HOUR_MS * pieces:
        return Hint("unknown", at, pieces=pieces)
    busy = pieces * (1 - free)
    if free < limits.low:
        wanted = math.ceil(busy / (1 - limits.low)) if limits.low < 1 else pieces + 1
        return Hint("buy", at, busy, pieces, max(1, wanted - pieces), 1 - busy / max(wanted, pieces + 1))
    wanted = max(1, math.ceil(busy / (1 - limits.high))) if limits.high < 1 else pieces
    if free > limits.high and wanted < pieces:
        return Hint("too_many", at, busy, pieces, pieces - wanted, 1 - busy / wanted)
    return Hint("enough", at, busy, pieces, 0, free)


def change(now: float, before: float) -> float | None:
    """By which share something grew, such as 0.12; None from nothing."""
    return now / before - 1 if before else None
