"""What people correct of sessions: another label, no session, two that were one, one that was two; and taking it back.

`usage_sessions` always holds what is right by now, so that pages, figures and programs need not know of corrections;
`corrections` holds the rows before and after each, by which it is taken back. Only sessions that have ended are
corrected: those that run are the usage worker's. Figures change in the same transaction.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, String, cast, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from spotter.database import rollups
from spotter.database.alerts import MOST_BY
from spotter.database.rollups import SessionSpan, UnitKey
from spotter.database.tables import CorrectionRow, ReviewRow, UsageSessionRow
from spotter.errors import SpotterError
from spotter.moments import to_ms

Kind = Literal["relabel", "discard", "merge", "split"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_NOTE = 500
MOST_CLIENT = 40
LEAST_PART = timedelta(seconds=1)
"""Of a session that is split."""

_COLUMNS = tuple(UsageSessionRow.__table__.columns.keys())
_TIMES = ("started_at", "ended_at", "last_at")

Stored = dict[str, Any]
"""A row of `usage_sessions` as `corrections` keeps it: times as text."""


class CorrectionError(SpotterError):
    """A correction that is not possible; `reason` names why, for whoever words it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Editor:
    """One person's corrections of a site, each within the caller's transaction.

    `zone` is the gym's: figures are by local hours. Every method but `review` gives the correction's number and
    raises CorrectionError: `missing`, `running`, `changed` (somebody corrected it meanwhile), `same`, `unit`,
    `apart`, `outside`, `undone`.
    """

    def __init__(self, connection: Connection, site: str, zone: ZoneInfo, by: str, now: datetime) -> None:
        self._connection, self._site, self._zone = connection, site, zone
        self.by, self.now = by[:MOST_BY], now

    def relabel(self, session: str, equipment: str, seen: str | None = None) -> int:
        """It was another kind of equipment. A station's sessions are of what stands there."""
        before = self._ended(session, seen)
        if before["unit"] is not None:
            raise CorrectionError("unit", f"{before['unit']} is what the layout says; change the layout instead")
        if before["equipment"] == equipment:
            raise CorrectionError("same", f"it is {equipment} already")
        return self._change("relabel", session, [before], [{**before, "equipment": equipment}])

    def discard(self, session: str, seen: str | None = None) -> int:
        """It was no use at all."""
        return self._change("discard", session, [self._ended(session, seen)], [])

    def merge(self, session: str, following: str, seen: str | None = None) -> int:
        """It and a later one of the same thing were one; the time between counts as used, but not as seen in use."""
        first, second = self._ended(session, seen), self._ended(following, None)
        same = all(first[name] == second[name] for name in ("equipment", "unit", "zone"))
        if not same or first["id"] == second["id"] or first["started_at"] > second["started_at"]:
            raise CorrectionError("apart", "only a session and a later one of the same equipment and place are merged")
        end = max(first["ended_at"], second["ended_at"])
        if datetime.fromisoformat(end) - datetime.fromisoformat(first["started_at"]) > rollups.LONGEST_SESSION:
            raise CorrectionError("apart", "a session can't be longer than a week")
        seconds = first["active_seconds"] + second["active_seconds"]
        sure = first["confidence"] * first["active_seconds"] + second["confidence"] * second["active_seconds"]
        merged = {
            **first,
            "cameras": sorted({*first["cameras"], *second["cameras"]}),
            "ended_at": end,
            "last_at": end,
            "ended_by": second["ended_by"],
            "active_seconds": seconds,
            "confidence": sure / seconds if seconds else max(first["confidence"], second["confidence"]),
        }
        return self._change("merge", session, [first, second], [merged])

    def split(self, session: str, at: datetime, seen: str | None = None) -> int:
        """It was two, the second from `at` on; the time seen in use is shared out by their lengths."""
        whole = self._ended(session, seen)
        begin, end = datetime.fromisoformat(whole["started_at"]), datetime.fromisoformat(whole["ended_at"])
        at = at.astimezone(timezone.utc)
        if not begin + LEAST_PART <= at <= end - LEAST_PART:
            raise CorrectionError("outside", "split it between its begin and its end")
        share = (at - begin) / (end - begin)
        first = {
            **whole,
            "ended_at": at.isoformat(),
            "last_at": at.isoformat(),
            "active_seconds": whole["active_seconds"] * share,
        }
        second = {
            **whole,
            "id": str(uuid.uuid4()),
            "started_at": at.isoformat(),
            "active_seconds": whole["active_seconds"] * (1 - share),
        }
        return self._change("split", session, [whole], [first, second])

    def undo(self, correction: int) -> int:
        """Take a correction back. Later ones of the same sessions must be taken back first."""
        self._begin_alone()
        row = CorrectionRow
        mine = (row.site == self._site, row.id == correction)
        found = self._connection.execute(select(row.before, row.after, row.undone_at).where(*mine)).first()
        if found is None:
            raise CorrectionError("missing", "there is no such correction")
        if found.undone_at is not None:
            raise CorrectionError("undone", "it was taken back already")
        current = [self._read(stored["id"]) for stored in found.after]
        gone = [stored["id"] for stored in found.before if stored["id"] not in {one["id"] for one in found.after}]
        if current != found.after or any(self._read(session) is not None for session in gone):
            raise CorrectionError("changed", "take the later corrections of these sessions back first")
        self._replace(found.after, found.before)
        values = {"undone_at": self.now, "undone_by": self.by}
        self._connection.execute(update(row).where(*mine).values(values))
        return correction

    def review(self, session: str, note: str, client: str) -> None:
        """Record that somebody looked at a session; replaces what was written before."""
        row = ReviewRow
        if self._read(session) is None:
            raise CorrectionError("missing", "there is no such session")
        self._connection.execute(delete(row).where(row.session == session))
        written = {"note": note[:MOST_NOTE], "client": client[:MOST_CLIENT]}
        values = {"session": session, "site": self._site, "at": self.now, "by": self.by, **written}
        self._connection.execute(insert(row).values(values))

    def _ended(self, session: str, seen: str | None) -> Stored:
        self._begin_alone()
        stored = self._read(session)
        if stored is None:
            raise CorrectionError("missing", "there is no such session; it may have been corrected meanwhile")
        if stored["ended_at"] is None:
            raise CorrectionError("running", "it still runs; correct it when it has ended")
        if seen is not None and seen != fingerprint(stored):
            raise CorrectionError("changed", "somebody corrected it meanwhile; look at it again")
        return stored

    def _begin_alone(self) -> None:
        """Of two people at once, the second reads what the first left."""
        rollups.begin_alone(self._connection, self._site)
        if self._connection.dialect.name == "sqlite":  # begins to write only with a statement that could
            self._connection.execute(delete(CorrectionRow).where(CorrectionRow.id < 0))

    def _read(self, session: str) -> Stored | None:
        row = UsageSessionRow
        query = select(*(getattr(row, name) for name in _COLUMNS)).where(row.site == self._site, row.id == session)
        found = self._connection.execute(query).first()
        return None if found is None else _stored(found)

    def _change(self, kind: Kind, session: str, before: Sequence[Stored], after: Sequence[Stored]) -> int:
        self._replace(before, after)
        values = {
            "site": self._site,
            "kind": kind,
            "session": session,
            "at": self.now,
            "by": self.by,
            "before": list(before),
            "after": list(after),
        }
        done = self._connection.execute(insert(CorrectionRow).values(values))
        assert done.inserted_primary_key is not None
        return int(done.inserted_primary_key[0])

    def _replace(self, old: Sequence[Stored], new: Sequence[Stored]) -> None:
        """Rows for rows, and the figures of both."""
        row = UsageSessionRow
        if old:  # SQLite looks for nobody among all sessions
            self._connection.execute(delete(row).where(row.site == self._site, row.id.in_([one["id"] for one in old])))
        if new:
            self._connection.execute(insert(row), [_row(stored) for stored in new])
        spans = [[_span(stored) for stored in some] for some in (old, new)]
        rollups.change(self._connection, self._site, self._zone, *spans)


