"""Keeps the tables of figures in step with sessions: what the usage worker adds, what follows from it, what corrections
change, and all of it again.

First-hand are `unit_hours` (but for its medians) and the queues of `group_hours`; the rest is derived, in the same
transaction, for the hours that were touched. `change` is the way for whoever changes sessions after the fact.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, case, delete, func, or_, select, update

from spotter.database.derived import FIGURES, derive, forget, insert_into
from spotter.database.figure_tables import (
    CameraHourRow,
    GroupHourRow,
    SessionLengthRow,
    UnitHourRow,
)
from spotter.database.lengths import step_of
from spotter.database.months import fold
from spotter.database.tables import UsageSessionRow
from spotter.hours import HOUR_MS, hour_of, local_hour, split_hours
from spotter.moments import to_ms, to_time

LONGEST_SESSION = timedelta(days=7)
"""How far before a period its sessions may have begun: what keeps a query within one stretch of an index."""

_POSTGRESQL_LOCKS = 0x5B0773C
"""Names the advisory locks of sites' figures; any number that is always the same."""


class UnitKey(NamedTuple):
    """What a row of `unit_hours` is of; `''` is none."""

    equipment: str
    unit: str
    zone: str


@dataclass(slots=True)
class Amounts:
    """What is added to a row; `pieces` replaces what was there."""

    in_use_ms: int = 0
    sessions: int = 0
    watched_ms: int = 0
    queue_ms: int = 0
    pieces: int = 0


@dataclass(slots=True)
class FigureChanges:
    """What a batch of scenes adds to a site's figures. Hours as milliseconds since 1970."""

    zone: ZoneInfo
    units: dict[tuple[int, UnitKey], Amounts] = field(default_factory=lambda: defaultdict(Amounts))
    queues: dict[tuple[int, str, str], int] = field(default_factory=lambda: defaultdict(int))
    """(hour, scope, name) -> milliseconds"""
    cameras: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    ended: list[tuple[UnitKey, int, int]] = field(default_factory=list)
    """(unit, begin, length) of sessions that ended"""


class SessionSpan(NamedTuple):
    """A session as the figures count it. `end` is where it was last told of while it is open."""

    key: UnitKey
    begin: int
    end: int
    is_open: bool


def add(connection: Connection, site: str, changes: FigureChanges) -> None:
    """Add what follows from scenes, and derive what follows from that."""
    begin_alone(connection, site)
    _add_units(connection, site, changes.zone, changes.units)
    queues = [
        {**_group(site, scope, name, hour, changes.zone), "queue_ms": queue_ms}
        for (hour, scope, name), queue_ms in sorted(changes.queues.items())
    ]
    _add(connection, GroupHourRow, queues, ("site", "scope", "name", "hour"), ("queue_ms",))
    cameras = [
        {"site": site, "camera": camera, "hour": to_time(hour), "watched_ms": ms, **_calendar(hour, changes.zone)}
        for (hour, camera), ms in sorted(changes.cameras.items())
    ]
    _add(connection, CameraHourRow, cameras, ("site", "camera", "hour"), ("watched_ms",))
    lengths: dict[tuple[str, str, date, int], int] = defaultdict(int)
    for key, begin, length in changes.ended:
        _count_length(lengths, site, key, begin, length, changes.zone)
    _add_lengths(connection, site, lengths)
    hours = {hour for hour, _ in changes.units} | {hour for hour, _, _ in changes.queues}
    begun = {hour_of(begin, changes.zone) for _, begin, _ in changes.ended}
    if hours and derive(connection, site, hours, changes.zone):
        begun |= hours
    _write_medians(connection, site, begun)
    if hours | begun:
        fold(connection, site, {local_hour(hour, changes.zone).day for hour in hours | begun})


def change(
    connection: Connection, site: str, zone: ZoneInfo, old: Iterable[SessionSpan], new: Iterable[SessionSpan]
) -> None:
    """Bring the figures in step with sessions that were changed after the fact, in the transaction of the change.

    `usage_sessions` has the `new` ones in place of the `old` ones already. Only what these touch is counted again, so
    that a correction costs the same however much else was in use. Watched time and queues are left as they are.
    """
    begin_alone(connection, site)
    units: dict[tuple[int, UnitKey], Amounts] = defaultdict(Amounts)
    lengths: dict[tuple[str, str, date, int], int] = defaultdict(int)
    begun = set()
    for sign, spans in ((-1, old), (1, new)):
        for span in spans:
            for hour, ms in split_hours(span.begin, span.end, zone):
                units[hour, span.key].in_use_ms += sign * ms
            begun.add(hour_of(span.begin, zone))
            units[hour_of(span.begin, zone), span.key].sessions += sign
            if not span.is_open:
                _count_length(lengths, site, span.key, span.begin, span.end - span.begin, zone, sign)
    _add_units(connection, site, zone, units)
    _add_lengths(connection, site, lengths)
    keys, hours = {key for _, key in units}, {hour for hour, _ in units}
    names = {name for key in keys for name in _names(site, key)}
    days = {local_hour(hour, zone).day for hour in hours}
    row = SessionLengthRow
    for scope, name in names:
        of_name = (row.site == site, row.scope == scope, row.name == name, row.day.in_(days))
        connection.execute(delete(row).where(*of_name, row.sessions == 0))
    if derive(connection, site, hours, zone):
        _write_medians(connection, site, hours)
    _write_medians(connection, site, begun, keys)
    fold(connection, site, days, names)


