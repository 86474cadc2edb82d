"""One shard's scenes: read from Redis, put in order, interpreted, committed to the database, only then let go.

Everything in memory can be made again from the database and Redis: after any doubt it is thrown away and reloaded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
import structlog
from pydantic import ValidationError

from consumers import dead, thinking
from consumers.booking import Book
from consumers.changes import Changes, LayoutChange, StateChange, WaitingScene
from consumers.interpreter import Interpreter, restore
from consumers.order import StreamKey, StreamOrder
from consumers.outgoing import Publisher
from consumers.refusals import Refusal
from consumers.storage import Store
from consumers.view import View, view_of
from spotter import events, redis_keys, topics
from spotter.errors import ContractError
from spotter.events import Scene

log = structlog.get_logger()

CONSUMER = "owner"
"""The one consumer of a shard's group: whoever owns the shard finds here what the owner before it left undone."""

BATCH = 500
HELD_LIMIT = 20_000
"""Scenes that a shard holds because ones before them are missing. More are let go: the outboxes send them again.

They stay in Redis, too: it must be far less than what ingest lets wait there, or those before them never get in.
"""

ScenePosition = tuple[str, str, str, int]
"""(site, camera, stream, seq)"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the scene stream; `view` is None where the scene was refused."""

    id: bytes
    site: str
    view: View | None
    payload: bytes


class PoisonedError(Exception):
    """A scene on which the rules failed; the batch is to be done again without it."""


