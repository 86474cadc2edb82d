"""What is worth knowing now, most worth first. Pure: plain rules on figures and alerts.

Worth is minutes that members lose, so that all kinds can be sorted: what was counted, or what stands for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from dashboard.equipment.figures import HOUR_MS, Figures
from dashboard.today.usual import Day, Usual, deviation

Kind = Literal["all_taken", "queue", "missing", "maintenance_due", "in_service", "idle", "unusual"]

MOST = 3
MOST_OF_A_KIND = 2

LEAST_SHARE = 0.05
"""Of an hour in which all were taken: less is bad luck."""
HOUR_SEEN = 0.5
"""Of an hour that cameras must have covered for its share to mean something."""
LEAST_WAIT_MS = 120_000

FIXED: dict[Kind, float] = {"missing": 20, "maintenance_due": 15, "in_service": 12, "idle": 10}
"""What no figure tells: missing kit is looked for, a worn unit fails some day, one in service or idle serves nobody."""
UNUSUAL_MINUTES = 40
"""Of a day that is twice, or none, of a usual one."""

SERVICE_DAYS = 3
"""A service that takes longer is worth a word."""
IDLE_SIBLINGS = 10
"""Sessions of a type's other units, on average, beside one that had none at all."""
IDLE_SEEN = 0.5


@dataclass(frozen=True, slots=True)
class Thing:
    """Something worth knowing, with what its sentence and its link need."""

    kind: Kind
    worth: float
    equipment: str | None = None
    unit: str | None = None
    day: date | None = None
    hour: int | None = None
    share: float = 0.0
    ms: int = 0
    alert: str | None = None


@dataclass(frozen=True, slots=True)
class TypeHour:
    """An hour of a type, and for how much of it none was free."""

    equipment: str
    begin: datetime
    day: date
    hour: int
    """Of the gym's day."""
    figures: Figures
    taken_ms: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """An open alert, or a service that is under way."""

    kind: str
    alert: str | None
    equipment: str | None
    unit: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class UnitWeek:
    """A unit's last seven days."""

    equipment: str
    unit: str
    figures: Figures


def could_be_taken(hour: TypeHour) -> float:
    """The most of an hour in which none can have been free: all of them were in use for so long, or fewer longer."""
    figures = hour.figures
    return figures.in_use_ms / (figures.pieces * HOUR_MS) if figures.pieces else 0.0


def all_taken_ms(spans: Iterable[tuple[int, int]], pieces: int, begin: int, end: int) -> int:
    """For how long, between `begin` and `end`, at least `pieces` of the (begin, end) spans overlapped."""
    edges = [(max(first, begin), 1) for first, last in spans if last > begin and first < end and last > first]
    edges += [(min(last, end), -1) for first, last in spans if last > begin and first < end and last > first]
    taken, busy, since = 0, 0, begin
    for moment, step in sorted(edges):
        if busy >= pieces > 0:
            taken += moment - since
        busy, since = busy + step, moment
    return taken


def things(
    hours: Sequence[TypeHour],
    opened: Sequence[Open],
    units: Sequence[UnitWeek],
    today: Day,
    known: Usual | None,
    over: int,
    now: datetime,
) -> list[Thing]:
    """The three things most worth knowing; fewer where there are no more."""
    found = [*_taken(hours), *_queues(hours), *_open(opened, now), *_idle(units)]
    share = deviation(today, known, over)
    if share is not None:
        found.append(Thing("unusual", min(1.0, abs(share)) * UNUSUAL_MINUTES, share=share))
    found.sort(key=lambda one: (-one.worth, one.kind, one.equipment or "", one.unit or ""))
    kept: list[Thing] = []
    kinds: Counter[str] = Counter()
    for one in found:
        if kinds[one.kind] < MOST_OF_A_KIND:
            kinds[one.kind] += 1
            kept.append(one)
    return kept[:MOST]


def _taken(hours: Iterable[TypeHour]) -> Iterable[Thing]:
    """Each type's worst hour: its share counts of what cameras watched."""
    worst: dict[str, Thing] = {}
    for one in hours:
        watched = one.figures.known_ms / one.figures.pieces if one.figures.pieces else 0
        share = one.taken_ms / watched if watched >= HOUR_SEEN * HOUR_MS else 0.0
        if share >= LEAST_SHARE and (one.equipment not in worst or share > worst[one.equipment].share):
            worst[one.equipment] = Thing(
                "all_taken", share * 60, one.equipment, day=one.day, hour=one.hour, share=min(share, 1.0)
            )
    return worst.values()


def _queues(hours: Iterable[TypeHour]) -> Iterable[Thing]:
    """Each type's hour with most waiting."""
    worst: dict[str, Thing] = {}
    for one in hours:
        waited = one.figures.queue_ms
        if waited >= LEAST_WAIT_MS and (one.equipment not in worst or waited > worst[one.equipment].ms):
            worst[one.equipment] = Thing("queue", waited / 60000, one.equipment, day=one.day, hour=one.hour, ms=waited)
    return worst.values()


def _open(opened: Iterable[Open], now: datetime) -> Iterable[Thing]:
    for one in opened:
        if one.kind == "missing" or one.kind == "maintenance_due":
            yield Thing(one.kind, FIXED[one.kind], one.equipment, one.unit, alert=one.alert)  # type: ignore[arg-type, index]
        elif one.kind == "in_service" and (days := (now - one.since).days) >= SERVICE_DAYS:
            yield Thing("in_service", FIXED["in_service"] + days, one.equipment, one.unit, ms=days * 24 * HOUR_MS)


def _idle(units: Sequence[UnitWeek]) -> Iterable[Thing]:
    """Units that nobody used in a week in which the others of their type were."""
    for one in units:
        others = [other.figures.sessions for other in units if other.equipment == one.equipment and other is not one]
        seen = (one.figures.coverage or 0.0) >= IDLE_SEEN
        if seen and not one.figures.sessions and others and sum(others) / len(others) >= IDLE_SIBLINGS:
            yield Thing("idle", FIXED["idle"], one.equipment, one.unit)
