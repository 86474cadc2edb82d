"""Figures of whole months, so that those of a year need not be summed over every hour and day of it.

A month is folded once a later one has begun: what changes every second is never in these tables, and the worker pays
for a month once. Whatever changes a folded month afterwards folds it again, in the same transaction. A reader takes
`folded` months from here and all else from hours and days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
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


def fold(connection: Connection, site: str, touched: Iterable[date]) -> None:
    """Bring the months in step after figures of some days have changed."""
    newest = _newest(connection, site)
    before = newest and _newest(connection, site, month_of(newest))
    if newest is None or before is None:
        return
    due = {month_of(day) for day in touched if month_of(day) < month_of(newest)}
    if not _is_folded(connection, site, month_of(before)):
        due |= _over(connection, site, month_of(newest)) - folded(connection, site)
    for month in sorted(due):
        _fold(connection, site, month)


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


def _fold(connection: Connection, site: str, month: date) -> None:
    hours, row = GroupHourRow, GroupMonthRow
    connection.execute(delete(row).where(row.site == site, row.month == month))
    days = [month + timedelta(days=number) for number in range((next_month(month) - month).days)]
    keys: list[Any] = [hours.site, hours.scope, hours.name, hours.weekday, hours.local_hour]
    sums = [func.sum(getattr(hours, name)) for name in _SUMS]
    query = (
        select(*keys, literal(month, Date), *sums, func.max(hours.pieces))
        .where(hours.site == site, hours.day.in_(days))
        .group_by(*keys)
    )
    columns = ["site", "scope", "name", "weekday", "local_hour", "month", *_SUMS, "pieces"]
    connection.execute(insert(row).from_select(columns, query))
    lengths, total = SessionLengthRow, LengthMonthRow
    connection.execute(delete(total).where(total.site == site, total.month == month))
    for scope, name in _names(connection, site, days):
        keys = [lengths.site, lengths.scope, lengths.name, lengths.step]
        counted = (
            select(*keys, literal(month, Date), func.sum(lengths.sessions))
            .where(lengths.site == site, lengths.scope == scope, lengths.name == name, lengths.day.in_(days))
            .group_by(*keys)
        )
        connection.execute(insert(total).from_select(["site", "scope", "name", "step", "month", "sessions"], counted))


def _names(connection: Connection, site: str, days: list[date]) -> list[tuple[str, str]]:
    """(scope, name) of all that has figures on some days; told from days, of which there are few."""
    group, unit = GroupDayRow, UnitDayRow
    groups = select(group.scope, group.name).where(group.site == site, group.day.in_(days)).distinct()
    units = select(unit.unit).where(unit.site == site, unit.day.in_(days), unit.unit != "").distinct()
    found = [(scope, name) for scope, name in connection.execute(groups)]
    return sorted([*found, *(("unit", name) for name in connection.scalars(units))])