def _recount(connection: Connection, site: str, zone: ZoneInfo, day: date) -> None:
    """Count the sessions of a local day again, but for its month; of its lengths nothing is there."""
    begin, end = (datetime.combine(one, datetime.min.time(), tzinfo=zone) for one in (day, day + timedelta(days=1)))
    hours, days, row = [hour for hour, _ in split_hours(to_ms(begin), to_ms(end), zone)], [day], UnitHourRow
    first, last = hours[0], hours[-1]
    touched = (row.site == site, row.hour >= to_time(first), row.hour <= to_time(last))
    connection.execute(update(row).where(*touched).values(in_use_ms=0, sessions=0, median_ms=None))
    amounts: dict[tuple[int, UnitKey], Amounts] = defaultdict(Amounts)
    lengths: dict[tuple[str, str, date, int], int] = defaultdict(int)
    for span in sessions_in(connection, site, begin, end):
        for hour, ms in split_hours(span.begin, span.end, zone):
            if first <= hour <= last:
                amounts[hour, span.key].in_use_ms += ms
        if first <= hour_of(span.begin, zone) <= last:
            amounts[hour_of(span.begin, zone), span.key].sessions += 1
            if not span.is_open:
                _count_length(lengths, site, span.key, span.begin, span.end - span.begin, zone)
    _add_units(connection, site, zone, amounts)
    forget(connection, site, [to_time(hour) for hour in hours], days)
    derive(connection, site, hours, zone)
    _write_medians(connection, site, hours)
    _add_lengths(connection, site, lengths)


def rebuild(connection: Connection, site: str, zone: ZoneInfo, told: Callable[[float], None] = lambda _: None) -> int:
    """Make all figures of a site again from its sessions; gives how many days. `told` hears the share that is done."""
    row, sessions = UnitHourRow, UsageSessionRow
    bounds = [
        *connection.execute(select(func.min(row.hour), func.max(row.hour)).where(row.site == site)).one(),
        *connection.execute(
            select(
                func.min(sessions.started_at),
                func.max(func.coalesce(sessions.ended_at, sessions.last_at, sessions.started_at)),
            ).where(sessions.site == site)
        ).one(),
    ]
    moments = [to_ms(bound) for bound in bounds if bound is not None]
    begin_alone(connection, site)
    connection.execute(delete(SessionLengthRow).where(SessionLengthRow.site == site))
    if not moments:
        return 0
    day, last = (local_hour(hour_of(moment, zone), zone).day for moment in (min(moments), max(moments)))
    days = [day + timedelta(days=number) for number in range((last - day).days + 1)]
    for number, day in enumerate(days, 1):  # one by one, so that a year of sessions is never in memory
        _recount(connection, site, zone, day)
        told(number / len(days))
    fold(connection, site, days)
    return len(days)


def sessions_in(connection: Connection, site: str, begin: datetime, end: datetime) -> Iterator[SessionSpan]:
    """The sessions, as figures count them, that have a moment from `begin` on and before `end`."""
    row = UsageSessionRow
    query = select(row.equipment, row.unit, row.zone, row.started_at, row.ended_at, row.last_at).where(
        row.site == site,
        row.started_at < end,
        row.started_at > begin - LONGEST_SESSION,
        or_(row.ended_at.is_(None), row.ended_at >= begin),
    )
    for equipment, unit, zone, started, ended, last in connection.execute(query):
        key = UnitKey(equipment, unit or "", zone or "")
        yield SessionSpan(key, to_ms(started), to_ms(ended or last or started), ended is None)


