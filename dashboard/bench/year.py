"""A year of a busy gym, made by chance but always the same: sessions, and the figures that the usage worker keeps."""

from __future__ import annotations

import random
import uuid
from bisect import bisect
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, insert, select

from spotter.database import layouts, rollups
from spotter.database.rollups import FigureChanges, UnitKey
from spotter.database.tables import AlertRow, UsageSessionRow
from spotter.hours import HOUR_MS, hour_of, split_hours
from spotter.moments import to_ms, to_time

SITE = "bench"
CLOCKS = "Europe/Berlin"
DAYS = 365

STATIONS = ("treadmill", "bike", "rower", "cross_trainer", "bench", "squat_rack", "cable_tower", "leg_press")
UNITS_OF_TYPE = 6
KIT = {"kettlebell": 4, "med_ball": 4, "foam_roller": 4}

BUSY = [0.0] * 6 + [4.0, 6, 6, 4, 3, 3, 4, 4, 3, 4, 6, 9, 10, 10, 8, 5, 3, 1]
"""How much goes on, by hour of the day."""


class _Piece(NamedTuple):
    key: UnitKey
    cameras: list[str]
    pieces: int


def build(engine: Engine, sessions: int, now: datetime, told: Callable[[float], None]) -> None:
    """Fill the tables with the `DAYS` before `now` and today so far; `told` hears the share that is done."""
    zone, chance = ZoneInfo(CLOCKS), random.Random(1)
    today = now.astimezone(zone).date()
    pieces = _pieces()
    each = 1.04 * sessions / DAYS / len(pieces)  # some get no length, and are left out
    for number in range(DAYS + 1):
        day = today - timedelta(days=DAYS - number)
        end = min(_midnight(day + timedelta(days=1), zone), to_ms(now))
        with engine.begin() as connection:
            _day(connection, zone, chance, pieces, each, day, end)
        told((number + 1) / (DAYS + 1))
    layouts.add(engine, SITE, _layout(pieces), "settings")
    with engine.begin() as connection:
        connection.execute(insert(AlertRow), list(_alerts(chance, now)))
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")


def built_sessions(engine: Engine) -> int:
    """How many sessions of such a year the database has already."""
    with engine.connect() as connection:
        row = UsageSessionRow
        return int(connection.scalar(select(func.count()).select_from(row).where(row.site == SITE)) or 0)


def _pieces() -> list[_Piece]:
    found = [
        _Piece(UnitKey(kind, f"{kind}-{number}", f"{kind}-{number}"), [f"cam-{place}"], 1)
        for place, kind in enumerate(STATIONS)
        for number in range(1, UNITS_OF_TYPE + 1)
    ]
    racks = [(kind, count) for kind, count in KIT.items() for _ in range(count)]
    return found + [_Piece(UnitKey(kind, "", "rack"), ["cam-8"], count) for kind, count in racks]


def _day(
    connection: Connection,
    zone: ZoneInfo,
    chance: random.Random,
    pieces: list[_Piece],
    each: float,
    day: date,
    end: int,
) -> None:
    begin, changes = _midnight(day, zone), FigureChanges(zone)
    busy = [weight * (0.7 if day.weekday() >= 5 else 1.1) for weight in BUSY]
    rows: list[dict[str, Any]] = []
    for piece in pieces:
        for started, length in _sessions(chance, busy, each, begin, end):
            rows.append(_row(chance, piece, started, length))
            for hour, ms in split_hours(started, started + length, zone):
                changes.units[hour, piece.key].in_use_ms += ms
            changes.units[hour_of(started, zone), piece.key].sessions += 1
            changes.ended.append((piece.key, started, length))
    for hour in range(begin, end, HOUR_MS):
        seen = min(HOUR_MS, end - hour)
        for piece in {piece.key: piece for piece in pieces}.values():
            counted = changes.units[hour, piece.key]
            counted.watched_ms, counted.pieces = seen * piece.pieces, piece.pieces
        for place in range(9):
            changes.cameras[hour, f"cam-{place}"] = seen
        if busy[(hour - begin) // HOUR_MS % 24] > 8:
            changes.queues[hour, "equipment", "treadmill"] = chance.randrange(600_000)
            changes.queues[hour, "site", SITE] = changes.queues[hour, "equipment", "treadmill"]
    if rows:
        connection.execute(insert(UsageSessionRow), rows)
    rollups.add(connection, SITE, changes)


def _sessions(
    chance: random.Random, busy: list[float], count: float, begin: int, end: int
) -> Iterator[tuple[int, int]]:
    """(begin, length) of one piece's sessions of a day, one after another."""
    passed, sums = 0.0, []
    for weight in busy:
        passed += weight
        sums.append(passed)
    scale = passed / (sum(BUSY) or 1)
    starts = sorted(
        begin + int((bisect(sums, at := chance.random() * passed) + at % 1) * HOUR_MS)
        for _ in range(round(count * scale))
    )
    for started, following in pairwise([*starts, end]):
        length = min(following - started - 1000, int(chance.lognormvariate(5.2, 0.6) * 1000))
        if length > 3000 and started + length < end:
            yield started, length


def _row(chance: random.Random, piece: _Piece, started: int, length: int) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "site": SITE,
        "equipment": piece.key.equipment,
        "unit": piece.key.unit or None,
        "zone": piece.key.zone,
        "cameras": piece.cameras,
        "started_at": to_time(started),
        "ended_at": to_time(started + length),
        "active_seconds": length / 1100,
        "confidence": 0.8,
        "ended_by": "left",
        "layout_version": 1,
        "last_at": to_time(started + length),
    }


def _alerts(chance: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(2000):
        raised = now - timedelta(hours=number * 4 + 1)
        yield {
            "id": str(uuid.UUID(int=chance.getrandbits(128))),
            "site": SITE,
            "kind": chance.choice(("left_out", "walkway", "missing", "queue")),
            "camera": "cam-8",
            "zone": "rack",
            "unit": None,
            "equipment": "kettlebell",
            "raised_at": raised,
            "detail": "made by chance",
            "acknowledged_at": None,
            "acknowledged_by": None,
            "cleared_at": raised + timedelta(minutes=20) if number > 5 else None,
            "cleared_detail": None,
            "layout_version": 1,
        }


def _layout(pieces: list[_Piece]) -> dict[str, Any]:
    cameras: dict[str, dict[str, Any]] = {}
    for number, piece in enumerate(one for one in pieces if one.key.unit):
        left = 0.02 + 0.16 * (number % UNITS_OF_TYPE)
        square = [[left, 0.3], [left + 0.14, 0.3], [left + 0.14, 0.9], [left, 0.9]]
        station = {"kind": "station", "equipment": piece.key.equipment, "unit": piece.key.unit, "polygon": square}
        cameras.setdefault(piece.cameras[0], {})[piece.key.zone] = station
    rack = {"kind": "rack", "holds": KIT, "polygon": [[0.1, 0.2], [0.4, 0.2], [0.4, 0.6], [0.1, 0.6]]}
    cameras["cam-8"] = {"rack": rack}
    return {"cameras": cameras, "rules": {}, "timezone": CLOCKS}


def _midnight(day: date, zone: ZoneInfo) -> int:
    return to_ms(datetime.combine(day, time.min, tzinfo=zone).astimezone(timezone.utc))
