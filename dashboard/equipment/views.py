"""The equipment pages: all types side by side, one type with its units, and every chart as a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from dashboard import database, floor
from dashboard.auth import somebody
from dashboard.charts import Chart
from dashboard.context import Context, current
from dashboard.equipment import overview, period, pictures, query, words
from dashboard.equipment.figures import Figures, Week, peak
from dashboard.equipment.period import Asked, Period
from dashboard.floor import Floor
from dashboard.language import chosen
from dashboard.times import day_start, length, local_day, long_day, spoken_day

bp = Blueprint("equipment", __name__)

ARGUMENTS = ("period", "from", "to", "against")


@dataclass(frozen=True, slots=True)
class Look:
    """What a request looks at."""

    context: Context
    session: Session
    floor: Floor
    asked: Asked
    problems: list[str]
    now: datetime

    @property
    def site(self) -> str:
        """The dashboard's own."""
        return self.context.settings.site

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of the query string, for links that keep them."""
        return {name: request.args[name] for name in ARGUMENTS if request.args.get(name)}


def look() -> Look:
    """What is asked for now."""
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    asked, problems = period.read(request.args, context.zone, now)
    first = query.first_day(opened, context.settings.site)
    asked = asked._replace(period=period.since(asked.period, first, context.zone, now))
    return Look(context, opened, floor.read(opened.connection(), context.settings), asked, problems, now)


@bp.get("/equipment")
def index() -> ResponseReturnValue:
    """Every type in a period, beside another period and other sites."""
    looked = look()
    kinds = _kinds(looked)
    summed = overview.total(kinds)
    hours = [sum((kind.hours[at] for kind in kinds), Figures()) for at in range(24)]
    others = _sites(looked, None)
    return render_template(
        "equipment/equipment.html",
        **_shared(looked),
        kinds=kinds,
        total=summed,
        before=sum((kind.before for kind in kinds if kind.before), Figures()) if looked.asked.other else None,
        running=sum(kind.running for kind in kinds),
        peak=peak(hours),
        sites=others,
        charts=[pictures_of(looked, kinds)[name] for name in ("hours", "totals")] if kinds else [],
        site_chart=pictures.sites(others) if others else None,
        catalogue=[entry for entry in looked.context.catalog if entry.equipment],
    )


@bp.get("/equipment/<label>")
def card(label: str) -> ResponseReturnValue:
    """One type, or one `unit` of it: figures, and what the catalogue says about it."""
    looked, unit = look(), request.args.get("unit", "")
    entry = looked.context.catalog.get(label)
    found = _units(looked, label)
    if not found and (entry is None or not entry.equipment) and label not in query.types(looked.session, looked.site):
        abort(404)
    if unit and looked.floor.equipment_of(unit) != label and not any(one.unit == unit for one in found):
        abort(404)
    week, other = weeks(looked, label, unit)
    figures = (
        next((one for one in found if one.unit == unit), None) if unit else next(iter(_kinds(looked, label)), None)
    )
    return render_template(
        "equipment/type.html",
        **_shared(looked),
        label=label,
        unit=unit,
        entry=entry if entry is not None and entry.equipment else None,
        card=entry.card(chosen()) if entry is not None else None,
        one=figures,
        units=found,
        hint=getattr(figures, "hint", None),
        is_used=any(one.in_use_ms for one in week.values()),
        charts=_type_charts(looked, label, unit, week, other, found),
        sites=_sites(looked, label),
    )


@bp.get("/equipment/charts/<name>.<form>")
def chart(name: str, form: str) -> ResponseReturnValue:
    """A chart's figures (`csv`) or picture (`svg`), of the type `label` and its `unit` where they are given."""
    if form not in ("csv", "svg"):
        abort(404)
    looked, label, unit = look(), request.args.get("label", ""), request.args.get("unit", "")
    if looked.problems:
        abort(400, " ".join(looked.problems))
    makers: dict[str, Callable[[], Chart]] = {
        "hours": lambda: pictures_of(looked, _kinds(looked))["hours"],
        "totals": lambda: pictures_of(looked, _kinds(looked))["totals"],
        "sites": lambda: pictures.sites(_sites(looked, label or None)),
        **{
            kind: lambda kind=kind: _of_type(looked, label, unit, kind)  # type: ignore[misc]
            for kind in ("availability", "day", "units")
        },
    }
    if name not in makers:
        abort(404)
    return download(makers[name](), form, looked.asked.period, label, unit)


