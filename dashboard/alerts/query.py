"""Which alerts, page by page: filters as people type them, and cursors that do not shift."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, NamedTuple, cast, get_args
from zoneinfo import ZoneInfo

from flask_babel import gettext
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from dashboard.times import parse_local
from spotter.database.tables import AlertRow, DeliveryRow

State = Literal["open", "over", "all"]
STATES: tuple[State, ...] = get_args(State)

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts of a site."""

    site: str
    state: State = "open"
    kind: str | None = None
    equipment: str | None = None
    camera: str | None = None
    begin: datetime | None = None
    end: datetime | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out any alert of its state."""
        return any((self.kind, self.equipment, self.camera, self.begin, self.end))


class AlertPage(NamedTuple):
    """Alerts, newest first."""

    rows: tuple[AlertRow, ...]
    older: str | None
    """Cursor of the next page; None on the last one."""


def read_filter(arguments: Mapping[str, str], site: str, zone: ZoneInfo) -> tuple[AlertFilter, list[str]]:
    """The filter of a query string, and what is wrong with it in words."""
    problems: list[str] = []
    state = arguments.get("state") or "open"
    if state not in STATES:
        problems.append(gettext("“state” is open, over or all."))
        state = "open"
    moments: dict[str, datetime | None] = {}
    for name in ("from", "to"):
        text = arguments.get(name, "").strip()
        moments[name] = parse_local(text, zone, end=name == "to") if text else None
        if text and moments[name] is None:
            problems.append(
                gettext("“%(name)s” is not a day or time, such as 2026-11-22 or 2026-11-22T18:00.", name=name)
            )
    begin, end = moments["from"], moments["to"]
    if begin and end and begin >= end:
        problems.append(gettext("“from” is not before “to”."))
    kind, equipment, camera = (arguments.get(name, "").strip() or None for name in ("kind", "equipment", "camera"))
    return AlertFilter(site, cast(State, state), kind, equipment, camera, begin, end), problems


def page(session: Session, wanted: AlertFilter, cursor: str | None, rows: int = PAGE_ROWS) -> AlertPage:
    """The page after `cursor` (None or a damaged one: the newest page)."""
    query, row = _statement(wanted), AlertRow
    after = _read_cursor(cursor) if cursor else None
    if after is not None:
        at, identity = after
        query = query.where(row.raised_at <= at, or_(row.raised_at < at, and_(row.raised_at == at, row.id < identity)))
    found = tuple(session.scalars(query.limit(rows + 1)))
    return AlertPage(found[:rows], _cursor(found[rows - 1]) if len(found) > rows else None)


def told(session: Session, alerts: Sequence[str]) -> dict[str, list[DeliveryRow]]:
    """Who was told of the beginning of which alert, or is yet to be, by the alert's id."""
    row, found = DeliveryRow, dict[str, list[DeliveryRow]]()
    query = select(row).where(row.alert.in_(alerts), row.event == "raised", row.state != "skipped")
    for one in session.scalars(query.order_by(row.channel)):
        found.setdefault(one.alert, []).append(one)
    return found


def _statement(wanted: AlertFilter) -> Select[AlertRow]:
    row = AlertRow
    query = select(row).where(row.site == wanted.site)
    if wanted.state == "open":
        query = query.where(row.cleared_at.is_(None))
    elif wanted.state == "over":
        query = query.where(row.cleared_at.is_not(None))
    for column, value in ((row.kind, wanted.kind), (row.equipment, wanted.equipment), (row.camera, wanted.camera)):
        if value is not None:
            query = query.where(column == value)
    if wanted.begin is not None:
        query = query.where(row.raised_at >= wanted.begin)
    if wanted.end is not None:
        query = query.where(row.raised_at < wanted.end)
    return query.order_by(row.raised_at.desc(), row.id.desc())


def is_cursor(text: str) -> bool:
    """Whether `text` is a cursor that `page` gave."""
    return _read_cursor(text) is not None


def _cursor(row: AlertRow) -> str:
    return base64.urlsafe_b64encode(f"{row.raised_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str] | None:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, identity = text.partition(" ")
        at = datetime.fromisoformat(moment)
        return (at.astimezone(timezone.utc), identity) if identity and "\0" not in text else None
    except (ValueError, binascii.Error, UnicodeError, OverflowError):
        return None
