"""Hours as a gym's clocks show them: where a stretch of time is cut, and which local day and hour each piece is of.

Steps are in UTC, so that an hour which the clocks show twice counts twice and one that they skip not at all: a local
day has 23, 24 or 25 of them. All times are whole milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from spotter.moments import to_time

HOUR_MS = 3_600_000

_MILLISECOND = timedelta(milliseconds=1)


class LocalHour(NamedTuple):
    """Which hour of the gym's calendar one is."""

    day: date
    weekday: int
    """0 is Monday."""
    of_day: int
    """0 to 23"""


def hour_of(moment: int, zone: ZoneInfo) -> int:
    """When the local hour began that a moment is in; the key of that hour in every table."""
    return moment - _into_hour(moment, zone)


def split_hours(begin: int, end: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """(hour, milliseconds in it) of a stretch of time, cut where the gym's clocks show a full hour."""
    while begin < end:
        into = _into_hour(begin, zone)
        cut = min(begin - into + HOUR_MS, end)
        yield begin - into, cut - begin
        begin = cut


def local_hour(hour: int, zone: ZoneInfo) -> LocalHour:
    """The calendar's view of an hour."""
    # Its last moment, since clocks that are set by half an hour may be set after an hour's nominal begin.
    local = to_time(hour + HOUR_MS - 1).astimezone(zone)
    return LocalHour(local.date(), local.weekday(), local.hour)


def _into_hour(moment: int, zone: ZoneInfo) -> int:
    offset = zone.utcoffset(to_time(moment).astimezone(zone)) or timedelta(0)
    return (moment + offset // _MILLISECOND) % HOUR_MS