def begin_alone(connection: Connection, site: str) -> None:
    """Let nobody else count this site's figures until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_POSTGRESQL_LOCKS, zlib.crc32(site.encode()) >> 1)))


def _add_units(connection: Connection, site: str, zone: ZoneInfo, units: Mapping[tuple[int, UnitKey], Amounts]) -> None:
    rows = [
        {
            "site": site,
            "hour": to_time(hour),
            **key._asdict(),
            **_calendar(hour, zone),
            **{name: getattr(amounts, name) for name in FIGURES},
        }
        for (hour, key), amounts in sorted(units.items())
    ]
    _add(connection, UnitHourRow, rows, ("site", "hour", "equipment", "unit", "zone"), FIGURES[:-1])


def _add(connection: Connection, table: Any, rows: list[dict[str, Any]], key: tuple[str, ...], sums: Any) -> None:
    """Insert rows, or add to those that are there already; `pieces` takes the newer value where it has one."""
    if not rows:
        return
    statement = insert_into(connection)(table)
    new: dict[str, Any] = {name: getattr(table, name) + statement.excluded[name] for name in sums}
    if "pieces" in rows[0] and "pieces" not in sums and table is UnitHourRow:
        new["pieces"] = case((statement.excluded["pieces"] > 0, statement.excluded["pieces"]), else_=table.pieces)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=new), rows)


def _calendar(hour: int, zone: ZoneInfo) -> dict[str, Any]:
    local = local_hour(hour, zone)
    return {"day": local.day, "weekday": local.weekday, "local_hour": local.of_day}


def _group(site: str, scope: str, name: str, hour: int, zone: ZoneInfo) -> dict[str, Any]:
    zeros = dict.fromkeys((*FIGURES, "known_ms"), 0)
    return {"site": site, "scope": scope, "name": name, "hour": to_time(hour), **_calendar(hour, zone), **zeros}


def _write_medians(
    connection: Connection, site: str, hours: Iterable[int], keys: Collection[UnitKey] | None = None
) -> None:
    """The exact median length of the ended sessions that began in each hour; of `keys`, or of all that have any."""
    row, unit_row, group_row = UsageSessionRow, UnitHourRow, GroupHourRow
    for hour in sorted(set(hours)):
        begin, end = to_time(hour), to_time(hour + HOUR_MS)
        query = select(row.equipment, row.unit, row.zone, row.started_at, row.ended_at).where(
            row.site == site, row.started_at >= begin, row.started_at < end, row.ended_at.is_not(None)
        )
        units: dict[UnitKey, list[int]] = {key: [] for key in keys or ()}
        groups: dict[tuple[str, str], list[int]] = {
            group: [] for key in units for group in _groups(site, key.equipment, key.zone)
        }
        is_limited = keys is not None
        for equipment, unit, zone, started, ended in connection.execute(query):
            length = to_ms(ended or started) - to_ms(started)
            key = UnitKey(equipment, unit or "", zone or "")
            if not is_limited or key in units:
                units.setdefault(key, []).append(length)
            for group in _groups(site, equipment, zone):
                if not is_limited or group in groups:
                    groups.setdefault(group, []).append(length)
        for key, lengths in sorted(units.items()):
            of_unit = [getattr(unit_row, name) == value for name, value in key._asdict().items()]
            connection.execute(
                update(unit_row)
                .where(unit_row.site == site, unit_row.hour == begin, *of_unit)
                .values(median_ms=int(median(lengths)) if lengths else None)
            )
        for (scope, name), lengths in sorted(groups.items()):
            of_group = (group_row.site == site, group_row.scope == scope, group_row.name == name)
            connection.execute(
                update(group_row)
                .where(*of_group, group_row.hour == begin)
                .values(median_ms=int(median(lengths)) if lengths else None)
            )


def _groups(site: str, equipment: str, zone: str | None) -> list[tuple[str, str]]:
    return [("equipment", equipment), ("site", site), *([("zone", zone)] if zone else [])]


def _names(site: str, key: UnitKey) -> list[tuple[str, str]]:
    """(scope, name) of all that a unit's sessions count for."""
    return [*_groups(site, key.equipment, key.zone), *([("unit", key.unit)] if key.unit else [])]


def _count_length(
    lengths: dict[tuple[str, str, date, int], int],
    site: str,
    key: UnitKey,
    begin: int,
    length: int,
    zone: ZoneInfo,
    times: int = 1,
) -> None:
    day, step = local_hour(hour_of(begin, zone), zone).day, step_of(length)
    for scope, name in _names(site, key):
        lengths[scope, name, day, step] += times


def _add_lengths(connection: Connection, site: str, lengths: Mapping[tuple[str, str, date, int], int]) -> None:
    rows = [
        {"site": site, "scope": scope, "name": name, "day": day, "step": step, "sessions": count}
        for (scope, name, day, step), count in sorted(lengths.items())
    ]
    _add(connection, SessionLengthRow, rows, ("site", "scope", "name", "day", "step"), ("sessions",))
