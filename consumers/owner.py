"""Who owns a shard: a key in Redis with a time to live, so that another worker takes over from a dead one.

The lock only keeps workers from getting in each other's way. That nothing is doubled is held by the database.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import redis

from spotter import redis_keys

LEASE_SECONDS = 8.0
"""A killed owner is followed by another one after at most this."""

RENEW_SECONDS = 2.0

_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class Ownership:
    """The lock of one shard. Every method may raise RedisError, after which the shard is to be held as lost."""

    def __init__(self, client: redis.Redis, shard: int) -> None:
        self._redis: Any = client
        self._key = redis_keys.shard_lock(shard)
        self._token = secrets.token_hex(8)
        self._renew_at = 0.0
        self._lost_at = 0.0
        self.held = False

    def hold(self) -> bool:
        """Get the shard, or go on holding it; quick, so it can be called again and again."""
        now = time.monotonic()
        if self.held and now < self._renew_at:
            return True
        milliseconds = int(LEASE_SECONDS * 1000)
        renewed = self.held and self._redis.eval(_RENEW, 1, self._key, self._token, milliseconds)
        # A lock that is gone, as after FLUSHALL, is free to be had again by whoever comes first.
        self.held = bool(renewed or self._redis.set(self._key, self._token, nx=True, px=milliseconds))
        if self.held:
            self._renew_at, self._lost_at = now + RENEW_SECONDS, now + LEASE_SECONDS
        return self.held

    def expired(self) -> bool:
        """Whether the lease has surely run out, as far as this process can tell without Redis."""
        return time.monotonic() >= self._lost_at

    def release(self) -> None:
        """Let another worker have the shard at once."""
        if self.held:
            self.held = False
            self._redis.eval(_RELEASE, 1, self._key, self._token)
