"""How long equipment was in use, by hour of the gym's day. Pure: sessions and times in, figures out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from spotter.events import seconds_between

HOURS = 24


@dataclass(frozen=True, slots=True)
class Use:
    """A session as these figures need it; `ended` is None while it runs."""

    equipment: str
    started: datetime
    ended: datetime | None


@dataclass
class EquipmentUse:
    """What one kind of equipment was used in a period."""

    equipment: str
    seconds_by_hour: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    sessions: int = 0
    running: int = 0
    seconds: float = 0.0
    lengths: list[float] = field(default_factory=list)
    """Seconds of each session that has ended, whole: also of what lies outside the period."""

    @property
    def median_seconds(self) -> float | None:
        """The usual length of a session; None while none has ended."""
        return median(self.lengths) if self.lengths else None

    @property
    def busiest_hour(self) -> int | None:
        """The hour of day with most use; None without any."""
        return max(range(HOURS), key=self.seconds_by_hour.__getitem__) if self.seconds > 0 else None


def tally(uses: Iterable[Use], begin: datetime, end: datetime, zone: ZoneInfo) -> list[EquipmentUse]:
    """Use of each kind within [`begin`, `end`), most used first. Open sessions count up to `end`, which is now."""
    found: dict[str, EquipmentUse] = {}
    for use in uses:
        started, ended = max(use.started, begin), min(use.ended or end, end)
        if ended < started or (use.ended is not None and use.ended <= begin) or use.started >= end:
            continue
        kind = found.setdefault(use.equipment, EquipmentUse(use.equipment))
        kind.sessions += 1
        if use.ended is None:
            kind.running += 1
        else:
            kind.lengths.append(seconds_between(use.started, use.ended))
        for hour, seconds in split_hours(started, ended, zone):
            kind.seconds_by_hour[hour] += seconds
            kind.seconds += seconds
    return sorted(found.values(), key=lambda kind: (-kind.seconds, kind.equipment))


def split_hours(started: datetime, ended: datetime, zone: ZoneInfo) -> Iterator[tuple[int, float]]:
    """(hour of the local day, seconds in it) of a stretch of time, cut where the gym's clocks show a full hour.

    Steps in UTC, so that an hour which the clocks show twice counts twice and one that they skip not at all.
    """
    while started < ended:
        local = started.astimezone(zone)
        into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        cut = min(started + timedelta(hours=1) - into_hour, ended)
        yield local.hour, seconds_between(started, cut)
        started = cut


def total_by_hour(kinds: Iterable[EquipmentUse]) -> list[float]:
    """Seconds of use by hour of day over all kinds."""
    totals: dict[int, float] = defaultdict(float)
    for kind in kinds:
        for hour, seconds in enumerate(kind.seconds_by_hour):
            totals[hour] += seconds
    return [totals[hour] for hour in range(HOURS)]
