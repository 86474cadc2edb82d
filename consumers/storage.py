"""The usage worker's side of the database: one transaction holds all that follows from a batch of scenes.

Each row of `camera_positions` and `interpreter_states` is written only where it still is what the writer last saw
(compare and set), so that a worker that has lost its shard without knowing it can change nothing.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from consumers.booking import SiteMemory
from consumers.changes import Changes
from consumers.interpreter import StoredState
from consumers.layout import Layout, layout_of_document, layout_of_settings
from consumers.memory import read_memory
from consumers.order import StreamKey
from consumers.place import Waiting
from consumers.view import view_of
from spotter import events
from spotter.database import layouts, rollups, services
from spotter.database.tables import (
    AlertRow,
    CameraPositionRow,
    InterpreterStateRow,
    LayoutRow,
    OutgoingEventRow,
    RackChangeRow,
    RetainedTopicRow,
    UsageSessionRow,
    WaitingSceneRow,
)
from spotter.events import Scene
from spotter.settings import Rules, Settings

_KEYS_PER_STATEMENT = 1000
"""Keys in one DELETE: SQLite takes 32766 values a statement, PostgreSQL 65535."""


class FencedError(Exception):
    """Another worker has written since: this one no longer owns the shard, or a commit succeeded unheard."""


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

    def layout(self, site: str, version: int | None = None) -> Layout:
        """A site's layout in a version, or the newest; default rules without zones where there is none."""
        row = LayoutRow
        query = select(row.version, row.document).where(row.site == site)
        if version is not None:
            query = query.where(row.version == version)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(row.version.desc()).limit(1)).first()
        if found is None:
            return layout_of_document(site, 0, {"cameras": {}, "rules": Rules().model_dump(mode="json")})
        return layout_of_document(site, *found)

    def layout_in_force(self, site: str) -> int:
        """The version of a site's layout that scenes are interpreted by; 0 for none yet."""
        with self._engine.connect() as connection:
            return layouts.in_force(connection, site)

    def newest_layouts(self) -> dict[str, int]:
        """Every site's newest version."""
        with self._engine.connect() as connection:
            return layouts.newest_versions(connection)

    def import_layout(self, settings: Settings) -> int:
        """Keep the zones and rules of the settings as a new version where they changed; gives the newest version."""
        return layouts.add_from_settings(self._engine, settings.site, layout_of_settings(settings).document())

    def memory(self, layout: Layout) -> SiteMemory:
        """What the book of a layout's site remembers."""
        with self._engine.connect() as connection:
            return read_memory(connection, layout)

    def services_stamp(self, site: str) -> tuple[int, int]:
        """Changes whenever a service of the site is recorded or done."""
        with self._engine.connect() as connection:
            return services.stamp(connection, site)

    def retained(self) -> list[tuple[str, str, bytes]]:
        """What the broker is to retain: (site, topic, payload)."""
        row = RetainedTopicRow
        with self._engine.connect() as connection:
            query = select(row.site, row.topic, row.payload).order_by(row.site, row.topic)
            return [(site, topic, bytes(payload)) for site, topic, payload in connection.execute(query)]

    def commit(self, changes: Changes) -> None:
        """Write all of `changes`, or nothing. Raises FencedError when another worker has written since."""
        try:
            with self._engine.begin() as connection:
                self._write_positions(connection, changes)
                self._write_states(connection, changes)
                self._write_layouts(connection, changes)
                self._write_sessions(connection, list(changes.sessions.values()))
                self._write_alerts(connection, list(changes.alerts.values()))
                self._write_racks(connection, list(changes.racks.values()))
                self._write_waiting(connection, changes)
                for site, figures in sorted(changes.figures.items()):
                    rollups.add(connection, site, figures)
                self._write_events(connection, changes)
        except IntegrityError as error:
            raise FencedError("a row that this worker wanted to begin is there already") from error

    def outgoing(self, shard: int, of: int, limit: int) -> list[tuple[int, str, bytes, bool]]:
        """Events of shard `shard` of `of` to publish: (id, topic, payload, retained), oldest first.

        Those of a shard that is no more, since there were more of them once, go to the one that they fold into.
        """
        row = OutgoingEventRow
        query = (
            select(row.id, row.topic, row.payload, row.retained)
            .where(row.shard % of == shard)
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
        changing = ("equipment", "zone", "cameras", "ended_at", "active_seconds", "confidence", "ended_by", "last_at")
        new = {name: statement.excluded[name] for name in changing}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), rows)

    def _write_layouts(self, connection: Connection, changes: Changes) -> None:
        row = LayoutRow
        for change in changes.layouts:
            values = {"applied_at": datetime.now(timezone.utc), "positions": change.positions}
            version = (row.site == change.site, row.version == change.version, row.applied_at.is_(None))
            if connection.execute(update(row).where(*version).values(values)).rowcount != 1:
                raise FencedError(f"layout {change.version} of {change.site} was taken into use by another worker")

    def _write_alerts(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        statement = self._insert(AlertRow)
        new = {name: statement.excluded[name] for name in ("cleared_at", "cleared_detail")}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), rows)

    def _write_racks(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        statement = self._insert(RackChangeRow)
        key = ["site", "zone", "label", "at"]
        new = {name: statement.excluded[name] for name in ("expected", "seen", "missing")}
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=new), rows)

    def _write_events(self, connection: Connection, changes: Changes) -> None:
        """Events, and after them what is to be retained: of each topic only the newest."""
        row = RetainedTopicRow
        outgoing = [(topic, payload, False) for topic, payload in changes.events]
        kept = []
        for (site, topic), payload in changes.retained.items():
            outgoing.append((topic, payload or b"", True))
            if payload is None:
                connection.execute(delete(row).where(row.site == site, row.topic == topic))
            else:
                kept.append({"site": site, "topic": topic, "payload": payload})
        if kept:
            statement = self._insert(row)
            new = {"payload": statement.excluded.payload}
            connection.execute(statement.on_conflict_do_update(index_elements=["site", "topic"], set_=new), kept)
        if outgoing:
            rows = [
                {"shard": changes.shard, "topic": topic, "payload": payload, "retained": retained}
                for topic, payload, retained in outgoing
            ]
            connection.execute(insert(OutgoingEventRow), rows)

    def _write_waiting(self, connection: Connection, changes: Changes) -> None:
        row = WaitingSceneRow
        if changes.waiting:
            connection.execute(insert(row), [scene._asdict() for scene in changes.waiting])
        for start in range(0, len(changes.released), _KEYS_PER_STATEMENT):
            keys = changes.released[start : start + _KEYS_PER_STATEMENT]
            connection.execute(delete(row).where(tuple_(row.site, row.camera, row.stream, row.seq).in_(keys)))
