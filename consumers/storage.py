"""The usage worker's side of the database: one transaction holds all that follows from a batch of scenes.

Each row of `camera_positions` and `interpreter_states` is written only where it still is what the writer last saw
(compare and set), so that a worker that has lost its shard without knowing it can change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from consumers.facts import SessionFact
from consumers.interpreter import StoredState
from consumers.layout import Layout, layout_of_document, layout_of_settings
from consumers.order import StreamKey
from consumers.place import Waiting
from consumers.view import to_time, view_of
from spotter import events
from spotter.database.tables import (
    CameraPositionRow,
    InterpreterStateRow,
    LayoutRow,
    OutgoingEventRow,
    UsageSessionRow,
    WaitingSceneRow,
)
from spotter.events import Scene, usage_session_id
from spotter.settings import Rules, Settings

_KEYS_PER_STATEMENT = 1000
"""Keys in one DELETE: SQLite takes 32766 values a statement, PostgreSQL 65535."""


class FencedError(Exception):
    """Another worker has written since: this one no longer owns the shard, or a commit succeeded unheard."""


class StateChange(NamedTuple):
    """A place's state after a batch; `revision` is the one before, 0 for none."""

    site: str
    place: str
    revision: int
    payload: bytes


class WaitingScene(NamedTuple):
    """A scene that waits for those of other cameras, as a row."""

    site: str
    camera: str
    stream: str
    seq: int
    place: str
    payload: bytes


