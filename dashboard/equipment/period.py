"""Which days figures are asked for, and with which others they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import gettext

from dashboard.language import mark
from dashboard.times import FIRST_YEAR, LAST_YEAR, day_start, local_day
from spotter.database.months import next_month
from spotter.events import seconds_between

PERIODS = {
    "today": (mark("Today"), 1),
    "7d": (mark("7 days"), 7),
    "30d": (mark("30 days"), 30),
    "90d": (mark("90 days"), 90),
    "365d": (mark("A year"), 365),
}
DEFAULT_PERIOD = "7d"

AGAINST = {"": mark("Nothing"), "before": mark("The time before"), "year": mark("A year earlier")}

MOST_DAYS = 3 * 366
YEAR = timedelta(days=364)
"""Whole weeks, so that weekdays stand beside their like."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days, but for what of the last one is yet to come."""

    first: date
    last: date
    begin: datetime
    last_begins: datetime
    end: datetime
    is_cut: bool
    """Whether it ends before its last day does."""

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    @property
    def ms(self) -> int:
        """Its length."""
        return round(seconds_between(self.begin, self.end) * 1000)

    def weekdays(self) -> tuple[int, ...]:
        """How many of each weekday, Monday first."""
        weeks, rest = divmod(self.days, 7)
        return tuple(weeks + ((number - self.first.weekday()) % 7 < rest) for number in range(7))


class Parts(NamedTuple):
    """A period as whole months and the stretches of days that are left."""

    months: tuple[date, ...]
    days: tuple[tuple[date, date], ...]


class Asked(NamedTuple):
    """What a page or a program asks for."""

    period: Period
    other: Period | None
    named: str
    """Of `PERIODS`; empty for days of one's own."""
    against: str


def days_between(first: date, last: date, zone: ZoneInfo, now: datetime) -> Period:
    """The local days from `first` to `last`, up to `now`."""
    begin, whole = day_start(first, zone), day_start(last + timedelta(days=1), zone)
    return Period(first, last, begin, day_start(last, zone), max(begin, min(whole, now)), now < whole)


def last_days(days: int, zone: ZoneInfo, now: datetime) -> Period:
    """The last `days` local days, today included."""
    today = local_day(now, zone)
    return days_between(today - timedelta(days=days - 1), today, zone, now)


def since(period: Period, first: date | None, zone: ZoneInfo, now: datetime) -> Period:
    """`period` without what lies before the first day with figures, which would thin out every average."""
    if first is None or first <= period.first or first > period.last:
        return period
    return days_between(first, period.last, zone, now)


def parts(period: Period, folded: frozenset[date]) -> Parts:
    """`period` cut into folded months and the days around them."""
    months, days, at = [], [], period.first
    open_from: date | None = None
    while at <= period.last:
        following = next_month(at)
        if at.day == 1 and at in folded and following <= period.last + timedelta(days=1):
            if open_from is not None:
                days.append((open_from, at - timedelta(days=1)))
                open_from = None
            months.append(at)
        elif open_from is None:
            open_from = at
        at = following
    if open_from is not None:
        days.append((open_from, period.last))
    return Parts(tuple(months), tuple(days))


def like(period: Period, first: date, zone: ZoneInfo, now: datetime) -> Period:
    """As many days from `first` on, to compare with: what of today is yet to come is left out of its like, too."""
    other = days_between(first, first + timedelta(days=period.days - 1), zone, now)
    if not period.is_cut:
        return other
    return replace(other, end=min(other.end, other.last_begins + (period.end - period.last_begins)), is_cut=True)


def read(arguments: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[Asked, list[str]]:
    """The periods of a query string, and what in it was not understood, each in a sentence."""
    problems: list[str] = []
    named = arguments.get("period") or DEFAULT_PERIOD
    if named not in PERIODS:
        problems.append(gettext("“period” is one of %(names)s.", names=", ".join(PERIODS)))
        named = DEFAULT_PERIOD
    period = last_days(PERIODS[named][1], zone, now)
    first, last = (_day(arguments, name, problems) for name in ("from", "to"))
    if first or last:
        today = local_day(now, zone)
        last = min(last or today, today)
        first = first or last
        if first > last:
            problems.append(gettext("“from” is not before “to”."))
        elif (last - first).days >= MOST_DAYS:
            problems.append(gettext("That is more than %(days)s days.", days=MOST_DAYS))
        else:
            named, period = "", days_between(first, last, zone, now)
    against = arguments.get("against", "").strip()
    return Asked(period, _other(period, against, zone, now, problems), named, against), problems


def _other(period: Period, against: str, zone: ZoneInfo, now: datetime, problems: list[str]) -> Period | None:
    if not against:
        return None
    if against in ("before", "year"):
        first = period.first - (timedelta(days=period.days) if against == "before" else YEAR)
    else:
        chosen = _as_day(against)
        if chosen is None:
            problems.append(gettext("“against” is before, year, or the first day of another time."))
            return None
        first = chosen
    return like(period, first, zone, now)


def _day(arguments: Mapping[str, str], name: str, problems: list[str]) -> date | None:
    text = arguments.get(name, "").strip()
    found = _as_day(text)
    if text and found is None:
        problems.append(gettext("“%(name)s” is not a day, such as 2026-11-22.", name=name))
    return found


def _as_day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None