class Shard:
    """A shard that this process owns. `commit` is how changes reach the database, with all patience needed."""

    def __init__(
        self,
        number: int,
        shards: int,
        client: redis.Redis,
        store: Store,
        publisher: Publisher,
        commit: Callable[[Changes], None],
    ) -> None:
        self.number = number
        self.stream = redis_keys.scenes(number)
        self.counts: Counter[str] = Counter()
        self._shards = shards
        self._redis: Any = client
        self._store = store
        self._publisher = publisher
        self._commit = commit
        self._poisoned: set[ScenePosition] = set()
        self._positions: dict[StreamKey, int] = {}
        self._orders: dict[StreamKey, StreamOrder[Entry]] = {}
        self._interpreters: dict[str, Interpreter] = {}
        self._books: dict[str, Book] = {}
        self._services: dict[str, tuple[int, int]] = {}
        self._revisions: dict[tuple[str, str], int] = {}
        self._handled: list[bytes] = []

    def load(self) -> None:
        """Begin anew from the database, and take up what Redis still has as read but not done.

        Raises DBAPIError or RedisError when one of the two is away.
        """
        self._orders, self._interpreters, self._revisions, self._handled = {}, {}, {}, []
        self._books, self._services = {}, {}
        known = {
            key: found
            for key, found in self._store.positions().items()
            if redis_keys.shard_of(key[0], self._shards) == self.number
        }
        self._positions = {key: seq for key, (seq, _) in known.items()}
        for (site, camera, stream), (seq, _) in sorted(known.items(), key=lambda pair: pair[1][1]):
            self._publisher.committed(site, camera, stream, seq)  # the newest of a camera's streams comes last
        self._publisher.adopt(self.number)
        self.create_group()
        after: bytes = b"0"
        while True:
            found: Any = self._redis.xreadgroup(redis_keys.USAGE_GROUP, CONSUMER, {self.stream: after}, count=BATCH)
            entries = found[0][1] if found else []
            if not entries:
                return
            self.process(entries)
            after = entries[-1][0]

    def create_group(self) -> None:
        """Make the stream and its group where they are not, as at first start or after Redis lost all."""
        try:
            self._redis.xgroup_create(self.stream, redis_keys.USAGE_GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def process(self, entries: list[tuple[bytes, dict[bytes, bytes] | None]]) -> None:
        """Take entries of the stream: interpret those whose turn it is, commit, and let go of what is done."""
        due: list[tuple[StreamKey, int, Entry]] = []
        for identity, fields in entries:
            due += self._sort_in(identity, fields or {})
        if due:
            changes = self._interpret(due)
            self._commit(changes)
            self._note_committed(changes)
            self._handled += [entry.id for _, _, entry in due]
            self.counts["scenes"] += len(due)
        self.let_go()

    def let_go(self) -> None:
        """Tell Redis which entries are done. What it does not hear now, it hears the next time."""
        while self._handled:
            ids = self._handled[:BATCH]
            commands = self._redis.pipeline(transaction=False)
            commands.xack(self.stream, redis_keys.USAGE_GROUP, *ids)
            commands.xdel(self.stream, *ids)
            commands.execute()
            del self._handled[: len(ids)]

    def _sort_in(self, identity: bytes, fields: dict[bytes, bytes]) -> list[tuple[StreamKey, int, Entry]]:
        """Put one entry into its stream's order; gives what is due now."""
        read = _read(identity, fields)
        if read is None:
            if fields:  # an entry without fields was deleted while it was pending
                dead.add(self._redis, self.stream, b" ".join(fields.values()), Refusal("malformed", "not a scene"))
            self._handled.append(identity)
            return []
        key, seq, floor, entry = read
        order = self._orders.get(key)
        due: list[tuple[StreamKey, int, Entry]] = []
        if order is None:
            position = self._positions.get(key)
            order = self._orders[key] = StreamOrder(None if position is None else position + 1)
            if position is None:
                due = self._supersede(key)
        if not order.offer(seq, floor, entry):
            self._handled.append(identity)
            self.counts["duplicates"] += 1
            if key in self._positions and seq <= self._positions[key]:
                self._publisher.committed(*key, self._positions[key])
            return due
        due += [(key, ready, found) for ready, found in order.ready()]
        if seq in order.waiting and sum(len(one.waiting) for one in self._orders.values()) > HELD_LIMIT:
            del order.waiting[seq]
            self._handled.append(identity)
            self.counts["let_go"] += 1
        return due

    def _supersede(self, key: StreamKey) -> list[tuple[StreamKey, int, Entry]]:
        """A camera's new stream means that its disk is new: what is missing in the ones before is lost."""
        older = [known for known in self._orders if known[:2] == key[:2] and known != key]
        return [(known, seq, entry) for known in older for seq, entry in self._orders[known].give_up_gaps()]

    def think(self) -> None:
        """Answer those who want to know what the rules think. Raises RedisError."""
        thinking.answer(self._redis, self._interpreters)

    def look_up(self) -> None:
        """Follow what others wrote into the database: new layouts, services, alerts that people acknowledged.

        Raises DBAPIError when the database is away.
        """
        changes = Changes(self.number)
        newest = self._store.newest_layouts()
        for site, interpreter in sorted(self._interpreters.items()):
            if newest.get(site, 0) > interpreter.layout.version:
                del self._interpreters[site]
                self._collect(site, self._interpreter(site, changes), changes)
                continue
            stamp = self._store.services_stamp(site)
            if stamp != self._services[site]:
                self._services[site] = stamp
                self._books[site].take_over(self._store.memory(interpreter.layout), changes)
        if changes.layouts or changes.retained:
            self._commit(changes)
            self._note_committed(changes)
        self._publisher.events_waiting(self.number)

    def _interpret(self, due: list[tuple[StreamKey, int, Entry]]) -> Changes:
        """What follows from scenes in their order."""
        changes = Changes(self.number)
        for key, seq, entry in due:
            interpreter = self._interpreter(entry.site, changes)
            before = changes.positions[key][0] if key in changes.positions else self._positions.get(key)
            changes.positions[key] = (before, seq)
            if entry.view is None or (*key, seq) in self._poisoned:
                continue
            try:
                facts = interpreter.feed(entry.view, entry.payload)
            except Exception as error:
                self._poison(key, seq, entry, error)
                raise PoisonedError from error
            self._books[entry.site].book(facts, changes)
        for site, interpreter in self._interpreters.items():
            self._collect(site, interpreter, changes)
        return changes

    def _interpreter(self, site: str, changes: Changes) -> Interpreter:
        """A site's interpreter, from the database where this is its first scene here, or its layout is another one.

        A layout that is newer than the one in force takes effect here: after the scenes that are committed.
        """
        known = self._interpreters.get(site)
        if known is not None:
            return known
        in_force = self._store.layout_in_force(site)
        self._services[site] = self._store.services_stamp(site)
        layout = self._store.layout(site)
        states = self._store.states(site)
        is_new = layout.version > in_force
        restored = restore(layout, states, self._store.waiting(site), changed=is_new)
        self._interpreters[site] = restored.interpreter
        self._revisions.update({(site, stored.place): stored.revision for stored in states})
        for place in restored.stale:
            changes.stale.append((site, place))
            self._revisions.pop((site, place), None)
        if is_new:
            positions = [
                [camera, stream, seq] for (of, camera, stream), seq in sorted(self._positions.items()) if of == site
            ]
            changes.layouts.append(LayoutChange(site, layout.version, positions))
            log.info("layout_taken_into_use", site=site, version=layout.version)
        self._books[site] = Book(restored.interpreter, self._store.memory(layout))
        self._books[site].book(restored.facts, changes)
        self._books[site].begin(changes)
        return restored.interpreter

    def _collect(self, site: str, interpreter: Interpreter, changes: Changes) -> None:
        """Add the states, and the scenes that wait or wait no longer, of the places that changed."""
        for name in sorted(interpreter.touched):
            place = interpreter.places[name]
            changes.states.append(StateChange(site, name, self._revisions.get((site, name), 0), place.dump()))
            for queue in place.queues.values():
                for waiting in queue:
                    if not waiting.stored:
                        waiting.stored = True
                        view = waiting.view
                        changes.waiting.append(
                            WaitingScene(site, view.camera, view.stream, view.seq, name, waiting.payload)
                        )
            changes.released += [(site, w.view.camera, w.view.stream, w.view.seq) for w in place.released]
            place.released = []
            if place.late:
                log.warning("late_scenes_passed_over", site=site, place=name, scenes=place.late)
                self.counts["late"] += place.late
                place.late = 0
        interpreter.touched.clear()

    def _note_committed(self, changes: Changes) -> None:
        for key, (_, seq) in changes.positions.items():
            self._positions[key] = seq
            self._publisher.committed(*key, seq)
        for change in changes.states:
            self._revisions[change.site, change.place] = change.revision + 1
        if changes.events or changes.retained:
            self._publisher.events_waiting(self.number)
        told = [(site, {"kind": "usage", "camera": camera}) for site, camera in sorted(changes.told)]
        told += [(site, {"kind": "alert"}) for site in sorted(changes.alerted)]
        if told:
            commands = self._redis.pipeline(transaction=False)
            for site, news in told:
                commands.publish(redis_keys.changes(site), json.dumps(news))
            commands.execute()

    def _poison(self, key: StreamKey, seq: int, entry: Entry, error: Exception) -> None:
        """Keep a scene on which the rules failed, so that it never stops the others."""
        site, camera, stream = key
        self._poisoned.add((*key, seq))
        log.error("rules_failed", site=site, camera=camera, stream=stream, seq=seq, exc_info=error)
        refusal = Refusal("rules", f"{type(error).__name__}: {error}", site, camera, stream, seq)
        dead.add(self._redis, topics.scene(site, camera), entry.payload, refusal)


def _read(identity: bytes, fields: dict[bytes, bytes]) -> tuple[StreamKey, int, int, Entry] | None:
    """An entry of the scene stream taken apart: (stream, seq, floor, entry); None for what ingest never writes."""
    payload = fields.get(redis_keys.SCENE_FIELD.encode())
    try:
        if payload is not None:
            scene = events.parse(Scene, payload)
            key = (scene.site, scene.camera, scene.stream)
            return key, scene.seq, scene.floor, Entry(identity, scene.site, view_of(scene), payload)
        marker = json.loads(fields[redis_keys.REFUSED_FIELD.encode()])
        site, camera, stream, seq = (marker[name] for name in ("site", "camera", "stream", "seq"))
        return (site, camera, stream), int(seq), 0, Entry(identity, site, None, b"")
    except (ContractError, ValidationError, KeyError, TypeError, ValueError):
        return None
