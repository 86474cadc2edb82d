"""The sessions page: what was used when, filtered, and the same as a CSV file."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dashboard import database, timeline
from dashboard.context import Context, current
from dashboard.language import chosen, mark
from dashboard.session_query import SessionFilter, every, known_equipment, page, read_filter, statement
from dashboard.times import day_start, iso_texts, length, local_day, spoken_day, weekday
from spotter.database.corrections import reviews
from spotter.database.figure_tables import UnitHourRow
from spotter.database.tables import UsageSessionRow
from spotter.events import seconds_between

bp = Blueprint("sessions", __name__)

ENDED_BY = {
    "left": mark("the person left"),
    "rest": mark("put down"),
    "lost": mark("out of sight"),
    "camera_lost": mark("the camera lost its picture"),
    "layout": mark("the zones were changed"),
}

CSV_COLUMNS = (
    "session",
    "equipment",
    "name",
    "unit",
    "zone",
    "cameras",
    "started",
    "ended",
    "seconds",
    "active_seconds",
    "confidence",
    "ended_by",
)

FILTERS = ("from", "to", "equipment", "camera", "unit", "reviewed")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@bp.get("/sessions")
def index() -> ResponseReturnValue:
    """Sessions, newest first."""
    context = current()
    opened = database.session()
    now = datetime.now(timezone.utc)
    wanted, problems = read_filter(request.args, context.settings.site, context.zone)
    found = page(opened, wanted, request.args.get("cursor")) if not problems else None
    today = local_day(now, context.zone)
    looked_at = reviews(opened.connection(), [row.id for row in found.rows]) if found else {}
    shown = [{**describe(row, context, now), "review": looked_at.get(row.id)} for row in found.rows] if found else []
    days = [(spoken_day(day, today), list(rows)) for day, rows in groupby(shown, key=lambda one: one["day"])]
    equipment = sorted(
        {*known_equipment(opened, context.settings.site), *([wanted.equipment] if wanted.equipment else [])}
    )
    asked: dict[str, Any] = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    return render_template(
        "sessions/sessions.html",
        days=days,
        problems=problems,
        wanted=wanted,
        asked=asked,
        equipment=[(label, context.catalog.name(label, chosen())) for label in equipment],
        cameras=sorted({*context.settings.cameras, *([wanted.camera] if wanted.camera else [])}),
        quick=_quick_periods(today),
        older=url_for("sessions.index", **asked, cursor=found.older) if found and found.older else None,
        newest=url_for("sessions.index", **asked) if request.args.get("cursor") else None,
        weekday=weekday,
        timeline=_timeline(opened, wanted, context, now) if found and not request.args.get("cursor") else None,
        lanes=_lanes(),
        csv=url_for("sessions.download", **asked),
    )


@bp.get("/sessions.csv")
def download() -> ResponseReturnValue:
    """All sessions of the filter as CSV, times in the gym's zone with their offset."""
    context = current()
    wanted, problems = read_filter(request.args, context.settings.site, context.zone)
    if problems:
        abort(400, " ".join(problems))
    # Ask for the first line now: a database that does not answer must be an error page, not half a file.
    lines = _csv_lines(context, wanted, time.time_ns() // 1_000_000)
    first = next(lines)
    name = f"sessions-{context.settings.site}-{local_day(datetime.now(timezone.utc), context.zone)}.csv"

    def body() -> Iterator[str]:
        yield first
        yield from lines

    return Response(
        body(),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def safe_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: prefix what starts like one with an apostrophe)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv_lines(context: Context, wanted: SessionFilter, now: int) -> Iterator[str]:
    """The file, some hundred lines at a time; only what people have named needs the care of `csv`."""
    local = iso_texts(context.zone)
    head = _csv_line(CSV_COLUMNS) + "\r\n"
    places: dict[tuple[str, str | None, str | None, str], str] = {}
    with context.engine.connect() as connection:
        for batch in every(connection, wanted):
            lines, head = [head], ""
            for session, equipment, unit, zone, cameras, began, ended, active, confidence, ended_by in batch:
                place = places.get((equipment, unit, zone, cameras))
                if place is None:
                    cells = (equipment, context.catalog.name(equipment), unit, zone, " ".join(json.loads(cameras)))
                    place = _csv_line([safe_cell(value) for value in cells])
                    places[equipment, unit, zone, cameras] = place
                end, seconds = local(ended) if ended else "", ((ended or now) - began) / 1000
                lines.append(
                    f"{session},{place},{local(began)},{end},{seconds:.1f},{active:.1f},{confidence:.2f},"
                    f"{ended_by or ''}\r\n"
                )
            yield "".join(lines)
    yield head


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def describe(row: UsageSessionRow, context: Context, now: datetime) -> dict[str, object]:
    """A session in the words of the one who asks."""
    started = row.started_at.astimezone(context.zone)
    ended = row.ended_at.astimezone(context.zone) if row.ended_at else None
    seconds = max(0.0, seconds_between(row.started_at, row.ended_at or now))
    return {
        "id": row.id,
        "day": started.date(),
        "name": context.catalog.name(row.equipment, chosen()),
        "label": row.equipment,
        "unit": row.unit,
        "zone": row.zone,
        "cameras": row.cameras,
        "started": started,
        "ended": ended,
        "ends_later": ended is not None and ended.date() != started.date(),
        "length": length(seconds),
        "active": length(row.active_seconds),
        "confidence": round(row.confidence * 100),
        "why": gettext(ENDED_BY.get(row.ended_by, row.ended_by)) if row.ended_by else None,
    }


def _lanes() -> timeline.Lanes:
    return "camera" if request.args.get("lanes") == "camera" else "equipment"


def _timeline(opened: Session, wanted: SessionFilter, context: Context, now: datetime) -> timeline.Timeline | None:
    """The sessions of the day that is asked for, or of today, as bars; None for a longer time."""
    begin = wanted.begin or day_start(local_day(now, context.zone), context.zone)
    end = wanted.end or begin + timedelta(days=1)
    if end - begin > timedelta(hours=25, minutes=1):
        return None
    rows = list(opened.scalars(statement(replace(wanted, begin=begin, end=end)).limit(timeline.MOST + 1)))
    is_cut = len(rows) > timeline.MOST
    if is_cut and _lanes() == "equipment" and not (wanted.camera or wanted.unit) and wanted.reviewed is None:
        return timeline.draw_hours(_hours(opened, wanted, (begin, end), context), (begin, end), context)
    return timeline.draw(rows[: timeline.MOST], (begin, end), context, now, _lanes(), cut=is_cut)


def _hours(
    opened: Session, wanted: SessionFilter, span: tuple[datetime, datetime], context: Context
) -> list[timeline.Hour]:
    """What was in use in each hour, by type; of a single type, by unit."""
    row = UnitHourRow
    lane = row.unit if wanted.equipment else row.equipment
    query = select(lane, row.hour, func.sum(row.sessions), func.sum(row.in_use_ms)).group_by(lane, row.hour)
    query = query.where(row.site == wanted.site, row.hour >= span[0], row.hour < span[1], row.in_use_ms > 0)
    if wanted.equipment:
        query = query.where(row.equipment == wanted.equipment)

    def named(value: str) -> tuple[str, dict[str, str]]:
        if not wanted.equipment:
            return context.catalog.name(value, chosen()), {"equipment": value}
        name = value or context.catalog.name(wanted.equipment, chosen())
        return name, {"equipment": wanted.equipment, **({"unit": value} if value else {})}

    found = opened.execute(query).all()
    names = {value: named(value) for value in {one[0] for one in found}}
    return [
        timeline.Hour(names[value][0], hour, int(sessions), int(ms), names[value][1])
        for value, hour, sessions, ms in found
    ]


def _quick_periods(today: date) -> list[tuple[str, dict[str, str]]]:
    def since(days: int) -> dict[str, str]:
        return {"from": (today - timedelta(days=days)).isoformat(), "to": today.isoformat()}

    yesterday = (today - timedelta(days=1)).isoformat()
    return [
        (gettext("Today"), since(0)),
        (gettext("Yesterday"), {"from": yesterday, "to": yesterday}),
        (gettext("7 days"), since(6)),
        (gettext("30 days"), since(29)),
    ]
