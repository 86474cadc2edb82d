"""What people do about alerts: look at them, and acknowledge them. Raising and clearing is the usage worker's."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from spotter.database.outgoing import put_alert
from spotter.database.tables import AlertRow
from spotter.errors import SpotterError
from spotter.events import Alert

MOST_BY = 64
"""Letters of a person's name."""


def recent(session: Session, site: str, limit: int, *, open_only: bool = False) -> list[AlertRow]:
    """The alerts of a site, newest first."""
    query = select(AlertRow).where(AlertRow.site == site)
    if open_only:
        query = query.where(AlertRow.cleared_at.is_(None))
    return list(session.scalars(query.order_by(AlertRow.raised_at.desc(), AlertRow.id).limit(limit)))


def acknowledge(connection: Connection, site: str, alert: str, by: str, now: datetime, shards: int) -> bool:
    """Record that a person saw to an alert, and have it published; False where somebody did already.

    `shards` is the settings' number of them. Raises SpotterError for an alert that the site does not have.
    """
    row = AlertRow
    mine = (row.site == site, row.id == alert)
    values: dict[str, Any] = {"acknowledged_at": now, "acknowledged_by": by[:MOST_BY]}
    done = connection.execute(update(row).where(*mine, row.acknowledged_at.is_(None)).values(values)).rowcount == 1
    found = connection.execute(
        select(row.kind, row.camera, row.zone, row.unit, row.equipment, row.detail).where(*mine)
    ).first()
    if found is None:
        raise SpotterError(f"site {site} has no alert {alert}; see `spotter alert list`")
    if done:
        put_alert(connection, shards, _event(site, alert, found, "acknowledged", now, found.detail, by))
    return done


def clear_due(connection: Connection, site: str, unit: str, detail: str, now: datetime, shards: int) -> None:
    """Clear a unit's `maintenance_due`, if it is open: it was serviced."""
    row = AlertRow
    query = select(row.id, row.kind, row.camera, row.zone, row.unit, row.equipment).where(
        row.site == site, row.kind == "maintenance_due", row.unit == unit, row.cleared_at.is_(None)
    )
    for found in connection.execute(query).all():
        values = {"cleared_at": now, "cleared_detail": detail}
        if connection.execute(update(row).where(row.id == found.id, row.cleared_at.is_(None)).values(values)).rowcount:
            put_alert(connection, shards, _event(site, found.id, found, "cleared", now, detail, None))


def _event(site: str, alert: str, found: Any, kind: Any, now: datetime, detail: str, by: str | None) -> Alert:
    return Alert(
        type=kind,
        alert=UUID(alert),
        kind=found.kind,
        site=site,
        camera=found.camera,
        zone=found.zone,
        unit=found.unit,
        equipment=found.equipment,
        time=now,
        detail=detail,
        by=by,
    )
