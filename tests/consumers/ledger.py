"""A usage worker's work without its servers: scenes into a database, in batches of any size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, select

from consumers.booking import Book
from consumers.changes import Changes, LayoutChange, StateChange, WaitingScene
from consumers.interpreter import restore
from consumers.storage import Store
from consumers.view import view_of
from spotter.database.migrate import upgrade
from spotter.database.tables import Base
from spotter.events import Scene
from spotter.settings import Settings

NOT_OF_SCENES = {
    *("users", "layouts", "camera_positions", "interpreter_states", "waiting_scenes", "outgoing_events"),
    *("corrections", "session_reviews", "deliveries", "push_subscriptions"),
}
"""Tables that people write, or that depend on when a batch was committed."""


class Ledger:
    """Interprets scenes of one site. With `forgetful`, everything in memory is made anew before each batch."""

    def __init__(self, engine: Engine, settings: Settings, *, forgetful: bool = False) -> None:
        self.engine, self.store, self.site = engine, Store(engine), settings.site
        upgrade(engine)
        self.store.import_layout(settings)
        self._forgetful = forgetful
        self._begin()

    def _begin(self) -> None:
        store, site = self.store, self.site
        self.layout = store.layout(site)
        changes = Changes(0)
        is_new = self.layout.version > store.layout_in_force(site)
        states = store.states(site)
        restored = restore(self.layout, states, store.waiting(site), changed=is_new)
        self.interpreter = restored.interpreter
        self._revisions = {state.place: state.revision for state in states}
        if is_new:
            changes.layouts.append(LayoutChange(site, self.layout.version, []))
        changes.stale = [(site, place) for place in restored.stale]
        self.book = Book(self.interpreter, store.memory(self.layout))
        self.book.book(restored.facts, changes)
        self.book.begin(changes)
        self._commit(changes)

    def take(self, *batches: Iterable[Scene]) -> Ledger:
        """Interpret and commit each batch."""
        for batch in batches:
            if self._forgetful:
                self._begin()
            changes = Changes(0)
            for scene in batch:
                self.book.book(self.interpreter.feed(view_of(scene), scene.to_json()), changes)
            self._commit(changes)
        return self

    def _commit(self, changes: Changes) -> None:
        for name in sorted(self.interpreter.touched):
            place = self.interpreter.places[name]
            changes.states.append(StateChange(self.site, name, self._revisions.get(name, 0), place.dump()))
            self._revisions[name] = self._revisions.get(name, 0) + 1
            for queue in place.queues.values():
                for entry in queue:
                    if not entry.stored:
                        entry.stored, view = True, entry.view
                        waiting = WaitingScene(self.site, view.camera, view.stream, view.seq, name, entry.payload)
                        changes.waiting.append(waiting)
            changes.released += [(self.site, w.view.camera, w.view.stream, w.view.seq) for w in place.released]
            place.released = []
        self.interpreter.touched.clear()
        self.store.commit(changes)


def tables(engine: Engine) -> dict[str, list[tuple[str, ...]]]:
    """What the tables hold that follows from scenes alone."""
    found = {}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in NOT_OF_SCENES:
                found[table.name] = sorted(tuple(map(str, row)) for row in connection.execute(select(table)))
    return found


def rows(engine: Engine, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*(getattr(table, name) for name in columns)))]