def download(chart: Chart, form: str, of: Period, *names: str) -> Response:
    """A chart as a file that says in its name what it is."""
    stem = "-".join(word for word in (current().settings.site, *names, chart.name, str(of.first), str(of.last)) if word)
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in stem)
    body, kind = (chart.csv(), "text/csv") if form == "csv" else (str(chart.picture), "image/svg+xml")
    disposition = f'attachment; filename="{stem.encode("ascii", "replace").decode().replace("?", "_")}.{form}"'
    return Response(body, mimetype=kind, headers={"Content-Disposition": disposition})


def weeks(looked: Look, label: str, unit: str) -> tuple[Week, Week | None]:
    """The typical week of a type or unit, and that of the time it is compared with."""

    def of(time: Period) -> Week:
        if unit:
            return query.week_of_unit(looked.session, looked.site, time, unit)
        return query.weeks(looked.session, looked.site, time, looked.context.zone, "equipment", [label])[label]

    return of(looked.asked.period), of(looked.asked.other) if looked.asked.other else None


def pictures_of(looked: Look, kinds: list[overview.Kind]) -> dict[str, Chart]:
    """The charts of all types."""
    coverage, catalog = overview.total(kinds).coverage, looked.context.catalog
    return {
        "hours": pictures.hours(kinds, looked.asked.period.days, catalog, chosen(), coverage),
        "totals": pictures.totals(kinds, catalog, chosen(), coverage),
    }


def _of_type(looked: Look, label: str, unit: str, name: str) -> Chart:
    week, other = weeks(looked, label, unit)
    found = _type_charts(looked, label, unit, week, other, _units(looked, label))
    made = next((one for one in found if one.name == name), None)
    return made or abort(404)


def _type_charts(
    looked: Look, label: str, unit: str, week: Week, other: Week | None, units: list[overview.Unit]
) -> list[Chart]:
    if not week:
        return []
    asked, covered = looked.asked, sum(week.values(), Figures()).coverage
    made = [
        pictures.availability(week, overview.limits(looked.floor), covered),
        pictures.day(week, other, asked.period.days, asked.other.days if asked.other else 1, covered),
    ]
    return made if unit or not units else [*made, pictures.units(units, covered)]


def _kinds(looked: Look, only: str | None = None) -> list[overview.Kind]:
    asked, zone = looked.asked, looked.context.zone
    return overview.kinds(looked.session, looked.site, zone, looked.floor, asked.period, asked.other, only)


def _units(looked: Look, label: str) -> list[overview.Unit]:
    asked, zone = looked.asked, looked.context.zone
    return overview.units(looked.session, looked.site, zone, looked.floor, [label], asked.period, asked.other)


def _sites(looked: Look, label: str | None) -> list[overview.Site]:
    """All sites that the one who asks may see, where there are several."""
    names = query.sites(looked.session, somebody().id)
    if len(names) < 2:
        return []
    return overview.sites(looked.session, looked.context.settings, names, looked.asked.period, label, looked.now)


def _shared(looked: Look) -> dict[str, Any]:
    asked, zone, catalog = looked.asked, looked.context.zone, looked.context.catalog
    return {
        "problems": looked.problems,
        "asked": asked,
        "arguments": looked.arguments,
        "periods": [(key, gettext(name)) for key, (name, _) in period.PERIODS.items()],
        "compared": [(key, gettext(name)) for key, name in period.AGAINST.items()],
        "long_day": long_day,
        "spoken_day": lambda moment: spoken_day(local_day(moment, zone), local_day(looked.now, zone)),
        "day_start": day_start,
        "name": lambda label: catalog.name(label, chosen()),
        "length": length,
        "words": words,
        "verdict": lambda judged: gettext(words.VERDICTS[judged.verdict]),
        "chart_url": lambda made, form, **more: url_for(
            "equipment.chart", name=made.name, form=form, **looked.arguments, **more
        ),
    }
