"""Finding usage sessions: one filter for the page, the CSV file and the API, newest first, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Select,
    String,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from dashboard.times import parse_local
from spotter.database.figure_tables import SessionLengthRow
from spotter.database.lengths import BOUNDS_MS
from spotter.database.tables import ReviewRow, UsageSessionRow

LONGEST_SESSION = timedelta(days=7)
"""How far before a period its sessions may have started: what keeps every query a walk over one stretch of an index."""

PAGE_ROWS = 50
_BATCH_ROWS = 1000
_JULIAN_1970, _DAY_MS = 2_440_587.5, 86_400_000


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions of a site are asked for. A session belongs to a period when any moment of it does."""

    site: str
    begin: datetime | None = None
    end: datetime | None = None
    equipment: str | None = None
    camera: str | None = None
    unit: str | None = None
    reviewed: bool | None = None
    """Only those that somebody looked at, or (False) nobody; None: all."""

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the site is asked for."""
        narrow = (self.begin, self.end, self.equipment, self.camera, self.unit)
        return any(narrow) or self.reviewed is not None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of sessions, and the cursor of the next, older one."""

    rows: tuple[UsageSessionRow, ...]
    older: str | None


def read_filter(arguments: Mapping[str, str], site: str, zone: ZoneInfo) -> tuple[SessionFilter, list[str]]:
    """The filter of a query string, and what in it was not understood, each in a sentence."""
    problems = []
    moments: dict[str, datetime | None] = {}
    for name, is_end in (("from", False), ("to", True)):
        text = arguments.get(name, "").strip()
        moments[name] = parse_local(text, zone, end=is_end) if text else None
        if text and moments[name] is None:
            problems.append(
                gettext("“%(name)s” is not a day or time, such as 2026-11-22 or 2026-11-22T18:00.", name=name)
            )
    begin, end = moments["from"], moments["to"]
    if begin and end and begin >= end:
        problems.append(gettext("“from” is not before “to”."))
    equipment, camera, unit, reviewed = (
        arguments.get(name, "").strip() or None for name in ("equipment", "camera", "unit", "reviewed")
    )
    if reviewed not in (None, "yes", "no"):
        problems.append(gettext("“reviewed” is yes or no."))
        reviewed = None
    return SessionFilter(site, begin, end, equipment, camera, unit, reviewed and reviewed == "yes"), problems


def statement(wanted: SessionFilter) -> Select[UsageSessionRow]:
    """The query of a filter, newest first."""
    row = UsageSessionRow
    query = select(row).where(row.site == wanted.site)
    if wanted.equipment:
        query = query.where(row.equipment == wanted.equipment)
    if wanted.unit:
        query = query.where(row.unit == wanted.unit)
    if wanted.reviewed is not None:
        looked_at = exists().where(ReviewRow.session == row.id)
        query = query.where(looked_at if wanted.reviewed else ~looked_at)
    if wanted.end:
        query = query.where(row.started_at < wanted.end)
    if wanted.begin:
        query = query.where(
            row.started_at > wanted.begin - LONGEST_SESSION, or_(row.ended_at.is_(None), row.ended_at > wanted.begin)
        )
    if wanted.camera:
        # `cameras` is a JSON list; a name has no character that JSON would escape.
        query = query.where(cast(row.cameras, String).contains(f'"{wanted.camera}"', autoescape=True))
    return query.order_by(row.started_at.desc(), row.id.desc())


def page(session: Session, wanted: SessionFilter, cursor: str | None, rows: int = PAGE_ROWS) -> Page:
    """The page after `cursor` (None or a damaged one: the newest page)."""
    query = statement(wanted)
    after = _read_cursor(cursor) if cursor else None
    if after is not None:
        started_at, session_id = after
        row = UsageSessionRow
        query = query.where(
            row.started_at <= started_at,
            or_(row.started_at < started_at, and_(row.started_at == started_at, row.id < session_id)),
        )
    found = tuple(session.scalars(query.limit(rows + 1)))
    return Page(found[:rows], _cursor(found[rows - 1]) if len(found) > rows else None)


def every(connection: Connection, wanted: SessionFilter) -> Iterator[Sequence[Any]]:
    """What a file tells of all sessions of a filter, however many, in batches.

    Each row: id, equipment, unit, zone, cameras as JSON, start, end, active seconds, confidence, why it ended. Times
    are milliseconds since 1970: objects, and times as such, would cost several times as much. What began in the same
    instant stands in no order, which would be sorted for.
    """
    row = UsageSessionRow

    def moment(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
        if connection.dialect.name == "sqlite":
            day: ColumnElement[float] = func.julianday(column, type_=Double())
            return cast(func.round((day - _JULIAN_1970) * _DAY_MS), BigInteger)
        return cast(func.date_part("epoch", column, type_=Double()) * 1000, BigInteger)

    def rows(part: Select[UsageSessionRow], **options: int) -> Iterator[Sequence[Any]]:
        columns = part.with_only_columns(
            row.id,
            row.equipment,
            row.unit,
            row.zone,
            cast(row.cameras, String),
            moment(row.started_at),
            moment(row.ended_at),
            row.active_seconds,
            row.confidence,
            row.ended_by,
        )
        newest_first = columns.order_by(None).order_by(row.started_at.desc())
        return connection.execute(newest_first.execution_options(**options)).partitions(_BATCH_ROWS)

    if not wanted.begin:
        yield from rows(statement(wanted), yield_per=_BATCH_ROWS)
        return
    # What began within the period is one stretch of an index, of which nothing is left out. What reaches into it is
    # little, and no longer before it than the longest session there is.
    begun = statement(replace(wanted, begin=None))
    yield from rows(begun.where(row.started_at >= wanted.begin), yield_per=_BATCH_ROWS)
    before = begun.where(row.started_at < wanted.begin)
    earliest = wanted.begin - _longest(connection, wanted.site)
    reaching = rows(before.where(row.ended_at > wanted.begin, row.started_at >= earliest))
    still_open = rows(before.where(row.ended_at.is_(None)))
    both = [one for part in (reaching, still_open) for batch in part for one in batch]
    yield sorted(both, key=lambda one: (one[5], one[0]), reverse=True)


def _longest(connection: Connection, site: str) -> timedelta:
    """No ended session of a site is longer, by the steps that their lengths are counted in."""
    row = SessionLengthRow
    of_site = (row.site == site, row.scope == "site", row.name == site)
    step = connection.scalar(select(func.max(row.step)).where(*of_site))
    if step is None or step >= len(BOUNDS_MS):
        return LONGEST_SESSION
    return min(LONGEST_SESSION, timedelta(milliseconds=BOUNDS_MS[step]))


def known_equipment(session: Session, site: str, most: int = 200) -> list[str]:
    """Every kind of equipment that has sessions, found by jumps along the index, however many rows there are."""
    row = UsageSessionRow
    known: list[str] = []
    while len(known) < most:
        query = select(func.min(row.equipment)).where(row.site == site)
        following = session.scalar(query.where(row.equipment > known[-1]) if known else query)
        if following is None:
            break
        known.append(following)
    return known


def is_cursor(text: str) -> bool:
    """Whether `text` is a cursor that `page` gave."""
    return _read_cursor(text) is not None


def _cursor(row: UsageSessionRow) -> str:
    return base64.urlsafe_b64encode(f"{row.started_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str] | None:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, session_id = text.partition(" ")
        return datetime.fromisoformat(moment).astimezone(timezone.utc), session_id
    except (ValueError, binascii.Error, UnicodeError, OverflowError):
        return None
