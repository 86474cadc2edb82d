"""The alerts page: what is open and what was, what raised it, and who saw to it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as WerkzeugResponse
from wtforms import StringField
from wtforms.validators import Length

from dashboard import database
from dashboard.alerts.query import AlertFilter, page, read_filter, told
from dashboard.auth import somebody
from dashboard.context import Context, current
from dashboard.language import chosen
from dashboard.notify import browsers
from dashboard.people import audit
from dashboard.security import safe_next
from dashboard.session_query import known_equipment
from dashboard.times import as_typed, length, local_day, spoken_day
from spotter.alert_words import KINDS, URGENT, headline, subject, words
from spotter.database import alerts, services
from spotter.database.tables import AlertRow, DeliveryRow
from spotter.errors import SpotterError
from spotter.events import seconds_between

bp = Blueprint("alerts", __name__, url_prefix="/alerts")

FILTERS = ("state", "kind", "equipment", "camera", "from", "to")

AROUND = timedelta(minutes=10)
_MINUTE = timedelta(minutes=1)
"""Sessions from so long before an alert on are its evidence."""


class ServiceForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What is wrong with a unit, or what was done."""

    note = StringField(_l("Note"), [Length(max=500)])


@bp.get("")
def index() -> ResponseReturnValue:
    """Alerts, newest first; those that are open unless others are asked for."""
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    wanted, problems = read_filter(request.args, context.settings.site, context.zone)
    found = page(opened, wanted, request.args.get("cursor")) if not problems else None
    asked: dict[str, Any] = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    in_service = services.under_way(opened.connection(), context.settings.site)
    context.watcher.ensure_started()
    deliveries = told(opened, [row.id for row in found.rows]) if found else {}
    names = browsers.owners(opened, [one.channel for some in deliveries.values() for one in some])
    return render_template(
        "alerts/alerts.html",
        alerts=[
            {
                **_shown(row, context, now, in_service),
                "told": [_delivery(o, names, context) for o in deliveries.get(row.id, [])],
            }
            for row in (found.rows if found else ())
        ],
        problems=problems,
        wanted=wanted,
        asked=asked,
        kinds=[(kind, words(kind, chosen()).name) for kind in KINDS],
        equipment=_equipment(wanted, context),
        cameras=sorted({*context.settings.cameras, *([wanted.camera] if wanted.camera else [])}),
        older=url_for("alerts.index", **asked, cursor=found.older) if found and found.older else None,
        newest=url_for("alerts.index", **asked) if request.args.get("cursor") else None,
        places={
            "events": url_for("live.events", only="alerts"),
            "state": url_for("live.state", only="alerts"),
            "login": url_for("auth.login"),
        },
    )


@bp.post("/<alert>/acknowledge")
def acknowledge(alert: str) -> ResponseReturnValue:
    """Record that somebody sees to an alert."""
    context, opened, user = current(), database.session(), somebody()
    row = _row(alert)
    first = alerts.acknowledge(
        opened.connection(),
        context.settings.site,
        row.id,
        user.name,
        datetime.now(timezone.utc),
        context.settings.shards,
    )
    if first:
        audit.record(opened, context.settings.site, user.name, "alert_acknowledged", row.id, kind=row.kind)
        opened.commit()
        context.watcher.nudge()
        return _back(row)
    opened.refresh(row)
    if row.acknowledged_by != user.name:
        flash(gettext("%(name)s saw to it already.", name=row.acknowledged_by), "info")
    return _back(row)


@bp.post("/<alert>/service/<step>")
def service(alert: str, step: str) -> ResponseReturnValue:
    """Record that the unit of a `maintenance_due` is being serviced (`start`), or was (`done`)."""
    context, opened, user, form = current(), database.session(), somebody(), ServiceForm()
    row = _row(alert)
    if row.unit is None or row.kind != "maintenance_due" or step not in ("start", "done"):
        abort(404)
    if not form.validate_on_submit():
        flash(gettext("A note has at most %(count)s characters.", count=500), "danger")
        return _back(row)
    note, now, site = (form.note.data or "").strip(), datetime.now(timezone.utc), context.settings.site
    if step == "done":
        services.done(opened.connection(), site, row.unit, user.name, now, context.settings.shards, note)
        flash(gettext("The service of %(unit)s is recorded; its hours count anew.", unit=row.unit), "info")
    else:
        try:
            services.start(opened.connection(), site, row.unit, user.name, now, note)
        except SpotterError:
            flash(gettext("%(unit)s is being serviced already.", unit=row.unit), "info")
            return _back(row)
    audit.record(opened, site, user.name, f"service_{step}", row.unit, note=note)
    opened.commit()
    context.watcher.nudge()
    return _back(row)


def _row(alert: str) -> AlertRow:
    row = database.of_site(AlertRow, alert)
    if row is None:
        abort(404)
    return row


def _back(row: AlertRow) -> WerkzeugResponse:
    target = safe_next(request.form.get("back")) or url_for("alerts.index")
    return redirect(f"{target.partition('#')[0]}#alert-{row.id}")


def _delivery(row: DeliveryRow, names: dict[str, str], context: Context) -> dict[str, Any]:
    channel = gettext("e-mail") if row.channel == "email" else row.channel
    if browsers.is_browser(row.channel):
        name = names.get(row.channel)
        channel = gettext("browser of %(name)s", name=name) if name else gettext("a browser")
    return {
        "channel": channel,
        "sent": row.sent_at.astimezone(context.zone) if row.sent_at else None,
        "failed": row.state == "failed",
        "error": row.error,
    }


def _equipment(wanted: AlertFilter, context: Context) -> list[tuple[str, str]]:
    known = known_equipment(database.session(), wanted.site)
    labels = sorted({*known, *([wanted.equipment] if wanted.equipment else [])})
    return [(label, context.catalog.name(label, chosen())) for label in labels]


def _shown(row: AlertRow, context: Context, now: datetime, in_service: frozenset[str]) -> dict[str, Any]:
    language, raised = chosen(), row.raised_at.astimezone(context.zone)
    until = row.cleared_at + _MINUTE if row.cleared_at else row.raised_at + AROUND
    about = subject(context.catalog, language, camera=row.camera, zone=row.zone, unit=row.unit, equipment=row.equipment)
    around = {
        "from": as_typed(row.raised_at - AROUND, context.zone),
        "to": as_typed(until, context.zone),
        **({"equipment": row.equipment} if row.equipment else {}),
        **({"camera": row.camera} if row.camera else {}),
    }
    kind = words(row.kind, language)
    return {
        "row": row,
        "kind": kind.name,
        "meaning": kind.meaning,
        "headline": headline(row.kind, about, language),
        "about": about,
        "urgent": row.kind in URGENT,
        "raised": raised,
        "day": spoken_day(raised.date(), local_day(now, context.zone)),
        "lasted": length(max(0.0, seconds_between(row.raised_at, row.cleared_at or now))),
        "acknowledged": row.acknowledged_at.astimezone(context.zone) if row.acknowledged_at else None,
        "cleared": row.cleared_at.astimezone(context.zone) if row.cleared_at else None,
        "sessions": around if row.kind not in ("camera_offline", "maintenance_due") else None,
        "is_service": row.kind == "maintenance_due" and row.unit is not None and row.cleared_at is None,
        "in_service": row.unit in in_service,
    }
