"""The consumers' way to Redis, their proof of life, and waits that grow while a server is away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

import redis

from spotter import redis_keys
from spotter.errors import SettingsError
from spotter.events import format_time
from spotter.settings import Mqtt, Settings

HEARTBEAT_SECONDS = 5.0
HEARTBEAT_LASTS_SECONDS = 15
"""A part that is silent for so long is not healthy (design section 7.6)."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 3.0
"""Between two tries to reach a server. The longest is short, since everything must recover within 15 s."""

_SOCKET_SECONDS = 5.0


def open_redis(settings: Settings) -> redis.Redis:
    """A client for the settings' Redis; does not connect yet. Raises SettingsError when none is named."""
    if settings.redis is None:
        raise SettingsError("redis: not named; add `redis: {url: redis://…}`, or run everything with `spotter up`")
    try:
        return redis.Redis.from_url(
            settings.redis.url.get_secret_value(),
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=_SOCKET_SECONDS,
            protocol=2,
        )
    except ValueError as error:
        raise SettingsError("redis.url: not an address; use redis://[:password@]host:6379/0") from error


def broker_of(settings: Settings) -> Mqtt:
    """The settings' broker. Raises SettingsError when none is named."""
    if settings.mqtt is None:
        raise SettingsError("mqtt: not named; add `mqtt: {url: mqtt://…}`, or run everything with `spotter up`")
    return settings.mqtt


def beat(
    client: redis.Redis, part: str, counters: Mapping[str, float], problem: str | None, shards: Iterable[int] = (0,)
) -> None:
    """Prove that a part lives, and say what it can't do; `shards` are those of the usage part that it speaks for."""
    proof = {
        "time": format_time(datetime.now(timezone.utc)),
        "state": "ok" if problem is None else "degraded",
        "reason": problem,
        "counters": dict(counters),
    }
    for shard in shards:
        client.set(redis_keys.heartbeat(part, shard), json.dumps(proof), ex=HEARTBEAT_LASTS_SECONDS)


class GrowingWait:
    """Waits longer each time until something works again, or `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._seconds = FIRST_WAIT_SECONDS

    def wait(self) -> None:
        """Wait before the next try."""
        self._stop.wait(self._seconds)
        self._seconds = min(self._seconds * 2, LONGEST_WAIT_SECONDS)
