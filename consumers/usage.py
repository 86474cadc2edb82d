"""The usage part: owns shards, feeds them, and outlives every server that it needs."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
import structlog
from prometheus_client import Counter as Metric
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from consumers.changes import Changes
from consumers.connections import HEARTBEAT_SECONDS, GrowingWait, beat, open_redis
from consumers.outgoing import Publisher
from consumers.owner import Ownership
from consumers.shard import BATCH, CONSUMER, PoisonedError, Shard
from consumers.storage import FencedError, Store
from spotter import redis_keys
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.errors import ServerError
from spotter.settings import Settings

log = structlog.get_logger()

BLOCK_MILLISECONDS = 250
"""How long one read waits for scenes; confirmations of published events are looked at in between."""

RETRY_OWNERSHIP_SECONDS = 1.0

THINK_SECONDS = 0.25
"""How often those are answered who watch the rules think."""

LOOK_UP_SECONDS = 1.0
"""How often the database is asked what others wrote: layouts, services, acknowledgements."""

_SCENES = Metric("spotter_usage_scenes", "Scenes committed")


class LostShardError(Exception):
    """The shard's lock went to another worker, or can't be held, while a commit waited for the database."""


class Usage:
    """The usage part. `run` blocks until `stop` is set."""

    def __init__(self, settings: Settings, shards: list[int], of: int, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._redis = open_redis(settings)
        self._engine = open_database(settings.database_url)
        self._store = Store(self._engine)
        self._publisher = Publisher(settings, self._store, of)
        self._owners = {number: Ownership(self._redis, number) for number in shards}
        self._of = of
        self._shards: dict[int, Shard] = {}
        self._committing = 0
        self._retry_at = 0.0
        self._look_up_at = 0.0
        self._think_at = 0.0
        self._next_beat = 0.0
        self._counts: Counter[str] = Counter()
        self._problem: str | None = None

    def run(self) -> None:
        """Turn scenes into sessions until told to stop."""
        self._prepare_database()
        self._publisher.start()
        log.info("usage_started", shards=sorted(self._owners), of=self._of)
        wait = GrowingWait(self._stop)
        try:
            while not self._stop.is_set():
                try:
                    self._turn()
                    wait = GrowingWait(self._stop)
                    self._problem = None
                except redis.RedisError as error:
                    # Redis may have lost what it was told last: begin again from what it has now.
                    self._away("redis", error)
                    wait.wait()
                except DBAPIError as error:
                    self._away("database", error)
                    wait.wait()
                self._beat()
        finally:
            self._release()
            self._publisher.stop()
            self._engine.dispose()
            self._redis.close()

    def _prepare_database(self) -> None:
        wait = GrowingWait(self._stop)
        while not self._stop.is_set() and not self._try_to_prepare_database():
            self._beat()
            wait.wait()

    def _try_to_prepare_database(self) -> bool:
        try:
            upgrade(self._engine)
            version = self._store.import_layout(self._settings)
        except (ServerError, DBAPIError) as error:
            self._away("database", error)
            return False
        log.info("layout", site=self._settings.site, version=version)
        return True

    def _turn(self) -> None:
        """One round: hold the shards, publish what is due, and process what Redis has."""
        self._hold_shards()
        self._publisher.pump()
        if not self._shards:
            self._stop.wait(BLOCK_MILLISECONDS / 1000)
            return
        for shard in self._shards.values():
            shard.let_go()
        self._look_up()
        self._think()
        streams: Any = {shard.stream: ">" for shard in self._shards.values()}
        try:
            found: Any = self._redis.xreadgroup(
                redis_keys.USAGE_GROUP, CONSUMER, streams, count=BATCH, block=BLOCK_MILLISECONDS
            )
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            log.warning("redis_lost_its_data")
            for shard in self._shards.values():
                shard.create_group()
            return
        by_stream = {shard.stream.encode(): shard for shard in self._shards.values()}
        for stream, entries in found or []:
            shard = by_stream[stream]
            if self._owners[shard.number].hold():
                self._attempt(shard, functools.partial(shard.process, entries))
        self._publisher.pump()

    def _think(self) -> None:
        now = time.monotonic()
        if now >= self._think_at:
            self._think_at = now + THINK_SECONDS
            for shard in self._shards.values():
                shard.think()

    def _look_up(self) -> None:
        """Now and then, follow what others wrote into the database."""
        now = time.monotonic()
        if now < self._look_up_at:
            return
        self._look_up_at = now + LOOK_UP_SECONDS
        for shard in list(self._shards.values()):
            if self._owners[shard.number].hold():
                self._attempt(shard, shard.look_up)

    def _hold_shards(self) -> None:
        """Go on holding what is held; now and then try to get the rest."""
        now = time.monotonic()
        for number, owner in self._owners.items():
            if number in self._shards:
                if not owner.hold():
                    log.warning("shard_lost", shard=number)
                    self._leave(number)
            elif now >= self._retry_at and owner.hold():
                log.info("shard_owned", shard=number)
                self._next_beat = 0.0
                self._begin(number)
        if now >= self._retry_at:
            self._retry_at = now + RETRY_OWNERSHIP_SECONDS

    def _begin(self, number: int) -> None:
        shard = Shard(number, self._of, self._redis, self._store, self._publisher, self._commit)
        self._attempt(shard, shard.load)

    def _attempt(self, shard: Shard, work: Callable[[], None]) -> None:
        """Do a shard's work; after any doubt begin from the database until nothing is left over."""
        while not self._stop.is_set():
            try:
                work()
                self._shards[shard.number] = shard
                break
            except FencedError as error:
                log.warning("fenced", shard=shard.number, reason=str(error))
                work = shard.load
                if not self._owners[shard.number].hold():
                    self._leave(shard.number)
                    break
            except PoisonedError:
                work = shard.load
            except LostShardError:
                log.warning("shard_lost", shard=shard.number)
                self._leave(shard.number)
                break

    def _leave(self, number: int) -> None:
        self._shards.pop(number, None)
        self._publisher.leave(number)

    def _commit(self, changes: Changes) -> None:
        """Commit, however long the database is away, as long as the shard is held."""
        # Here, and not only between reads: taking up a long backlog is many commits.
        if not self._owners[changes.shard].hold():
            raise LostShardError
        self._beat()
        wait = GrowingWait(self._stop)
        while True:
            try:
                self._store.commit(changes)
                return
            except DBAPIError as error:
                self._problem = f"database: {type(error.orig).__name__}"
                log.warning("database_away", error=_first_line(error))
            if self._stop.is_set():
                raise LostShardError
            self._beat()
            wait.wait()
            try:
                held = self._owners[changes.shard].hold()
            except redis.RedisError:
                held = not self._owners[changes.shard].expired()
            if not held:
                raise LostShardError

    def _away(self, what: str, error: Exception) -> None:
        self._problem = f"{what} can't be reached"
        log.warning(f"{what}_away", error=_first_line(error))
        self._count()
        for number in list(self._shards):
            self._leave(number)

    def _release(self) -> None:
        try:
            for owner in self._owners.values():
                owner.release()
        except redis.RedisError as error:
            log.warning("redis_away", error=_first_line(error))  # the locks run out by themselves

    def _count(self) -> None:
        for shard in self._shards.values():
            _SCENES.inc(shard.counts["scenes"])
            self._counts.update(shard.counts)
            shard.counts.clear()

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + HEARTBEAT_SECONDS
        self._count()
        problem = self._problem or self._publisher.problem
        try:
            beat(self._redis, "usage", self._counts, problem, self._spoken_for(problem))
        except redis.RedisError as error:
            log.warning("redis_away", error=_first_line(error))

    def _spoken_for(self, problem: str | None) -> list[int]:
        """The shards that this worker holds; with a problem also those that nobody holds, so that it is heard of."""
        return [
            number
            for number, owner in self._owners.items()
            if owner.held or (problem is not None and not self._redis.exists(redis_keys.shard_lock(number)))
        ]


def _first_line(error: Exception) -> str:
    text = str(error.orig) if isinstance(error, SQLAlchemyError) and hasattr(error, "orig") else str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
