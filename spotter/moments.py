"""Moments as whole milliseconds since 1970, which add up exactly, and as the datetimes of contract and database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970 of a moment."""
    return (time - _EPOCH) // _MILLISECOND


def to_time(ms: int) -> datetime:
    """The moment, in UTC, of milliseconds since 1970."""
    return _EPOCH + ms * _MILLISECOND
