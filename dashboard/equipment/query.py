"""Stored figures from the database: sums over a period, its typical week, medians; never from sessions.

Whole months are read from the tables of months, what is left from those of hours and days: a year of any type is some
thousand rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from dashboard.equipment.figures import HOUR_MS, HOURS, Figures, Week
from dashboard.equipment.period import Parts, Period, parts
from dashboard.times import day_start
from spotter.database import months, services
from spotter.database.figure_tables import (
    GroupDayRow,
    GroupHourRow,
    GroupMonthRow,
    LengthMonthRow,
    SessionLengthRow,
    UnitDayRow,
    UnitHourRow,
)
from spotter.database.lengths import median_seconds
from spotter.database.people_tables import EVERY_SITE, SiteRoleRow
from spotter.database.tables import UsageSessionRow
from spotter.hours import hour_of
from spotter.moments import to_ms, to_time

_SUMS = ("in_use_ms", "sessions", "watched_ms", "known_ms", "queue_ms")


def first_day(session: Session, site: str) -> date | None:
    """The first day with figures."""
    row = GroupDayRow
    return session.scalar(select(func.min(row.day)).where(row.site == site, row.scope == "site", row.name == site))


def types(session: Session, site: str) -> list[str]:
    """Every type that ever had figures."""
    row = GroupDayRow
    return distinct(session, row.name, row.site == site, row.scope == "equipment")


def totals(session: Session, site: str, period: Period, scope: str, names: Iterable[str]) -> dict[str, Figures]:
    """Sums over the period of each name that has any."""
    wanted = list(names)

    def of(row: Any) -> Any:
        query = select(row.name, *_sums(row), func.max(row.pieces)).group_by(row.name)
        return query.where(row.site == site, row.scope == scope, row.name.in_(wanted))

    return {key[0]: one for key, one in _summed(session, period, of, GroupDayRow, GroupHourRow).items()}


def units(session: Session, site: str, period: Period, types: list[str]) -> dict[tuple[str, ...], Figures]:
    """(type, unit, zone) -> sums over the period of all units of some types; kit, which has no identity, by zone."""

    def of(row: Any) -> Any:
        keys = (row.equipment, row.unit, row.zone)
        query = select(*keys, *_sums(row), func.max(row.pieces)).group_by(*keys)
        return query.where(row.site == site, row.equipment.in_(types))

    return dict(sorted(_summed(session, period, of, UnitDayRow, UnitHourRow).items()))


def weeks(session: Session, site: str, period: Period, zone: ZoneInfo, scope: str, names: list[str]) -> dict[str, Week]:
    """The typical week of each name: figures by weekday and hour of the day."""
    found: dict[str, dict[tuple[int, int], Figures]] = {name: {} for name in names}
    for (name, weekday, hour), figures in _by_hour(session, site, period, zone, scope, names, ("weekday",)):
        found[name][weekday, hour] = found[name].get((weekday, hour), Figures()) + figures
    return {name: _lengthened(week, period) for name, week in found.items()}


def days(
    session: Session, site: str, period: Period, zone: ZoneInfo, scope: str, names: list[str]
) -> dict[str, tuple[Figures, ...]]:
    """The typical day of each name: 24 figures by hour of the day."""
    found = {name: [Figures()] * HOURS for name in names}
    for (name, hour), figures in _by_hour(session, site, period, zone, scope, names, ()):
        found[name][hour] = found[name][hour] + figures
    length = period.days * HOUR_MS
    return {name: tuple(replace(one, length_ms=length) for one in hours) for name, hours in found.items()}


def week_of_unit(session: Session, site: str, period: Period, unit: str) -> Week:
    """The typical week of one unit."""
    row = UnitHourRow
    query = (
        select(row.weekday, row.local_hour, *_sums(row), func.max(row.pieces))
        .where(row.site == site, row.unit == unit, row.hour >= period.begin, row.hour < period.end)
        .group_by(row.weekday, row.local_hour)
    )
    found = {(weekday, hour): Figures(*map(int, rest)) for weekday, hour, *rest in session.execute(query)}
    return _lengthened(found, period)


def by_day(session: Session, site: str, period: Period) -> dict[date, Figures]:
    """The figures of the whole site for each day of the period that has any."""
    row = GroupDayRow
    of_site = (row.site == site, row.scope == "site", row.name == site)
    query = select(row.day, *(getattr(row, name) for name in _SUMS), row.pieces).where(
        *of_site, row.day >= period.first, row.day <= period.last
    )
    return {day: Figures(*map(int, values)) for day, *values in session.execute(query)}


def medians(session: Session, site: str, period: Period, scope: str, names: list[str]) -> dict[str, float]:
    """The median length, in seconds, of the sessions of each name that began in the period and have ended."""
    day, month, cut = SessionLengthRow, LengthMonthRow, _parts(session, site, period)
    counted: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    queries = []
    if cut.months:
        queries.append(_by_step(month, site, scope, names).where(month.month.in_(cut.months)))
    for first, last in cut.days:
        queries.append(_by_step(day, site, scope, names).where(day.day >= first, day.day <= last))
    for query in queries:
        for name, step, sessions in session.execute(query):
            counted[name][step] += int(sessions)
    return {name: found for name, steps in counted.items() if (found := median_seconds(steps)) is not None}


def running(session: Session, site: str) -> dict[str, int]:
    """How many sessions of each type are open."""
    row = UsageSessionRow
    # Counted here: asked to group, SQLite walks the index of all sessions instead of that of the open ones.
    return Counter(session.scalars(select(row.equipment).where(row.site == site, row.ended_at.is_(None))))


def hours_since_service(
    session: Session, site: str, units: list[str], zone: ZoneInfo
) -> dict[str, tuple[float, datetime | None]]:
    """Unit -> hours of use since its last service, and when that was; None: never.

    As `docs/rules/maintenance.md` counts: of the hour of the service, use by the share of it that was left.
    """
    serviced = services.last_of_each(session.connection(), site)
    day = UnitDayRow
    whole = select(day.unit, func.sum(day.in_use_ms)).where(day.site == site).group_by(day.unit)
    never = [unit for unit in units if unit not in serviced]
    used = {unit: float(ms) for unit, ms in session.execute(whole.where(day.unit.in_(never)))}
    for unit in set(units) & set(serviced):
        used[unit] = _since(session, site, unit, serviced[unit], zone)
    return {unit: (used.get(unit, 0.0) / HOUR_MS, serviced.get(unit)) for unit in units}


def _since(session: Session, site: str, unit: str, serviced: datetime, zone: ZoneInfo) -> float:
    """Milliseconds of use since a moment."""
    day, hour, local = UnitDayRow, UnitHourRow, serviced.astimezone(zone).date()
    after = select(func.sum(day.in_use_ms)).where(day.site == site, day.unit == unit, day.day > local)
    rest = select(hour.hour, hour.in_use_ms).where(
        hour.site == site,
        hour.unit == unit,
        hour.hour >= to_time(hour_of(to_ms(serviced), zone)),
        hour.hour < day_start(local + timedelta(days=1), zone),
    )
    used = float(session.scalar(after) or 0)
    for at, in_use_ms in session.execute(rest):
        used += in_use_ms * min(1.0, (to_ms(at) + HOUR_MS - to_ms(serviced)) / HOUR_MS)
    return used


def sites(session: Session, user: int) -> list[str]:
    """The sites with figures that somebody has a role at."""
    role, row = SiteRoleRow, GroupDayRow
    roles = dict(session.execute(select(role.site, role.role).where(role.user_id == user)).all())
    return [site for site in distinct(session, row.site) if roles.get(site, roles.get(EVERY_SITE, "kiosk")) != "kiosk"]


def distinct(session: Session, column: Any, *where: Any) -> list[str]:
    """The values of a column of a key, found by jumps along it, however many rows there are."""
    found: list[str] = []
    query = select(func.min(column)).where(*where)
    while (following := session.scalar(query.where(column > found[-1]) if found else query)) is not None:
        found.append(following)
    return found


def _parts(session: Session, site: str, period: Period) -> Parts:
    return parts(period, months.folded(session.connection(), site) if period.days >= 28 else frozenset())


def _summed(
    session: Session, period: Period, of: Callable[[Any], Any], days: Any, hours: Any
) -> dict[tuple[str, ...], Figures]:
    """Sums by what `of` groups by: of whole days, and of the hours of a last day that ends early."""
    last = period.last - timedelta(days=1) if period.is_cut else period.last
    queries = [of(days).where(days.day >= period.first, days.day <= last)]
    if period.is_cut:
        queries.append(of(hours).where(hours.hour >= period.last_begins, hours.hour < period.end))
    found: dict[tuple[str, ...], Figures] = {}
    for query in queries:
        for values in session.execute(query):
            key, sums = tuple(values[: -len(_SUMS) - 1]), map(int, values[-len(_SUMS) - 1 :])
            found[key] = found.get(key, Figures()) + Figures(*sums)
    return {key: replace(one, length_ms=period.ms) for key, one in found.items()}


def _sums(row: Any) -> list[Any]:
    if row is UnitHourRow:
        known = case((row.watched_ms > row.in_use_ms, row.watched_ms), else_=row.in_use_ms)
        return [func.sum(known if name == "known_ms" else getattr(row, name)) for name in _SUMS]
    return [func.sum(getattr(row, name)) for name in _SUMS]


def _by_hour(
    session: Session, site: str, period: Period, zone: ZoneInfo, scope: str, names: list[str], more: tuple[str, ...]
) -> Iterator[tuple[Any, Figures]]:
    """((name, …, hour of the day), figures), some keys several times."""
    hour, month, cut = GroupHourRow, GroupMonthRow, _parts(session, site, period)

    def of(row: Any) -> Any:
        keys = (row.name, *(getattr(row, column) for column in more), row.local_hour)
        query = select(*keys, *_sums(row), func.max(row.pieces)).group_by(*keys)
        return query.where(row.site == site, row.scope == scope, row.name.in_(names))

    queries = [of(month).where(month.month.in_(cut.months))] if cut.months else []
    for first, last in cut.days:
        begin, end = day_start(first, zone), day_start(last + timedelta(days=1), zone)
        queries.append(of(hour).where(hour.hour >= begin, hour.hour < end))
    for query in queries:
        for values in session.execute(query):
            yield tuple(values[: 2 + len(more)]), Figures(*map(int, values[2 + len(more) :]))


def _by_step(row: Any, site: str, scope: str, names: list[str]) -> Any:
    return (
        select(row.name, row.step, func.sum(row.sessions))
        .where(row.site == site, row.scope == scope, row.name.in_(names))
        .group_by(row.name, row.step)
    )


def _lengthened(week: dict[tuple[int, int], Figures], period: Period) -> Week:
    """With how long each hour of the week was in the period: an hour that is under way counts as whole."""
    counts = period.weekdays()
    return {at: replace(one, length_ms=counts[at[0]] * HOUR_MS) for at, one in week.items()}
