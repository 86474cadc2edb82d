"""Short names that sort by time: of streams, and of the runs of a pipeline within one."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as ULIDs have it: nothing that looks alike
_TIME_DIGITS, _RANDOM_DIGITS = 10, 2


def encode(number: int, length: int) -> str:
    """The last `length` base-32 digits of a number."""
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(length)))


def new_stream(now: datetime) -> str:
    """Twelve characters: a ULID's time to the millisecond, and a little chance."""
    milliseconds = int(now.timestamp() * 1000)
    return encode(milliseconds, _TIME_DIGITS) + encode(secrets.randbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def begun(stream: str) -> datetime:
    """When a stream was made, to the millisecond."""
    milliseconds = 0
    for digit in stream[:_TIME_DIGITS]:
        milliseconds = milliseconds << 5 | _DIGITS.index(digit)
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def run_prefix(run: int) -> str:
    """What the track ids of a pipeline's `run` begin with; a million restarts give a million different ones."""
    return encode(run * _SPREAD, 4).lower()


_SPREAD = 399_989  # odd, so that every run has its own; and large, so that they do not look like a count
