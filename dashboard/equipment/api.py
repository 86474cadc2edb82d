"""The figures of the equipment pages over the HTTP API: types and units, their typical week, each as CSV too."""

from __future__ import annotations

import base64
import csv
import io
from datetime import date, datetime, timezone
from typing import Any, Literal, cast

from apiflask import APIBlueprint, abort
from flask import Response, g
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from dashboard import api, database, floor
from dashboard.api_access import LIMIT, PREFIX, who
from dashboard.auth import somebody
from dashboard.context import current
from dashboard.equipment import overview, period, query
from dashboard.equipment.figures import Figures, Hint
from dashboard.equipment.overview import Kind, Unit
from dashboard.equipment.period import Asked
from dashboard.security import limiter
from dashboard.sessions import safe_cell
from spotter.events import UtcTime

bp = APIBlueprint("figures", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)

CSV: dict[int | str, Any] = {
    200: {"description": "a row each", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class PeriodQuery(BaseModel):
    """Of which days of the gym's own clocks."""

    model_config = ConfigDict(populate_by_name=True)

    period: str = Field("7d", description="today, 7d, 30d, 90d or 365d: the last days up to now")
    begin: str = Field("", alias="from", description="first day, such as 2026-11-01; instead of `period`")
    end: str = Field("", alias="to", description="last day")


class FiguresQuery(PeriodQuery):
    """Of what, beside which other days."""

    by: Literal["type", "unit"] = "type"
    equipment: str = Field("", description="only this label, such as treadmill")
    against: str = Field(
        "", description="other days to compare with: before, year, or the first of as many, such as 2026-10-01"
    )
    cursor: str = Field("", description="`next` of the page before")
    limit: int = Field(100, ge=1, le=500)


class WeekQuery(PeriodQuery):
    """Of which type or unit."""

    equipment: str = Field(description="a label, such as treadmill")
    unit: str = ""


class SitesQuery(PeriodQuery):
    """Of what."""

    equipment: str = Field("", description="only this label, such as treadmill; else all together")


class SumsOut(BaseModel):
    """Sums over a period."""

    seconds: float = Field(description="in use, summed over pieces")
    sessions: int = Field(description="that began then")
    queue_seconds: float = Field(description="that people waited, summed over people")
    availability: float | None = Field(description="share of the watched time in which it was free")
    coverage: float | None = Field(
        description="share of the time that cameras really covered; null of kit without rack"
    )


class HintOut(BaseModel):
    """Whether there is enough, judged at the busiest hour of the day."""

    verdict: Literal["buy", "enough", "too_many", "unknown"]
    hour: int | None = Field(description="the busiest hour of the day")
    availability: float | None = Field(description="in that hour")
    coverage: float | None = Field(description="of that hour")
    change: int = Field(description="how many more (buy) or fewer (too_many) would be healthy")


class FigureOut(SumsOut):
    """A type or unit in a period."""

    equipment: str
    unit: str | None = Field(description="null for a type, and for kit, which has no identity")
    zone: str | None = Field(description="of a unit or of kit")
    pieces: int
    median_seconds: float | None = Field(description="of the sessions that have ended")
    compared: SumsOut | None = Field(description="the same in the other days")
    hint: HintOut | None = Field(description="of a type")
    hours_since_service: float | None = Field(description="of a unit, hours of use")
    service_after: float | None = Field(description="hours of use after which a unit is due")


class DaysOut(BaseModel):
    """Whole local days."""

    first: date
    last: date
    end: UtcTime = Field(description="the moment up to which they count")


class FiguresOut(BaseModel):
    """A page of figures, by label and unit."""

    days: DaysOut
    against: DaysOut | None
    figures: list[FigureOut]
    next: str | None = Field(description="cursor of the next page; null on the last one")


class SiteOut(SumsOut):
    """A site in a period."""

    site: str
    pieces: int
    median_seconds: float | None = Field(description="of the sessions that have ended")
    hint: HintOut


class SitesOut(BaseModel):
    """Sites side by side, in the same days of their own clocks."""

    days: DaysOut
    sites: list[SiteOut]


class HourOut(SumsOut):
    """An hour of the week."""

    weekday: int = Field(description="0 is Monday")
    hour: int = Field(description="0 to 23")


class WeekOut(BaseModel):
    """The typical week, hours without figures left out."""

    days: DaysOut
    hours: list[HourOut]


@bp.get("/figures")
@bp.input(FiguresQuery, location="query", arg_name="query")
@bp.output(FiguresOut)
def figures(query: FiguresQuery) -> FiguresOut:
    """Use, availability, queues and medians of types or units in a period, from the stored hourly figures."""
    asked = _asked(query)
    found = _figures(query, asked)
    after = _read_cursor(query.cursor)
    rest = [one for one in found if after is None or _key(one) > after]
    shown = rest[: query.limit]
    return FiguresOut(
        days=_days(asked.period),
        against=_days(asked.other) if asked.other else None,
        figures=shown,
        next=_cursor(shown[-1]) if len(rest) > len(shown) else None,
    )


@bp.get("/figures.csv")
@bp.input(FiguresQuery, location="query", arg_name="query")
@bp.doc(responses=CSV)
def figures_csv(query: FiguresQuery) -> Response:
    """The same as CSV, all in one file."""
    rows = [one.model_dump() for one in _figures(query, _asked(query))]
    for row in rows:
        row["hint"] = (row["hint"] or {}).get("verdict")
        compared = row.pop("compared") or {}
        row.update({f"compared_{name}": compared.get(name) for name in SumsOut.model_fields})
    names = [name for name in FigureOut.model_fields if name != "compared"]
    return _csv([*names, *(f"compared_{name}" for name in SumsOut.model_fields)], rows)


@bp.get("/figures/sites")
@bp.input(SitesQuery, location="query", arg_name="query")
@bp.output(SitesOut)
def sites(query: SitesQuery) -> SitesOut:
    """Several sites side by side: those that a person has a role at; a token's own."""
    asked = _asked(query)
    opened, label = database.session(), query.equipment or None
    now = datetime.now(timezone.utc)
    found = overview.sites(opened, current().settings, _readable_sites(opened), asked.period, label, now)
    return SitesOut(
        days=_days(asked.period),
        sites=[
            SiteOut(
                site=one.site,
                pieces=one.figures.pieces,
                median_seconds=one.median_seconds,
                hint=_hint(one.hint),
                **_sums(one.figures),
            )
            for one in found
        ],
    )


@bp.get("/figures/week")
@bp.input(WeekQuery, location="query", arg_name="query")
@bp.output(WeekOut)
def week(query: WeekQuery) -> WeekOut:
    """A type or unit by weekday and hour of the day: the heatmap."""
    asked = _asked(query)
    return WeekOut(days=_days(asked.period), hours=_week(query, asked))


@bp.get("/figures/week.csv")
@bp.input(WeekQuery, location="query", arg_name="query")
@bp.doc(responses=CSV)
def week_csv(query: WeekQuery) -> Response:
    """The same as CSV."""
    return _csv(list(HourOut.model_fields), [one.model_dump() for one in _week(query, _asked(query))])


def _readable_sites(opened: Session) -> list[str]:
    return [current().settings.site] if "api_token" in g else query.sites(opened, somebody().id)


def _asked(wanted: PeriodQuery) -> Asked:
    context, now = current(), datetime.now(timezone.utc)
    asked, problems = period.read(wanted.model_dump(by_alias=True), context.zone, now)
    if problems:
        abort(422, " ".join(problems))
    first = query.first_day(database.session(), context.settings.site)
    return asked._replace(period=period.since(asked.period, first, context.zone, now))


def _figures(wanted: FiguresQuery, asked: Asked) -> list[FigureOut]:
    context, opened = current(), database.session()
    if wanted.cursor and _read_cursor(wanted.cursor) is None:
        abort(422, "“cursor” is not the `next` of a page.")
    site, zone = context.settings.site, context.zone
    stands = floor.read(opened.connection(), context.settings)
    if wanted.by == "type":
        only = wanted.equipment or None
        found = [_kind(kind) for kind in overview.kinds(opened, site, zone, stands, asked.period, asked.other, only)]
    else:
        labels = [wanted.equipment] if wanted.equipment else query.types(opened, site)
        units = overview.units(opened, site, zone, stands, labels, asked.period, asked.other)
        found = [_unit(unit) for unit in units]
    return sorted(found, key=_key)


def _week(wanted: WeekQuery, asked: Asked) -> list[HourOut]:
    context, opened = current(), database.session()
    label, unit = wanted.equipment, wanted.unit
    site = context.settings.site
    if unit:
        found = query.week_of_unit(opened, site, asked.period, unit)
    else:
        found = query.weeks(opened, site, asked.period, context.zone, "equipment", [label])[label]
    return [HourOut(weekday=day, hour=hour, **_sums(one)) for (day, hour), one in sorted(found.items())]


def _kind(kind: Kind) -> FigureOut:
    return FigureOut(
        equipment=kind.equipment,
        unit=None,
        zone=None,
        pieces=kind.figures.pieces,
        median_seconds=kind.median_seconds,
        compared=SumsOut(**_sums(kind.before)) if kind.before is not None else None,
        hint=_hint(kind.hint),
        hours_since_service=None,
        service_after=None,
        **_sums(kind.figures),
    )


def _unit(unit: Unit) -> FigureOut:
    return FigureOut(
        equipment=unit.equipment,
        unit=unit.unit,
        zone=unit.zone,
        pieces=unit.figures.pieces,
        median_seconds=unit.median_seconds,
        compared=SumsOut(**_sums(unit.before)) if unit.before is not None else None,
        hint=None,
        hours_since_service=unit.hours_since_service,
        service_after=unit.service_after,
        **_sums(unit.figures),
    )


def _hint(hint: Hint) -> HintOut:
    at = hint.peak
    return HintOut(
        verdict=hint.verdict,
        hour=at.hour if at else None,
        availability=at.figures.availability if at else None,
        coverage=at.figures.coverage if at else None,
        change=hint.change,
    )


def _sums(figures: Figures) -> dict[str, Any]:
    return {
        "seconds": figures.seconds,
        "sessions": figures.sessions,
        "queue_seconds": figures.queue_ms / 1000,
        "availability": figures.availability,
        "coverage": figures.coverage,
    }


def _days(of: period.Period) -> DaysOut:
    return DaysOut(first=of.first, last=of.last, end=of.end)


def _csv(names: list[str], rows: list[dict[str, Any]]) -> Response:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    for row in rows:
        values = [row[name] for name in names]
        writer.writerow([value if isinstance(value, int | float) else safe_cell(value) for value in values])
    return Response(buffer.getvalue(), mimetype="text/csv")


def _key(one: FigureOut) -> tuple[str, str, str]:
    return one.equipment, one.unit or "", one.zone or ""


def _cursor(one: FigureOut) -> str:
    return base64.urlsafe_b64encode("\n".join(_key(one)).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, str, str] | None:
    try:
        names = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("\n")
    except ValueError:
        return None
    return cast("tuple[str, str, str]", tuple(names)) if len(names) == 3 else None
