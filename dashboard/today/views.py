"""The page of today: what is in use, alerts, today against a usual day, and the three things worth knowing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple

from flask import Blueprint, abort, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from dashboard import charts, database, floor
from dashboard.charts import Chart
from dashboard.context import Context, current
from dashboard.equipment import words
from dashboard.equipment.period import last_days
from dashboard.equipment.pictures import HOURS
from dashboard.equipment.views import download
from dashboard.floor import Floor
from dashboard.language import chosen
from dashboard.live.views import live_page
from dashboard.times import clock, length, local_day
from dashboard.today import query
from dashboard.today.query import Today
from dashboard.today.words import say
from spotter.alert_words import URGENT, subject
from spotter.alert_words import words as alert_words
from spotter.database import alerts

bp = Blueprint("today", __name__)

MOST_ALERTS = 5


class _Looked(NamedTuple):
    context: Context
    floor: Floor
    now: datetime
    today: Today


@bp.get("/")
def page() -> ResponseReturnValue:
    """Today, kept up to date by the event stream."""
    looked = _look()
    context, today = looked.context, looked.today
    zone, catalog = context.zone, context.catalog
    site, opened = context.settings.site, database.session()
    now_day = local_day(looked.now, zone)
    shown = alerts.recent(opened, site, MOST_ALERTS + 1, open_only=True)
    return render_template(
        "today/today.html",
        **live_page(),
        today=today,
        so_far=today.day.so_far(24),
        compared=today.day.so_far(today.over),
        now=clock(looked.now, zone)[:5],
        over=f"{today.over:02d}:00",
        things=[say(one, lambda label: catalog.name(label, chosen()), now_day) for one in today.things],
        alerts=[_alert(row, context) for row in shown[:MOST_ALERTS]],
        more_alerts=len(shown) > MOST_ALERTS,
        chart=_chart(looked),
        words=words,
        length=length,
        stations=_stations(looked.floor),
        types=_types(looked.floor, context),
    )


@bp.get("/today.<form>")
def chart(form: str) -> ResponseReturnValue:
    """Today against a usual day as a file: its figures (`csv`) or its picture (`svg`)."""
    if form not in ("csv", "svg"):
        abort(404)
    looked = _look()
    return download(_chart(looked), form, last_days(1, looked.context.zone, looked.now))


def _look() -> _Looked:
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    stands = floor.read(opened.connection(), context.settings)
    return _Looked(context, stands, now, query.read(opened, context.settings.site, context.zone, stands, now))


def _chart(looked: _Looked) -> Chart:
    today, known = looked.today, looked.today.usual
    title, usual_day = gettext("Minutes in use today, by hour"), gettext("a usual day")
    minutes = [one.in_use_ms / 60000 for one in today.day.hours]
    line = (usual_day, known.minutes) if known else None
    return Chart(
        "today",
        title,
        gettext("All equipment together."),
        charts.columns(title, HOURS, [(gettext("today"), minutes)], gettext("min"), line),
        (("hour", gettext("Hour")), ("minutes", gettext("min")), *((("usual", usual_day),) if known else ())),
        tuple(
            (HOURS[at], round(minutes[at], 1), *((round(known.minutes[at], 1),) if known else ())) for at in range(24)
        ),
        today.day.coverage,
    )


def _alert(row: Any, context: Context) -> dict[str, Any]:
    about = subject(context.catalog, chosen(), camera=row.camera, zone=row.zone, unit=row.unit, equipment=row.equipment)
    raised = row.raised_at.astimezone(context.zone)
    return {
        "kind": alert_words(row.kind, chosen()).name,
        "about": about,
        "urgent": row.kind in URGENT and row.acknowledged_at is None,
        "by": row.acknowledged_by,
        "raised": raised,
        "link": url_for("alerts.index", _anchor=f"alert-{row.id}"),
    }


def _stations(stands: Floor) -> dict[str, list[dict[str, Any]]]:
    """Units by camera, as the pictures draw them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in stands.stations:
        found.setdefault(one.camera, []).append({"unit": one.unit, "polygon": one.polygon})
    return found


def _types(stands: Floor, context: Context) -> list[dict[str, Any]]:
    """How many there are of each type, for the script to say how many are in use."""
    return [
        {"label": label, "name": context.catalog.name(label, chosen()), "pieces": pieces}
        for label, pieces in stands.pieces().items()
    ]
