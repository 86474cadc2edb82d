"""The equipment page: use by hour of day and by kind, and the catalogue's card of each kind."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from dashboard import database
from dashboard.charts import hours_chart, totals_chart
from dashboard.context import current
from dashboard.language import chosen, mark
from dashboard.session_query import LONGEST_SESSION
from dashboard.times import day_start, length, local_day, short_day
from dashboard.usage_hours import EquipmentUse, Use, tally, total_by_hour
from spotter.database.tables import UsageSessionRow

bp = Blueprint("equipment", __name__)

PERIODS = {"today": (mark("Today"), 1), "7d": (mark("7 days"), 7), "30d": (mark("30 days"), 30)}
DEFAULT_PERIOD = "7d"


class Period(NamedTuple):
    """Whole local days, the last of them today."""

    begin: datetime
    end: datetime
    days: int


@bp.get("/equipment")
def index() -> ResponseReturnValue:
    """Use per hour of day and per kind."""
    context = current()
    wanted = request.args.get("period", DEFAULT_PERIOD)
    if wanted not in PERIODS:
        wanted = DEFAULT_PERIOD
    opened = database.session()
    period = since_first_session(opened, last_days(PERIODS[wanted][1], datetime.now(timezone.utc)))
    kinds = tally(uses(opened, period), period.begin, period.end, context.zone)
    hours = total_by_hour(kinds)
    peak = max(range(len(hours)), key=hours.__getitem__) if any(hours) else None
    return render_template(
        "equipment/equipment.html",
        periods=[(key, gettext(name)) for key, (name, _) in PERIODS.items()],
        chosen=wanted,
        period=period,
        begin=local_day(period.begin, context.zone),
        short_day=short_day,
        kinds=kinds,
        name=lambda label: context.catalog.name(label, chosen()),
        length=length,
        peak=peak,
        minutes_by_hour=[(hour, seconds / 60 / period.days) for hour, seconds in enumerate(hours)],
        total=sum(kind.seconds for kind in kinds),
        sessions=sum(kind.sessions for kind in kinds),
        running=sum(kind.running for kind in kinds),
        charts={
            "hours": hours_chart(kinds, period.days, context.catalog),
            "totals": totals_chart(kinds, context.catalog),
        },
        catalogue=[entry for entry in context.catalog if entry.equipment],
    )


@bp.get("/equipment/<label>")
def card(label: str) -> ResponseReturnValue:
    """What the catalogue says about a kind, with its last seven days."""
    context = current()
    entry = context.catalog.get(label)
    if entry is None or not entry.equipment:
        abort(404)
    period = last_days(7, datetime.now(timezone.utc))
    kinds = tally(uses(database.session(), period, label), period.begin, period.end, context.zone)
    return render_template(
        "equipment/card.html",
        label=label,
        entry=entry,
        card=entry.card(chosen()),
        use=kinds[0] if kinds else EquipmentUse(label),
        length=length,
    )


def last_days(days: int, now: datetime) -> Period:
    """The last `days` local days up to now, today included."""
    zone = current().zone
    return Period(day_start(local_day(now, zone) - timedelta(days=days - 1), zone), now, days)


def since_first_session(session: Session, period: Period) -> Period:
    """`period` without the days before this gym's first session, which would thin out every average."""
    row = UsageSessionRow
    first = session.scalar(select(func.min(row.started_at)).where(row.site == current().settings.site))
    if first is None or first <= period.begin:
        return period
    zone = current().zone
    day = local_day(min(first, period.end), zone)
    return Period(day_start(day, zone), period.end, (local_day(period.end, zone) - day).days + 1)


def uses(session: Session, period: Period, equipment: str | None = None) -> list[Use]:
    """All sessions of this site that have a moment in `period`."""
    row = UsageSessionRow
    query = select(row.equipment, row.started_at, row.ended_at).where(
        row.site == current().settings.site,
        row.started_at < period.end,
        row.started_at > period.begin - LONGEST_SESSION,
        or_(row.ended_at.is_(None), row.ended_at > period.begin),
    )
    if equipment is not None:
        query = query.where(row.equipment == equipment)
    return [Use(*found) for found in session.execute(query)]
