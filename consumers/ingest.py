"""Takes messages from the broker into Redis: scenes into sharded streams, live state, previews, dead letters.

A message is acknowledged to the broker only once Redis has it.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import redis
import structlog
from prometheus_client import Counter as Metric

from consumers import dead
from consumers.connections import HEARTBEAT_SECONDS, GrowingWait, beat, broker_of, open_redis
from consumers.refusals import Refusal, check_preview, check_scene, check_status
from spotter import events, redis_keys, topics
from spotter.errors import ContractError
from spotter.events import Scene
from spotter.mqtt import MqttClient
from spotter.settings import Settings

log = structlog.get_logger()

CLIENT_ID = "spotter-ingest"
"""Always the same, so that the broker keeps what comes while ingest is away."""

BATCH = 500
INBOX_LIMIT = 20_000
"""Messages held in memory while Redis is away. More are let go: the pipeline's outbox sends them again."""

STREAM_LIMIT = 100_000
"""Scenes that may wait in a shard for the usage worker. More are let go, for the same reason."""

PREVIEW_SECONDS = 10

_MESSAGES = Metric("spotter_ingest_messages", "Messages taken from the broker", ["outcome"])
_REFUSED = Metric("spotter_ingest_refused", "Messages refused", ["cause"])


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    acknowledge: Callable[[], None]
    connection: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which scene of a camera is the live one."""

    stream: str
    seq: int
    time: datetime

    @classmethod
    def of(cls, scene: Scene) -> _Shown:
        return cls(scene.stream, scene.seq, scene.time)

    def is_older_than(self, scene: Scene, now: datetime) -> bool:
        """Whether another scene is newer: by `seq`, whatever the camera's clock did, where that tells."""
        if scene.stream == self.stream:
            return scene.seq > self.seq
        return scene.time > self.time or self.time > now


@dataclass(slots=True)
class _Batch:
    """What a batch of messages means for Redis; made again as commands on every try."""

    scenes: list[tuple[int, str, bytes]] = field(default_factory=list)
    """(shard, field, payload)"""
    live: dict[tuple[str, str], bytes] = field(default_factory=dict)
    statuses: dict[tuple[str, str], bytes] = field(default_factory=dict)
    previews: dict[tuple[str, str], bytes] = field(default_factory=dict)
    refused: list[tuple[str, bytes, Refusal]] = field(default_factory=list)


