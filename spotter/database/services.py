"""Services of units, recorded by people.

While one is under way the unit's state is `maintenance`; once it is done, its hours of use count anew and its
`maintenance_due` is over.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from spotter.database.alerts import MOST_BY, clear_due
from spotter.database.tables import ServiceRow
from spotter.errors import SpotterError


class Service(NamedTuple):
    """A service as it was recorded."""

    unit: str
    began_at: datetime
    done_at: datetime | None
    by: str
    note: str


def under_way(connection: Connection, site: str) -> frozenset[str]:
    """The units that are being serviced."""
    row = ServiceRow
    return frozenset(connection.scalars(select(row.unit).where(row.site == site, row.done_at.is_(None))))


def last_done(connection: Connection, site: str, unit: str) -> datetime | None:
    """When a unit was last serviced; None: never."""
    row = ServiceRow
    query = select(row.done_at).where(row.site == site, row.unit == unit, row.done_at.is_not(None))
    return connection.scalar(query.order_by(row.done_at.desc()).limit(1))


def last_of_each(connection: Connection, site: str) -> dict[str, datetime]:
    """When each unit was last serviced; those that never were are left out."""
    row = ServiceRow
    query = select(row.unit, func.max(row.done_at)).where(row.site == site, row.done_at.is_not(None))
    found = connection.execute(query.group_by(row.unit))
    return {unit: done for unit, done in found if done is not None}


def history(connection: Connection, site: str, unit: str | None = None, limit: int = 100) -> list[Service]:
    """Services of a site or of one unit of it, newest first."""
    row = ServiceRow
    query = select(row.unit, row.began_at, row.done_at, row.by, row.note).where(row.site == site)
    if unit is not None:
        query = query.where(row.unit == unit)
    found = connection.execute(query.order_by(row.began_at.desc(), row.id.desc()).limit(limit))
    return [Service(*values) for values in found]


def stamp(connection: Connection, site: str) -> tuple[int, int]:
    """Changes whenever a service of the site is recorded or done."""
    row = ServiceRow
    found = connection.execute(select(func.count(row.id), func.count(row.done_at)).where(row.site == site)).one()
    return int(found[0]), int(found[1])


def start(connection: Connection, site: str, unit: str, by: str, now: datetime, note: str = "") -> None:
    """Record that a unit is being serviced from now on. Raises SpotterError where it is already."""
    if unit in under_way(connection, site):
        raise SpotterError(f"{unit} is being serviced already; say `spotter maintenance done {unit}` when it is")
    values = {"site": site, "unit": unit, "began_at": now, "done_at": None, "by": by[:MOST_BY], "note": note}
    connection.execute(insert(ServiceRow).values(values))


def done(connection: Connection, site: str, unit: str, by: str, now: datetime, shards: int, note: str = "") -> None:
    """Record that a unit was serviced: ends a service that is under way, else records one of this moment.

    `shards` is the settings' number of them.
    """
    row = ServiceRow
    values = {"done_at": now, "by": by[:MOST_BY], **({"note": note} if note else {})}
    running = (row.site == site, row.unit == unit, row.done_at.is_(None))
    if not connection.execute(update(row).where(*running).values(values)).rowcount:
        fresh = {"site": site, "unit": unit, "began_at": now, "done_at": now, "by": by[:MOST_BY], "note": note}
        connection.execute(insert(row).values(fresh))
    clear_due(connection, site, unit, f"{unit} was serviced", now, shards)