def fingerprint(session: Stored | UsageSessionRow) -> str:
    """Changes whenever a session does: what a form names as the one it is about."""
    stored = session if isinstance(session, dict) else _stored(session)
    text = repr([stored[name] for name in _COLUMNS])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def history(connection: Connection, site: str, session: str | None = None, limit: int = 100) -> list[CorrectionRow]:
    """Corrections of a site, or those in which a session appears, newest first."""
    row = CorrectionRow
    query = select(row).where(row.site == site)
    if session is not None:
        inside = [cast(column, String).contains(session, autoescape=True) for column in (row.before, row.after)]
        query = query.where(or_(*inside))
    return list(Session(connection).scalars(query.order_by(row.id.desc()).limit(limit)))


def reviews(connection: Connection, sessions: Sequence[str]) -> dict[str, ReviewRow]:
    """What was written of sessions, by their ids."""
    found = Session(connection).scalars(select(ReviewRow).where(ReviewRow.session.in_(sessions)))
    return {one.session: one for one in found}


def _stored(row: Any) -> Stored:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return {**values, **{name: _text(values[name]) for name in _TIMES}}


def _span(stored: Stored) -> SessionSpan:
    key = UnitKey(stored["equipment"], stored["unit"] or "", stored["zone"] or "")
    begin, end = (to_ms(datetime.fromisoformat(stored[name])) for name in ("started_at", "ended_at"))
    return SessionSpan(key, begin, end, is_open=False)


def _row(stored: Stored) -> dict[str, Any]:
    return {**stored, **{name: _moment(stored[name]) for name in _TIMES}}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
