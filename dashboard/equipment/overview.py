"""All that is known of types, units and sites in a period, put together from stored figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dashboard import floor
from dashboard.equipment import query
from dashboard.equipment.figures import (
    Figures,
    Hint,
    Limits,
    Week,
    hint,
    peak,
)
from dashboard.equipment.period import Period, days_between
from dashboard.floor import Floor
from spotter.settings import Settings


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in a period."""

    equipment: str
    figures: Figures
    before: Figures | None
    """In the time that it is compared with; None where there is none."""
    median_seconds: float | None
    running: int
    hours: tuple[Figures, ...]
    """By hour of the day."""
    hint: Hint


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, or the kit of a zone, in a period."""

    equipment: str
    unit: str | None
    zone: str | None
    figures: Figures
    before: Figures | None
    median_seconds: float | None
    hours_since_service: float | None
    serviced: datetime | None
    service_after: float | None

    @property
    def is_due(self) -> bool:
        """Whether it was used for as long as its service allows."""
        used, after = self.hours_since_service, self.service_after
        return used is not None and after is not None and used >= after


@dataclass(frozen=True, slots=True)
class Site:
    """A site in a period, beside others."""

    site: str
    figures: Figures
    median_seconds: float | None
    hint: Hint


def limits(floor: Floor) -> Limits:
    """The healthy band."""
    return Limits(floor.rules.availability_low, floor.rules.availability_high)


def kinds(
    session: Session,
    site: str,
    zone: ZoneInfo,
    floor: Floor,
    period: Period,
    other: Period | None = None,
    only: str | None = None,
) -> list[Kind]:
    """Every type with figures in the period, most used first; or `only` one."""
    known = query.types(session, site) if only is None else [only]
    sums = query.totals(session, site, period, "equipment", known)
    before = query.totals(session, site, other, "equipment", known) if other else {}
    names = sorted(sums)
    days = query.days(session, site, period, zone, "equipment", names)
    medians = query.medians(session, site, period, "equipment", names)
    running = query.running(session, site)
    found = []
    for name, figures in sums.items():
        found.append(
            Kind(
                name,
                figures,
                before.get(name, Figures()) if other else None,
                medians.get(name),
                running.get(name, 0),
                days[name],
                hint(peak(days[name]), limits(floor)),
            )
        )
    return sorted(found, key=lambda kind: (-kind.figures.in_use_ms, kind.equipment))


def units(
    session: Session,
    site: str,
    zone: ZoneInfo,
    floor: Floor,
    types: list[str],
    period: Period,
    other: Period | None = None,
) -> list[Unit]:
    """The units of some types with figures in the period; kit, which has no identity, by zone."""
    sums = query.units(session, site, period, types)
    before = query.units(session, site, other, types) if other else {}
    named = [unit for _, unit, _ in sums if unit]
    medians = query.medians(session, site, period, "unit", named)
    services = query.hours_since_service(session, site, named, zone)
    found = []
    for (equipment, unit, place), figures in sums.items():
        used, serviced = services[unit] if unit else (None, None)
        found.append(
            Unit(
                equipment,
                unit or None,
                place or None,
                figures,
                before.get((equipment, unit, place), Figures()) if other else None,
                medians.get(unit),
                used,
                serviced,
                floor.service_after(unit) if unit else None,
            )
        )
    return found


def sites(
    session: Session, settings: Settings, names: Iterable[str], asked: Period, equipment: str | None, now: datetime
) -> list[Site]:
    """Sites side by side in the same days of their own clocks: of a type, or of all."""
    found = []
    for site in names:
        stands = floor.read(session.connection(), settings, site)
        period = days_between(asked.first, asked.last, stands.zone, now)
        scope, name = ("equipment", equipment) if equipment else ("site", site)
        figures = query.totals(session, site, period, scope, [name]).get(name, Figures())
        hours = query.days(session, site, period, stands.zone, scope, [name])[name]
        median = query.medians(session, site, period, scope, [name]).get(name)
        judged = hint(peak(hours), limits(stands))
        found.append(Site(site, figures, median, judged))
    return found


def total(kinds: Iterable[Kind]) -> Figures:
    """Of all types together; pieces are added."""
    every = [kind.figures for kind in kinds]
    summed = sum(every, Figures())
    length = max((one.length_ms for one in every), default=0)
    return replace(summed, pieces=sum(one.pieces for one in every), length_ms=length)


def availability_rows(week: Week) -> list[list[float | None]]:
    """Seven rows of 24 shares; None where nothing was watched."""
    return [[week.get((day, hour), Figures()).availability for hour in range(24)] for day in range(7)]
