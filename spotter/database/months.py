"""Figures of whole months, so that those of a year need not be summed over every hour and day of it.

A month is folded once a later one has begun: what changes every second is never in these tables, and the worker pays
for a month once. Whatever changes a folded month afterwards folds it again, in the same transaction. A reader takes
`folded` months from here and all else from hours and days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Date, delete, func, insert, literal, select

from spotter.database.figure_tables import (
    GroupDayRow,
    GroupHourRow,
    GroupMonthRow,
    LengthMonthRow,
    SessionLengthRow,
    UnitDayRow,
)

_SUMS = ("in_use_ms", "sessions", "watched_ms", "queue_ms", "known_ms")


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def folded(connection: Connection, site: str) -> frozenset[date]:
    """The months that are in these tables."""
    row = GroupMonthRow
    of_site = (row.site == site, row.scope == "site", row.name == site)
    return frozenset(connection.scalars(select(row.month).where(*of_site).distinct()))


def fold(
    connection: Connection, site: str, touched: Iterable[date], names: Collection[tuple[str, str]] | None = None
) -> None:
    """Bring the months in step after figures of some days have changed: those of `names` (scope, name), or all."""
    newest = _newest(connection, site)
    before = newest and _newest(connection, site, month_of(newest))
    if newest is None or before is None:
        return
    due = {month_of(day) for day in touched if month_of(day) < month_of(newest)}
    some = {month for month in due if names is not None and _is_folded(connection, site, month)}
    if not _is_folded(connection, site, month_of(before)):
        due |= _over(connection, site, month_of(newest)) - folded(connection, site)
    for month in sorted(due - some):
        _fold(connection, site, month, None)
    for month in sorted(some):
        _fold(connection, site, month, names)


def _newest(connection: Connection, site: str, before: date | None = None) -> date | None:
    row = GroupDayRow
    query = select(func.max(row.day)).where(row.site == site, row.scope == "site", row.name == site)
    return connection.scalar(query if before is None else query.where(row.day < before))


def _is_folded(connection: Connection, site: str, month: date) -> bool:
    row = GroupMonthRow
    of_month = (row.site == site, row.scope == "site", row.name == site, row.month == month)
    return connection.scalar(select(row.month).where(*of_month).limit(1)) is not None


def _over(connection: Connection, site: str, before: date) -> set[date]:
    row = GroupDayRow
    of_site = (row.site == site, row.scope == "site", row.name == site, row.day < before)
    return {month_of(day) for day in connection.scalars(select(row.day).where(*of_site))}


def _fold(connection: Connection, site: str, month: date, names: Collection[tuple[str, str]] | None) -> None:
    days = [month + timedelta(days=number) for number in range((next_month(month) - month).days)]
    if names is None:
        for table in (GroupMonthRow, LengthMonthRow):
            connection.execute(delete(table).where(table.site == site, table.month == month))
        names = _names(connection, site, days)
    else:
        for table in (GroupMonthRow, LengthMonthRow):
            for scope, name in names:
                of_name = (table.site == site, table.scope == scope, table.name == name)
                connection.execute(delete(table).where(*of_name, table.month == month))
    for scope, name in names:
        _sum_hours(connection, site, scope, name, month, days)
        _sum_lengths(connection, site, scope, name, month, days)


def _sum_hours(connection: Connection, site: str, scope: str, name: str, month: date, days: list[date]) -> None:
    row, table = GroupHourRow, GroupMonthRow
    keys: list[Any] = [row.site, row.scope, row.name, row.weekday, row.local_hour]
    midnight = datetime.combine(month, datetime.min.time(), tzinfo=timezone.utc)
    query = (
        select(*keys, literal(month, Date), *(func.sum(getattr(row, name)) for name in _SUMS), func.max(row.pieces))
        .where(
            row.site == site,
            row.scope == scope,
            row.name == name,
            row.hour > midnight - timedelta(days=1),  # one stretch of the key, with what belongs to other months
            row.hour < midnight + timedelta(days=len(days) + 1),
            row.day.in_(days),
        )
        .group_by(*keys)
    )
    columns = ["site", "scope", "name", "weekday", "local_hour", "month", *_SUMS, "pieces"]
    connection.execute(insert(table).from_select(columns, query))


def _sum_lengths(connection: Connection, site: str, scope: str, name: str, month: date, days: list[date]) -> None:
    row, table = SessionLengthRow, LengthMonthRow
    keys = [row.site, row.scope, row.name, row.step]
    query = (
        select(*keys, literal(month, Date), func.sum(row.sessions))
        .where(row.site == site, row.scope == scope, row.name == name, row.day.in_(days))
        .group_by(*keys)
    )
    connection.execute(insert(table).from_select(["site", "scope", "name", "step", "month", "sessions"], query))


def _names(connection: Connection, site: str, days: list[date]) -> list[tuple[str, str]]:
    """(scope, name) of all that has figures on some days; told from days, of which there are few."""
    group, unit = GroupDayRow, UnitDayRow
    groups = select(group.scope, group.name).where(group.site == site, group.day.in_(days)).distinct()
    units = select(unit.unit).where(unit.site == site, unit.day.in_(days), unit.unit != "").distinct()
    found = [(scope, name) for scope, name in connection.execute(groups)]
    return sorted([*found, *(("unit", name) for name in connection.scalars(units))])