class Ingest:
    """The ingest part. `run` blocks until `stop` is set."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._redis = open_redis(settings)
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._connection = 0
        self._newest: dict[tuple[str, str], _Shown] = {}
        self._full: set[int] = set()
        self._counts: Counter[str] = Counter()
        self._causes = dead.CauseLog()
        self._next_beat = 0.0
        self._next_trim = 0.0
        self._mqtt = MqttClient(
            broker_of(settings),
            CLIENT_ID,
            clean_session=False,
            manual_ack=True,
            on_connect=self._subscribe,
            on_message=self._receive,
        )

    def run(self) -> None:
        """Take messages until told to stop."""
        self._mqtt.start()
        log.info("ingest_started", broker=self._mqtt.address, shards=self._settings.shards)
        try:
            while not self._stop.is_set():
                messages = self._next_messages()
                if messages:
                    self._take(messages)
                self._beat()
        finally:
            self._mqtt.stop()
            self._redis.close()

    def _subscribe(self) -> None:
        self._connection += 1
        for topic, qos in ((topics.ALL_SCENES, 1), (topics.ALL_STATUS, 1), (topics.ALL_PREVIEWS, 0)):
            self._mqtt.subscribe(topic, qos)

    def _receive(self, topic: str, payload: bytes, acknowledge: Callable[[], None]) -> None:
        if self._inbox.qsize() >= INBOX_LIMIT:
            acknowledge()
            self._counts["let_go"] += 1
            return
        self._inbox.put(_Message(topic, payload, acknowledge, self._connection))

    def _next_messages(self) -> list[_Message]:
        """What is there, at once; an empty list after a while without any."""
        try:
            messages = [self._inbox.get(timeout=0.5)]
        except queue.Empty:
            return []
        while len(messages) < BATCH and not self._inbox.empty():
            messages.append(self._inbox.get_nowait())  # there is no other reader
        return messages

    def _take(self, messages: list[_Message]) -> None:
        batch = self._sort(messages)
        wait = GrowingWait(self._stop)
        while True:
            try:
                self._write(batch)
                break
            except redis.RedisError as error:
                if self._stop.is_set():
                    return  # unacknowledged: the broker, or the pipeline, sends them again
                log.warning("redis_away", error=str(error)[:200], messages=len(messages))
                wait.wait()
        for message in messages:
            # An acknowledgement for a connection that is gone might hit another message of the new one.
            if message.connection == self._connection:
                message.acknowledge()

    def _sort(self, messages: list[_Message]) -> _Batch:
        batch = _Batch()
        now = datetime.now(timezone.utc)
        for message in messages:
            leaf = message.topic.rsplit("/", 1)[-1]
            if leaf == "scene":
                self._sort_scene(message, now, batch)
            elif leaf == "status":
                status = check_status(message.topic, message.payload)
                if isinstance(status, Refusal):
                    self._refuse(message, status, batch)
                else:
                    batch.statuses[_camera(message.topic)] = message.payload
            elif leaf == "preview":
                refusal = check_preview(message.topic, message.payload)
                if refusal is not None:  # of what may be a picture nothing is kept
                    self._refuse(replace(message, payload=b""), refusal, batch)
                else:
                    batch.previews[_camera(message.topic)] = message.payload
        self._counts["messages"] += len(messages)
        _MESSAGES.labels("taken").inc(len(messages))
        return batch

    def _sort_scene(self, message: _Message, now: datetime, batch: _Batch) -> None:
        scene = check_scene(message.topic, message.payload, now)
        if isinstance(scene, Refusal):
            self._refuse(message, scene, batch)
            marker = scene.marker()
            if marker is not None and scene.site is not None:
                shard = redis_keys.shard_of(scene.site, self._settings.shards)
                batch.scenes.append((shard, redis_keys.REFUSED_FIELD, marker))
            return
        shard = redis_keys.shard_of(scene.site, self._settings.shards)
        batch.scenes.append((shard, redis_keys.SCENE_FIELD, message.payload))
        key = (scene.site, scene.camera)
        shown = self._newest.get(key) or self._known_newest(key)
        if shown is None or shown.is_older_than(scene, now):
            self._newest[key] = _Shown.of(scene)
            batch.live[key] = message.payload

    def _known_newest(self, key: tuple[str, str]) -> _Shown | None:
        """The live scene that an ingest before this one left."""
        try:
            known: Any = self._redis.hget(redis_keys.live_scenes(key[0]), key[1])
            return _Shown.of(events.parse(Scene, known)) if known else None
        except (redis.RedisError, ContractError):
            return None

    def _refuse(self, message: _Message, refusal: Refusal, batch: _Batch) -> None:
        batch.refused.append((message.topic, message.payload, refusal))
        self._counts["refused"] += 1
        _REFUSED.labels(refusal.cause).inc()
        self._causes.refused(message.topic, refusal)

    def _write(self, batch: _Batch) -> None:
        """Hand a batch to Redis, in one round trip. Raises RedisError; doing it again harms nothing."""
        commands: Any = self._redis.pipeline(transaction=False)
        for shard, name, payload in batch.scenes:
            if shard in self._full:
                self._counts["let_go"] += 1
            else:
                commands.xadd(redis_keys.scenes(shard), {name: payload})
        changes: list[tuple[str, str, str]] = []
        for kind, values, hash_of in (
            ("scene", batch.live, redis_keys.live_scenes),
            ("status", batch.statuses, redis_keys.live_status),
        ):
            for (site, camera), payload in values.items():
                commands.hset(hash_of(site), camera, payload)
                changes.append((kind, site, camera))
        for (site, camera), payload in batch.previews.items():
            commands.set(redis_keys.preview(site, camera), payload, ex=PREVIEW_SECONDS)
            changes.append(("preview", site, camera))
        for topic, payload, refusal in batch.refused:
            dead.add(commands, topic, payload, refusal)
        for kind, site, camera in changes:
            commands.publish(redis_keys.changes(site), json.dumps({"kind": kind, "camera": camera}))
        shards = sorted({shard for shard, _, _ in batch.scenes})
        for shard in shards:
            commands.xlen(redis_keys.scenes(shard))
        results = commands.execute()
        for shard, length in zip(shards, results[len(results) - len(shards) :], strict=True):
            self._note_length(shard, length)

    def _note_length(self, shard: int, length: int) -> None:
        if length >= STREAM_LIMIT and shard not in self._full:
            self._full.add(shard)
            log.warning("shard_full", shard=shard, scenes=length, mend="does `spotter usage` run?")
        elif length < STREAM_LIMIT * 0.9:
            self._full.discard(shard)

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + HEARTBEAT_SECONDS
        problem = None if self._mqtt.connected else f"no connection to the MQTT broker {self._mqtt.address}"
        if self._full:
            problem = "the usage worker does not keep up, or does not run"
        try:
            beat(self._redis, "ingest", self._counts, problem)
            if now >= self._next_trim:
                self._next_trim = now + 3600
                dead.trim(self._redis, self._settings.privacy.keep_days)
        except redis.RedisError as error:
            log.warning("redis_away", error=str(error)[:200])


def _camera(topic: str) -> tuple[str, str]:
    parts = topics.parse_camera_topic(topic)
    assert parts is not None  # checked before
    return parts.site, parts.camera
