"""What the usage workers publish: events from their table until the broker has each, and how far is committed."""

from __future__ import annotations

import secrets
from collections import deque

from consumers.connections import broker_of
from consumers.storage import Store
from spotter import redis_keys, topics
from spotter.events import Committed
from spotter.mqtt import MqttClient
from spotter.settings import Settings

_IN_FLIGHT = 200
"""Events handed to the client and not yet confirmed; more would only wait in its memory."""


class Publisher:
    """One connection to the broker for all shards of this process. Only `_note` runs in the network thread."""

    def __init__(self, settings: Settings, store: Store, shards: int) -> None:
        self._store = store
        self._shards = shards
        self._due: dict[tuple[str, str], Committed] = {}
        self._newest: dict[tuple[str, str], Committed] = {}
        self._confirmed: deque[int] = deque()
        self._sent: dict[int, tuple[int, int]] = {}  # message id -> (shard, event id)
        self._done: list[int] = []
        self._pending: set[int] = set()
        self._owned: set[int] = set()
        self._retain_again: set[int] = set()
        self._reconnected = False
        self._mqtt = MqttClient(
            broker_of(settings),
            f"spotter-usage-{secrets.token_hex(4)}",
            on_connect=self._note_connection,
            on_publish=self._confirmed.append,
        )

    def start(self) -> None:
        """Connect in the background."""
        self._mqtt.start()

    def stop(self) -> None:
        """Disconnect in good order."""
        self._mqtt.stop()

    @property
    def problem(self) -> str | None:
        """Why nothing can be published, or None."""
        return None if self._mqtt.connected else f"no connection to the MQTT broker {self._mqtt.address}"

    def committed(self, site: str, camera: str, stream: str, seq: int) -> None:
        """Say, at the next `pump`, how far a camera's stream is committed."""
        self._due[site, camera] = self._newest[site, camera] = Committed(stream=stream, seq=seq)

    def events_waiting(self, shard: int) -> None:
        """Look into the table of outgoing events of a shard at the next `pump`."""
        self._pending.add(shard)

    def adopt(self, shard: int) -> None:
        """Begin with a shard, or again: whatever its table still has is to be published."""
        self._sent = {mid: entry for mid, entry in self._sent.items() if entry[0] != shard}
        self._owned.add(shard)
        self._pending.add(shard)
        self._retain_again.add(shard)

    def leave(self, shard: int) -> None:
        """The shard is another worker's now: say nothing more of it."""
        self._owned.discard(shard)
        self._pending.discard(shard)
        self._retain_again.discard(shard)

    def pump(self) -> None:
        """Publish what is due, and forget what the broker has confirmed.

        Raises DBAPIError when the database is away.
        """
        if self._reconnected:  # a broker that was restarted may have lost what it retained
            self._reconnected = False
            self._due.update({key: value for key, value in self._newest.items() if key not in self._due})
            self._retain_again |= self._owned
        self._publish_committed()
        while self._confirmed:
            entry = self._sent.pop(self._confirmed.popleft(), None)
            if entry is not None:
                self._done.append(entry[1])
        if self._done:
            self._store.forget_outgoing(self._done)
            self._done = []
        if self._retain_again and self._mqtt.connected:
            self._publish_retained()
        for shard in sorted(self._pending):
            self._publish_events(shard)

    def _publish_committed(self) -> None:
        for (site, camera), committed in list(self._due.items()):
            if self._mqtt.publish(topics.committed(site, camera), committed.to_json(), retain=True) is None:
                return
            del self._due[site, camera]

    def _publish_events(self, shard: int) -> None:
        room = _IN_FLIGHT - len(self._sent)
        if room <= 0 or not self._mqtt.connected:
            return
        # Not by an id to go on after: of two transactions, the one with the lower ids may be committed later.
        in_flight = {identity for of, identity in self._sent.values() if of == shard} | {*self._done}
        limit = room + len(in_flight)
        rows = self._store.outgoing(shard, self._shards, limit)
        for identity, topic, payload, retained in rows:
            if identity in in_flight:
                continue
            message = self._mqtt.publish(topic, payload, retain=retained)
            if message is None:
                return
            self._sent[message] = (shard, identity)
        if len(rows) < limit:
            self._pending.discard(shard)

    def _publish_retained(self) -> None:
        """Say again all that the broker is to retain. What waits in the table of events is newer, and comes after."""
        for site, topic, payload in self._store.retained():
            shard = redis_keys.shard_of(site, self._shards)
            if shard in self._retain_again and self._mqtt.publish(topic, payload, retain=True) is None:
                return
        self._retain_again.clear()

    def _note_connection(self) -> None:
        self._reconnected = True
