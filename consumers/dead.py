"""Dead letters: refused messages, kept in a Redis stream for a person to read and to send again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import redis
import structlog

from consumers.refusals import KEPT_BYTES, Refusal
from spotter import redis_keys
from spotter.events import format_time

log = structlog.get_logger()

KEPT_LETTERS = 1000
"""With 64 KiB each, at most 64 MiB of Redis' memory."""

LOG_SECONDS = 60
"""A cause that goes on is logged so often, with how many times it came."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused message."""

    id: str
    topic: str
    payload: bytes
    cause: str
    detail: str
    at: str
    size: int

    @property
    def whole(self) -> bool:
        """Whether all of the payload was kept."""
        return len(self.payload) == self.size


class CauseLog:
    """Logs each cause when it first comes, and then at most once a minute."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[float, int]] = {}

    def refused(self, topic: str, refusal: Refusal) -> None:
        """Note one refusal."""
        now = time.monotonic()
        key = (refusal.cause, f"{refusal.site}/{refusal.camera}")
        last, count = self._since.get(key, (-LOG_SECONDS, 0))
        count += 1
        if now - last < LOG_SECONDS:
            self._since[key] = (last, count)
            return
        if len(self._since) > 1000:  # hostile topics are without end
            self._since.clear()
        self._since[key] = (now, 0)
        log.warning("message_refused", cause=refusal.cause, topic=topic[:200], detail=refusal.detail[:300], times=count)


def add(pipeline: Any, topic: str, payload: bytes, refusal: Refusal) -> None:
    """Queue the keeping of a refused message on a Redis pipeline (or do it, on a connection)."""
    pipeline.xadd(
        redis_keys.DEAD_LETTERS,
        {
            "topic": topic[:1000].encode(errors="replace"),
            "payload": payload[:KEPT_BYTES],
            "size": len(payload),
            "cause": refusal.cause,
            "detail": refusal.detail[:500],
            "at": format_time(datetime.now(timezone.utc)),
        },
        maxlen=KEPT_LETTERS,
        approximate=True,
    )


def trim(client: redis.Redis, keep_days: int) -> None:
    """Let go of what is older than `keep_days`."""
    oldest = int((time.time() - keep_days * 86400) * 1000)
    client.xtrim(redis_keys.DEAD_LETTERS, minid=f"{oldest}-0", approximate=False)


def letters(client: redis.Redis, limit: int) -> list[DeadLetter]:
    """The newest letters, newest first."""
    found: Any = client.xrevrange(redis_keys.DEAD_LETTERS, count=limit)
    return [_letter(identity, fields) for identity, fields in found]


def letter(client: redis.Redis, identity: str) -> DeadLetter | None:
    """One letter by its id."""
    found: Any = client.xrange(redis_keys.DEAD_LETTERS, min=identity, max=identity)
    return _letter(*found[0]) if found else None


def remove(client: redis.Redis, identity: str) -> None:
    """Let go of one letter."""
    client.xdel(redis_keys.DEAD_LETTERS, identity)


def _letter(identity: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    payload = fields.get(b"payload", b"")
    return DeadLetter(
        id=identity.decode(),
        topic=fields.get(b"topic", b"").decode(errors="replace"),
        payload=payload,
        cause=fields.get(b"cause", b"").decode(errors="replace"),
        detail=fields.get(b"detail", b"").decode(errors="replace"),
        at=fields.get(b"at", b"").decode(errors="replace"),
        size=int(fields.get(b"size", len(payload))),
    )
