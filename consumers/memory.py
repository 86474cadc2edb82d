"""Reads what a site's book must remember from the database."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from consumers.booking import SiteMemory
from consumers.figures import REMEMBERED_MS, Counted
from consumers.layout import Layout
from consumers.rules import maintenance
from consumers.rules.alerts import OpenAlert
from consumers.upkeep import UnitHours
from consumers.view import to_ms, to_time
from spotter.database import services
from spotter.database.figure_tables import CameraHourRow, UnitHourRow
from spotter.database.rollups import UnitKey
from spotter.database.tables import AlertRow, RetainedTopicRow, UsageSessionRow
from spotter.hours import hour_of


def read_memory(connection: Connection, layout: Layout) -> SiteMemory:
    """All that the book of a layout's site remembers."""
    memory = SiteMemory(in_service=services.under_way(connection, layout.site))
    _read_sessions(connection, layout.site, memory)
    _read_alerts(connection, layout.site, memory)
    _read_watched(connection, layout.site, memory)
    topic = RetainedTopicRow
    query = select(topic.topic, topic.payload).where(topic.site == layout.site)
    memory.retained = {name: bytes(payload) for name, payload in connection.execute(query)}
    for unit in layout.stations:
        if maintenance.service_after(layout, unit) is not None:
            memory.hours[unit] = hours_of_use(connection, layout, unit)
    return memory


def _read_sessions(connection: Connection, site: str, memory: SiteMemory) -> None:
    row = UsageSessionRow
    query = select(row.id, row.equipment, row.unit, row.zone, row.started_at, row.last_at).where(
        row.site == site, row.ended_at.is_(None)
    )
    for identity, equipment, unit, zone, started, last in connection.execute(query):
        key = UnitKey(equipment, unit or "", zone or "")
        memory.open_sessions[identity] = Counted(key, to_ms(started), to_ms(last or started))


def _read_alerts(connection: Connection, site: str, memory: SiteMemory) -> None:
    row = AlertRow
    query = select(row.id, row.kind, row.equipment, row.unit, row.zone, row.raised_at, row.layout_version).where(
        row.site == site, row.cleared_at.is_(None)
    )
    for identity, kind, equipment, unit, zone, raised, version in connection.execute(query):
        memory.open_alerts[identity] = (kind, equipment)
        if kind == "maintenance_due" and unit is not None:
            memory.due[f"{kind}/{unit}"] = OpenAlert(
                "maintenance_due",
                unit,
                to_ms(raised),
                zone=zone,
                unit=unit,
                equipment=equipment,
                layout_version=version,
            )


def _read_watched(connection: Connection, site: str, memory: SiteMemory) -> None:
    row = CameraHourRow
    latest = select(row.camera, func.max(row.hour)).where(row.site == site).group_by(row.camera)
    for camera, newest in connection.execute(latest).all():
        since = newest - timedelta(milliseconds=REMEMBERED_MS)
        query = select(row.hour, row.watched_ms).where(row.site == site, row.camera == camera, row.hour >= since)
        for hour, watched in connection.execute(query):
            memory.watched[camera, to_ms(hour)] = watched


def hours_of_use(connection: Connection, layout: Layout, unit: str) -> UnitHours:
    """A unit's use since its last service."""
    done = services.last_done(connection, layout.site, unit)
    serviced = None if done is None else to_ms(done)
    begin = 0 if serviced is None else hour_of(serviced, ZoneInfo(layout.timezone))
    row = UnitHourRow
    of_unit = (row.site == layout.site, row.unit == unit)
    use = func.coalesce(func.sum(row.in_use_ms), 0)
    first = connection.scalar(select(use).where(*of_unit, row.hour == to_time(begin)))
    after = connection.scalar(select(use).where(*of_unit, row.hour > to_time(begin)))
    return UnitHours(serviced, begin, int(first or 0), int(after or 0))
