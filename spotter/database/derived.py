"""What follows from `unit_hours`: the hours of types, zones and the site, and the days of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from spotter.database.figure_tables import GroupDayRow, GroupHourRow, UnitDayRow, UnitHourRow
from spotter.hours import local_hour
from spotter.moments import to_time

FIGURES = ("in_use_ms", "sessions", "watched_ms", "queue_ms", "pieces")


def derive(connection: Connection, site: str, hours: Iterable[int], zone: ZoneInfo) -> bool:
    """Make the rows of groups and days again that follow from `unit_hours` of some hours.

    Gives whether a unit has nothing left in one of them: then the medians of all these hours have to be written anew.
    """
    hours = sorted(set(hours))
    times = [to_time(hour) for hour in hours]
    days = sorted({local_hour(hour, zone).day for hour in hours})
    row = UnitHourRow
    empty = [getattr(row, name) == 0 for name in FIGURES[:-1]]
    is_emptied = connection.execute(delete(row).where(row.site == site, row.hour.in_(times), *empty)).rowcount > 0
    if is_emptied:
        forget(connection, site, times, days)
    of_hours = and_(row.site == site, row.hour.in_(times))
    _derive_group_hours(connection, "equipment", row.equipment, of_hours)
    _derive_group_hours(connection, "zone", row.zone, and_(of_hours, row.zone != ""))
    _derive_site_hours(connection, site, times, days)
    _derive_days(connection, site, days)
    return is_emptied


def forget(connection: Connection, site: str, times: list[datetime], days: list[date]) -> None:
    """What follows from rows of units that are gone, or changed, must not stay."""
    group, group_day, unit_day = GroupHourRow, GroupDayRow, UnitDayRow
    gone = dict.fromkeys(("in_use_ms", "sessions", "watched_ms", "pieces", "known_ms"), 0)
    touched = (group.site == site, group.day.in_(days), group.hour.in_(times))
    connection.execute(update(group).where(*touched).values(**gone, median_ms=None))
    connection.execute(delete(unit_day).where(unit_day.site == site, unit_day.day.in_(days)))
    connection.execute(delete(group_day).where(group_day.site == site, group_day.day.in_(days)))
    # Those that get nothing again from `derive` go here; it makes the others again.
    connection.execute(delete(group).where(*touched, group.queue_ms == 0))


def _derive_group_hours(connection: Connection, scope: str, name: Any, where: Any) -> None:
    row = UnitHourRow
    is_unit = row.unit != ""
    known = case((row.watched_ms > row.in_use_ms, row.watched_ms), else_=row.in_use_ms)
    # Pieces of kit have no identity, so that one row's use may be of pieces that another row counts.
    kit_watched = func.sum(case((is_unit, 0), else_=row.watched_ms))
    kit_used = func.sum(case((is_unit, 0), else_=row.in_use_ms))
    keys = (row.site, literal(scope), name, row.hour, row.day, row.weekday, row.local_hour)
    query = (
        select(
            *keys,
            func.sum(row.in_use_ms),
            func.sum(row.sessions),
            func.sum(row.watched_ms),
            literal(0),
            func.sum(row.pieces),
            func.sum(case((is_unit, known), else_=0)) + case((kit_watched > kit_used, kit_watched), else_=kit_used),
        )
        .where(where)
        .group_by(row.site, name, row.hour, row.day, row.weekday, row.local_hour)
    )
    _write_group_hours(connection, query)


def _derive_site_hours(connection: Connection, site: str, times: list[datetime], days: list[date]) -> None:
    row = GroupHourRow
    keys = (row.site, row.hour, row.day, row.weekday, row.local_hour)
    sums = [func.sum(getattr(row, name)) for name in ("in_use_ms", "sessions", "watched_ms")]
    query = (
        select(row.site, literal("site"), row.site, *keys[1:], *sums, literal(0))
        .add_columns(func.sum(row.pieces), func.sum(row.known_ms))
        .where(
            row.site == site, row.scope == "equipment", row.day.in_(days), row.hour.in_(times)
        )  # by the index of days
        .group_by(*keys)
    )
    _write_group_hours(connection, query)


def _write_group_hours(connection: Connection, query: Any) -> None:
    columns = ["site", "scope", "name", "hour", "day", "weekday", "local_hour"]
    derived = ["in_use_ms", "sessions", "watched_ms", "queue_ms", "pieces", "known_ms"]
    statement = insert_into(connection)(GroupHourRow).from_select([*columns, *derived], query)
    new = {name: statement.excluded[name] for name in derived if name != "queue_ms"}
    connection.execute(statement.on_conflict_do_update(index_elements=columns[:4], set_=new))


def _derive_days(connection: Connection, site: str, days: list[date]) -> None:
    row = UnitHourRow
    known = func.sum(case((row.watched_ms > row.in_use_ms, row.watched_ms), else_=row.in_use_ms))
    _derive_day(connection, row, UnitDayRow, ("equipment", "unit", "zone"), known, site, days)
    _derive_day(connection, GroupHourRow, GroupDayRow, ("scope", "name"), func.sum(GroupHourRow.known_ms), site, days)


def _derive_day(
    connection: Connection, hours: Any, table: Any, key: tuple[str, ...], known: Any, site: str, days: list[date]
) -> None:
    names = ("in_use_ms", "sessions", "watched_ms", "queue_ms")
    keys = [hours.site, hours.day, *(getattr(hours, name) for name in key)]
    query = (
        select(*keys, *(func.sum(getattr(hours, name)) for name in names), func.max(hours.pieces), known)
        .where(hours.site == site, hours.day.in_(days))
        .group_by(*keys)
    )
    columns, derived = ["site", "day", *key], [*names, "pieces", "known_ms"]
    statement = insert_into(connection)(table).from_select([*columns, *derived], query)
    new = {name: statement.excluded[name] for name in derived}
    connection.execute(statement.on_conflict_do_update(index_elements=columns, set_=new))


def insert_into(connection: Connection) -> Any:
    """The dialect's own `insert`, which knows `ON CONFLICT`."""
    return postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