@dataclass(slots=True)
class Changes:
    """All that follows from a batch of scenes."""

    shard: int
    positions: dict[StreamKey, tuple[int | None, int]] = field(default_factory=dict)
    """stream -> (committed seq before, after)"""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """id -> row"""
    states: list[StateChange] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)
    """(site, place) whose state goes"""
    waiting: list[WaitingScene] = field(default_factory=list)
    released: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(site, camera, stream, seq) that wait no longer"""
    events: list[tuple[str, bytes]] = field(default_factory=list)
    """(topic, payload)"""


def session_row(site: str, fact: SessionFact) -> dict[str, Any]:
    """A fact as a row of `usage_sessions`."""
    return {
        "id": str(usage_session_id(site, fact.subject, to_time(fact.started))),
        "site": site,
        "equipment": fact.equipment,
        "unit": fact.unit,
        "zone": fact.zone,
        "cameras": list(fact.cameras),
        "started_at": to_time(fact.started),
        "ended_at": None if fact.ended is None else to_time(fact.ended),
        "active_seconds": fact.active / 1000,
        "confidence": fact.confidence,
        "ended_by": fact.ended_by,
        "layout_version": fact.layout_version,
    }


class Store:
    """Reads and writes what the usage workers own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert

    def positions(self) -> dict[StreamKey, tuple[int, datetime]]:
        """How far each stream is committed, and when that was."""
        row = CameraPositionRow
        with self._engine.connect() as connection:
            found = connection.execute(select(row.site, row.camera, row.stream, row.seq, row.updated_at))
            return {(site, camera, stream): (seq, at) for site, camera, stream, seq, at in found}

    def states(self, site: str) -> list[StoredState]:
        """What the rules remember of the places of a site."""
        row = InterpreterStateRow
        with self._engine.connect() as connection:
            query = select(row.place, row.revision, row.state).where(row.site == site).order_by(row.place)
            return [StoredState(*found) for found in connection.execute(query)]

    def waiting(self, site: str) -> list[Waiting]:
        """The scenes of a site that wait for those of other cameras, in the order of each stream."""
        row = WaitingSceneRow
        with self._engine.connect() as connection:
            query = select(row.payload).where(row.site == site).order_by(row.camera, row.stream, row.seq)
            payloads = [bytes(payload) for payload in connection.scalars(query)]
        waiting = [Waiting(view_of(events.parse(Scene, payload)), payload, stored=True) for payload in payloads]
        first: dict[tuple[str, str], int] = {}
        for entry in waiting:
            first.setdefault((entry.view.camera, entry.view.stream), entry.view.time)
        return sorted(waiting, key=lambda entry: (entry.view.camera, first[entry.view.camera, entry.view.stream]))

    def layout(self, site: str) -> Layout:
        """A site's newest layout; default rules without zones where there is none."""
        row = LayoutRow
        with self._engine.connect() as connection:
            query = select(row.version, row.document).where(row.site == site).order_by(row.version.desc()).limit(1)
            found = connection.execute(query).first()
        version, document = found if found else (0, {"cameras": {}, "rules": Rules().model_dump(mode="json")})
        return layout_of_document(site, version, document)

    def import_layout(self, settings: Settings) -> int:
        """Keep the zones and rules of the settings as a new version where they changed; gives the version."""
        document = layout_of_settings(settings).document()
        while True:
            newest = self.layout(settings.site)
            if newest.version and newest.document() == document:
                return newest.version
            try:
                with self._engine.begin() as connection:
                    values = {
                        "site": settings.site,
                        "version": newest.version + 1,
                        "document": document,
                        "created_at": datetime.now(timezone.utc),
                    }
                    connection.execute(insert(LayoutRow).values(values))
                return newest.version + 1
            except IntegrityError:
                continue  # another worker was quicker: look again

    def commit(self, changes: Changes) -> None:
        """Write all of `changes`, or nothing. Raises FencedError when another worker has written since."""
        try:
            with self._engine.begin() as connection:
                self._write_positions(connection, changes)
                self._write_states(connection, changes)
                self._write_sessions(connection, list(changes.sessions.values()))
                self._write_waiting(connection, changes)
                if changes.events:
                    rows = [
                        {"shard": changes.shard, "topic": topic, "payload": payload, "retained": False}
                        for topic, payload in changes.events
                    ]
                    connection.execute(insert(OutgoingEventRow), rows)
        except IntegrityError as error:
            raise FencedError("a row that this worker wanted to begin is there already") from error

    def outgoing(self, shard: int, of: int, after: int, limit: int) -> list[tuple[int, str, bytes, bool]]:
        """Events of shard `shard` of `of` to publish: (id, topic, payload, retained), oldest first.

        Those of a shard that is no more, since there were more of them once, go to the one that they fold into.
        """
        row = OutgoingEventRow
        query = (
            select(row.id, row.topic, row.payload, row.retained)
            .where(row.shard % of == shard, row.id > after)
            .order_by(row.id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(i, topic, bytes(payload), retained) for i, topic, payload, retained in connection.execute(query)]

    def forget_outgoing(self, ids: list[int]) -> None:
        """Let go of events that the broker has."""
        with self._engine.begin() as connection:
            connection.execute(delete(OutgoingEventRow).where(OutgoingEventRow.id.in_(ids)))

    def _write_positions(self, connection: Connection, changes: Changes) -> None:
        row = CameraPositionRow
        now = datetime.now(timezone.utc)
        fresh = []
        for (site, camera, stream), (before, after) in changes.positions.items():
            if before is None:
                fresh.append({"site": site, "camera": camera, "stream": stream, "seq": after, "updated_at": now})
                continue
            key = (row.site == site, row.camera == camera, row.stream == stream, row.seq == before)
            if connection.execute(update(row).where(*key).values(seq=after, updated_at=now)).rowcount != 1:
                raise FencedError(f"the position of {site}/{camera} is not {before} any more")
        if fresh:
            connection.execute(insert(row), fresh)

    def _write_states(self, connection: Connection, changes: Changes) -> None:
        row = InterpreterStateRow
        fresh = []
        for change in changes.states:
            if change.revision == 0:
                fresh.append({"site": change.site, "place": change.place, "revision": 1, "state": change.payload})
                continue
            key = (row.site == change.site, row.place == change.place, row.revision == change.revision)
            values = {"revision": change.revision + 1, "state": change.payload}
            if connection.execute(update(row).where(*key).values(values)).rowcount != 1:
                raise FencedError(f"the state of {change.site}/{change.place} is not {change.revision} any more")
        if fresh:
            connection.execute(insert(row), fresh)
        for site, place in changes.stale:
            connection.execute(delete(row).where(row.site == site, row.place == place))

    def _write_sessions(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        statement = self._insert(UsageSessionRow)
        changing = ("equipment", "zone", "cameras", "ended_at", "active_seconds", "confidence", "ended_by")
        new = {name: statement.excluded[name] for name in changing}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), rows)

    def _write_waiting(self, connection: Connection, changes: Changes) -> None:
        row = WaitingSceneRow
        if changes.waiting:
            connection.execute(insert(row), [scene._asdict() for scene in changes.waiting])
        for start in range(0, len(changes.released), _KEYS_PER_STATEMENT):
            keys = changes.released[start : start + _KEYS_PER_STATEMENT]
            connection.execute(delete(row).where(tuple_(row.site, row.camera, row.stream, row.seq).in_(keys)))
