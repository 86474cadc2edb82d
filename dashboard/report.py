"""The week report: what the equipment pages say of a week, on a few printed pages."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard import charts, database, floor
from dashboard.charts import Chart
from dashboard.context import Context, current
from dashboard.equipment import overview, pictures, query, words
from dashboard.equipment.figures import Figures
from dashboard.equipment.overview import Kind
from dashboard.equipment.period import Period, days_between, like
from dashboard.equipment.views import download
from dashboard.language import chosen
from dashboard.times import FIRST_YEAR, LAST_YEAR, length, local_day, long_day, weekday
from spotter.alert_words import words as alert_words
from spotter.database.tables import AlertRow

bp = Blueprint("report", __name__)

WEEK = timedelta(days=7)


class _Report(NamedTuple):
    context: Context
    week: Period
    before: Period
    kinds: list[Kind]
    charts: list[Chart]


@bp.get("/report")
def page() -> ResponseReturnValue:
    """A week (`?week=2026-W47`; the last whole one unless given) beside the one before."""
    report = _report()
    context, week = report.context, report.week
    opened, catalog = database.session(), context.catalog
    total = overview.total(report.kinds)
    monday = week.first
    return render_template(
        "report/report.html",
        week=_named(monday),
        first=long_day(monday),
        last=long_day(week.last),
        earlier=_named(monday - WEEK),
        later=_named(monday + WEEK) if monday + WEEK <= local_day(datetime.now(timezone.utc), context.zone) else None,
        is_over=not week.is_cut,
        kinds=report.kinds,
        total=total,
        before=sum((kind.before for kind in report.kinds if kind.before), Figures()),
        charts=report.charts,
        alerts=[
            (alert_words(kind, chosen()).name, count)
            for kind, count in sorted(_alerts(opened, context.settings.site, week).items())
        ],
        name=lambda label: catalog.name(label, chosen()),
        verdict=lambda hint: gettext(words.VERDICTS[hint.verdict]),
        words=words,
        length=length,
    )


@bp.get("/report/<name>.<form>")
def chart(name: str, form: str) -> ResponseReturnValue:
    """A chart of the report as a file: its figures (`csv`) or its picture (`svg`)."""
    report = _report()
    made = next((one for one in report.charts if one.name == name), None)
    if made is None or form not in ("csv", "svg"):
        abort(404)
    return download(made, form, report.week)


def _report() -> _Report:
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    zone, site = context.zone, context.settings.site
    monday = _monday(request.args.get("week", ""), local_day(now, zone))
    week = days_between(monday, min(monday + WEEK - timedelta(days=1), local_day(now, zone)), zone, now)
    before = like(week, monday - WEEK, zone, now)
    stands = floor.read(opened.connection(), context.settings)
    kinds = overview.kinds(opened, site, zone, stands, week, before)
    made = []
    if kinds:
        coverage = overview.total(kinds).coverage
        whole = days_between(monday - WEEK, monday - timedelta(days=1), zone, now)
        made = [
            _days(query.by_day(opened, site, week), query.by_day(opened, site, whole), week, whole, coverage),
            pictures.hours(kinds, week.days, context.catalog, chosen(), coverage),
            pictures.totals(kinds, context.catalog, chosen(), coverage),
        ]
    return _Report(context, week, before, kinds, made)


def _monday(text: str, today: date) -> date:
    """The first day of a week such as ``2026-W47``; of the last whole one without a text."""
    if not text:
        return today - timedelta(days=today.weekday()) - WEEK
    year, _, number = text.partition("-W")
    try:
        found = date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        abort(400, gettext("“week” is a week such as 2026-W47."))
    if not FIRST_YEAR <= found.year <= LAST_YEAR or found > today:
        abort(400, gettext("“week” is a week such as 2026-W47."))
    return found


def _named(monday: date) -> str:
    year, number, _ = monday.isocalendar()
    return f"{year}-W{number:02d}"


def _days(
    week: dict[date, Figures], before: dict[date, Figures], period: Period, other: Period, coverage: float | None
) -> Chart:
    title, earlier = gettext("Hours in use by day"), gettext("the week before")
    names = [weekday(period.first + timedelta(days=number)) for number in range(7)]
    now, then = (
        [found.get(of.first + timedelta(days=number), Figures()).seconds / 3600 for number in range(7)]
        for found, of in ((week, period), (before, other))
    )
    return Chart(
        "days",
        title,
        gettext("All equipment together, beside the week before."),
        charts.columns(title, names, [(gettext("this week"), now)], gettext("h"), (earlier, then)),
        (("day", gettext("Day")), ("hours", gettext("Hours")), ("before", earlier)),
        tuple((names[at], round(now[at], 2), round(then[at], 2)) for at in range(7)),
        coverage,
    )


def _alerts(opened: Session, site: str, week: Period) -> Counter[str]:
    row = AlertRow
    raised = (row.site == site, row.raised_at >= week.begin, row.raised_at < week.end)
    return Counter(opened.scalars(select(row.kind).where(*raised)))
