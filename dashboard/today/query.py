"""What the page of today is made from: stored figures of some days, open alerts, and a few sessions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from dashboard.equipment import query
from dashboard.equipment.figures import HOUR_MS, HOURS, Figures
from dashboard.equipment.period import last_days
from dashboard.floor import Floor
from dashboard.times import day_start, local_day
from dashboard.today.usual import WEEKS, Day, Usual, usual
from dashboard.today.worth import Open, Thing, TypeHour, UnitWeek, all_taken_ms, could_be_taken, things
from spotter.database.figure_tables import CameraHourRow, GroupHourRow, UnitDayRow
from spotter.database.tables import AlertRow, ServiceRow, UsageSessionRow
from spotter.moments import to_ms

LOOKED_INTO = 8
"""Hours of types at most of which the sessions are read: those in which most can have been taken."""
HOURS_OF_A_TYPE = 2
GONE_AFTER = timedelta(days=7)
"""A camera that covered nothing for so long has been taken down, or has another name by now."""
LONGEST_USE = timedelta(hours=6)
"""How long before an hour its sessions may have begun to count as taking a piece."""


class Today(NamedTuple):
    """Today, what is usual, and what is worth knowing."""

    day: Day
    usual: Usual | None
    over: int
    """How many hours of the day are over: what is compared."""
    things: list[Thing]
    seen_days: int
    """How many of the same weekday have figures."""


def read(session: Session, site: str, zone: ZoneInfo, floor: Floor, now: datetime) -> Today:
    """All that the page shows of figures."""
    today = local_day(now, zone)
    over = now.astimezone(zone).hour
    before = [today - timedelta(weeks=number) for number in range(1, WEEKS + 1)]
    days = _days(session, site, zone, [today, *before], now)
    known = usual([days[day] for day in before if day in days], over)
    yesterday = day_start(today - timedelta(days=1), zone)
    hours = _with_taken(session, site, _type_hours(session, site, yesterday, now))
    found = things(
        hours, _open(session, site, floor), _unit_week(session, site, zone, now), days[today], known, over, now
    )
    return Today(days[today], known, over, found, len(days) - 1)


def _days(session: Session, site: str, zone: ZoneInfo, wanted: list[date], now: datetime) -> dict[date, Day]:
    """Those of some days that have figures, and the first, which is today."""
    group, camera = GroupHourRow, CameraHourRow
    begin = day_start(min(wanted), zone)
    wanted_hours = select(group.day, group.local_hour, group.in_use_ms, group.sessions, group.queue_ms).where(
        group.site == site, group.scope == "site", group.name == site, group.hour >= begin, group.day.in_(wanted)
    )
    hours: dict[date, list[Figures]] = defaultdict(lambda: [Figures()] * HOURS)
    for day, hour, in_use_ms, sessions, queue_ms in session.execute(wanted_hours):
        hours[day][hour] = hours[day][hour] + Figures(in_use_ms, sessions, queue_ms=queue_ms)
    cameras = query.distinct(session, camera.camera, camera.site == site)
    known = [_first_and_last(session, site, name) for name in cameras]
    watched = dict(
        session.execute(
            select(camera.day, func.sum(camera.watched_ms))
            .where(camera.site == site, camera.camera.in_(cameras), camera.hour >= begin, camera.day.in_(wanted))
            .group_by(camera.day)
        ).all()
    )
    found = {}
    for day in {*hours, wanted[0]}:
        end = min(day_start(day + timedelta(days=1), zone), now)
        there = sum(first <= day <= last + GONE_AFTER for first, last in known)
        possible = there * (to_ms(end) - to_ms(day_start(day, zone)))
        coverage = min(1.0, int(watched.get(day) or 0) / possible) if possible > 0 else 0.0
        found[day] = Day(hours[day], coverage)
    return found


def _first_and_last(session: Session, site: str, name: str) -> tuple[date, date]:
    """The days between which a camera has figures."""
    row = CameraHourRow
    days = select(row.day).where(row.site == site, row.camera == name).limit(1)
    first, last = (session.scalars(days.order_by(order)).one() for order in (row.hour, row.hour.desc()))
    return first, last


def _type_hours(session: Session, site: str, begin: datetime, now: datetime) -> list[TypeHour]:
    row = GroupHourRow
    names = query.types(session, site)
    columns = (row.in_use_ms, row.sessions, row.watched_ms, row.known_ms, row.queue_ms, row.pieces)
    wanted = select(row.name, row.hour, row.day, row.local_hour, *columns).where(
        row.site == site, row.scope == "equipment", row.name.in_(names), row.hour >= begin, row.hour < now
    )
    return [
        TypeHour(name, begin, day, hour, Figures(*map(int, (*sums, HOUR_MS))))
        for name, begin, day, hour, *sums in session.execute(wanted)
    ]


def _with_taken(session: Session, site: str, hours: list[TypeHour]) -> list[TypeHour]:
    """The hours, those in which most can have been taken with for how long that was so."""
    looked: set[int] = set()
    of_type: dict[str, int] = defaultdict(int)
    for one in sorted(hours, key=could_be_taken, reverse=True):
        if len(looked) < LOOKED_INTO and of_type[one.equipment] < HOURS_OF_A_TYPE and could_be_taken(one) > 0:
            of_type[one.equipment] += 1
            looked.add(id(one))
    return [replace(one, taken_ms=_taken(session, site, one)) if id(one) in looked else one for one in hours]


def _taken(session: Session, site: str, hour: TypeHour) -> int:
    row, begin, end = UsageSessionRow, hour.begin, hour.begin + timedelta(hours=1)
    wanted = select(row.started_at, row.ended_at, row.last_at).where(
        row.site == site,
        row.equipment == hour.equipment,
        row.started_at > begin - LONGEST_USE,
        row.started_at < end,
        or_(row.ended_at.is_(None), row.ended_at > begin),
    )
    spans = [(to_ms(started), to_ms(ended or last or started)) for started, ended, last in session.execute(wanted)]
    return all_taken_ms(spans, hour.figures.pieces, to_ms(begin), to_ms(end))


def _open(session: Session, site: str, floor: Floor) -> list[Open]:
    row, service = AlertRow, ServiceRow
    alerts = select(row.kind, row.id, row.equipment, row.unit, row.raised_at).where(
        row.site == site, row.cleared_at.is_(None), row.kind.in_(("missing", "maintenance_due"))
    )
    services = select(service.unit, service.began_at).where(service.site == site, service.done_at.is_(None))
    return [
        *(Open(*found) for found in session.execute(alerts)),
        *(Open("in_service", None, floor.equipment_of(unit), unit, began) for unit, began in session.execute(services)),
    ]


def _unit_week(session: Session, site: str, zone: ZoneInfo, now: datetime) -> list[UnitWeek]:
    row, week = UnitDayRow, last_days(7, zone, now)
    wanted = (
        select(row.equipment, row.unit, func.sum(row.sessions), func.sum(row.watched_ms), func.max(row.pieces))
        .where(row.site == site, row.day >= week.first, row.day <= week.last, row.unit != "")
        .group_by(row.equipment, row.unit)
    )
    return [
        UnitWeek(equipment, unit, Figures(0, int(sessions), int(watched), 0, 0, int(pieces), week.ms))
        for equipment, unit, sessions, watched, pieces in session.execute(wanted)
    ]
