"""Reviewing sessions one by one: it was right, it was something else, no use, one of two or two; and taking it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from dashboard import database, timeline
from dashboard.auth import somebody
from dashboard.context import Context, current
from dashboard.language import chosen, mark
from dashboard.people import audit
from dashboard.sessions import describe
from dashboard.times import clock, local_day, spoken_day
from spotter.database.corrections import (
    MOST_CLIENT,
    MOST_NOTE,
    CorrectionError,
    Editor,
    fingerprint,
    history,
    reviews,
)
from spotter.database.tables import CorrectionRow, ReviewRow, UsageSessionRow

bp = Blueprint("review", __name__, url_prefix="/sessions")

AROUND = timedelta(minutes=30)
MERGEABLE = timedelta(hours=1)
"""How long after a session one may begin that is offered as its other part."""
MOST_MERGEABLE = 5

REFUSED = {
    "missing": mark("That session is not there any more; somebody corrected it meanwhile."),
    "running": mark("It still runs; correct it when it has ended."),
    "changed": mark("Somebody corrected it meanwhile, or a later correction must be taken back first."),
    "same": mark("It is that already."),
    "unit": mark("What stands at a station is what the layout says; change the layout instead."),
    "apart": mark("Only a session and a later one of the same equipment and place can be put together."),
    "outside": mark("Give a time between its begin and its end."),
    "undone": mark("That was taken back already."),
}

DONE = {
    "relabel": mark("was something else"),
    "discard": mark("was no use"),
    "merge": mark("was one with the next"),
    "split": mark("was two"),
}


@bp.get("/review")
def next_one() -> ResponseReturnValue:
    """The newest session that nobody looked at."""
    found = _neighbour(database.session(), None, unreviewed=True)
    if found is None:
        flash(gettext("All sessions are reviewed."), "info")
        return redirect(url_for("sessions.index"))
    return redirect(url_for("review.session", session=found))


@bp.get("/<session>")
def session(session: str) -> ResponseReturnValue:
    """One session with all that can be said of it."""
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    row = _row(session)
    begin, end = row.started_at - AROUND, (row.ended_at or now) + AROUND
    middle = row.started_at + ((row.ended_at or now) - row.started_at) / 2
    return render_template(
        "sessions/review.html",
        one=describe(row, context, now),
        row=row,
        seen=fingerprint(row),
        day=spoken_day(local_day(row.started_at, context.zone), local_day(now, context.zone)),
        review=reviews(opened.connection(), [row.id]).get(row.id),
        timeline=timeline.draw(_around(opened, row, begin, end), (begin, end), context, now, "equipment", row.id),
        kinds=[(e.label, e.card(chosen()).name) for e in context.catalog if e.equipment and e.label != row.equipment],
        following=[(one.id, clock(one.started_at, context.zone)) for one in _following(opened, row)],
        middle=middle.astimezone(context.zone).strftime("%H:%M:%S"),
        newer=_neighbour(opened, row, newer=True),
        older=_neighbour(opened, row),
        waiting=_neighbour(opened, row, unreviewed=True),
        past=[_told(one, context) for one in history(opened.connection(), context.settings.site, row.id, 20)],
        last=_last_of(opened, context),
        most=(MOST_NOTE, MOST_CLIENT),
    )


@bp.post("/<session>/right")
def right(session: str) -> ResponseReturnValue:
    """It was looked at, and is as it says; with a note."""
    row = _row(session)
    note, client = (request.form.get(name, "").strip() for name in ("note", "nickname"))
    if len(note) > MOST_NOTE or len(client) > MOST_CLIENT:
        flash(gettext("A note has at most %(note)s characters, a nickname %(client)s.", note=500, client=40), "danger")
        return redirect(url_for("review.session", session=session))
    _editor().review(row.id, note, client)
    _recorded("session_reviewed", row.id)
    waiting = _neighbour(database.session(), row, unreviewed=True)
    return redirect(url_for("review.session", session=waiting) if waiting else url_for("sessions.index"))


@bp.post("/<session>/relabel")
def relabel(session: str) -> ResponseReturnValue:
    """It was another kind of equipment."""
    equipment = request.form.get("equipment", "")
    entry = current().catalog.get(equipment)
    if entry is None or not entry.equipment:
        abort(404)
    return _correct("relabel", session, lambda editor, seen: editor.relabel(session, equipment, seen))


@bp.post("/<session>/discard")
def discard(session: str) -> ResponseReturnValue:
    """It was no use."""
    return _correct("discard", session, lambda editor, seen: editor.discard(session, seen))


@bp.post("/<session>/merge")
def merge(session: str) -> ResponseReturnValue:
    """It and a later one were one."""
    following = request.form.get("following", "")
    return _correct("merge", session, lambda editor, seen: editor.merge(session, following, seen))


@bp.post("/<session>/split")
def split(session: str) -> ResponseReturnValue:
    """It was two."""
    row = _row(session)
    at = _moment(request.form.get("at", ""), row)
    return _correct("split", session, lambda editor, seen: editor.split(session, at, seen))


@bp.post("/corrections/<int:number>/undo")
def undo(number: int) -> ResponseReturnValue:
    """Take a correction back."""
    opened = database.session()
    row = opened.get(CorrectionRow, number)
    try:
        _editor().undo(number)
    except CorrectionError as error:
        opened.rollback()
        flash(gettext(REFUSED[error.reason]), "danger")
        return redirect(url_for("review.corrections"))
    assert row is not None
    _recorded("session_undo", row.session)
    return redirect(url_for("review.session", session=row.session))


@bp.get("/corrections")
def corrections() -> ResponseReturnValue:
    """What was corrected, newest first."""
    context = current()
    found = history(database.session().connection(), context.settings.site)
    return render_template("sessions/corrections.html", past=[_told(one, context) for one in found])


@bp.get("/corrections.json")
def download() -> ResponseReturnValue:
    """Times and cameras of what was found wrong, and what it was: where to take stills for training."""
    context = current()
    found = history(database.session().connection(), context.settings.site, limit=10_000)
    lines = [
        {
            "camera": camera,
            "begin": one.before[0]["started_at"],
            "end": one.before[-1]["ended_at"],
            "was_taken_for": one.before[0]["equipment"],
            "is": one.after[0]["equipment"] if one.after else None,
            "by": one.by,
            "at": one.at.isoformat(),
        }
        for one in found
        if one.undone_at is None and one.kind in ("relabel", "discard")
        for camera in one.before[0]["cameras"]
    ]
    name = f"corrections-{context.settings.site}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(json.dumps(lines, indent=1) + "\n", mimetype="application/json", headers=headers)


def _correct(kind: str, session: str, work: Callable[[Editor, str | None], int]) -> ResponseReturnValue:
    """Do one correction; then to the session, or where it is gone, to the next."""
    opened = database.session()
    row = _row(session)
    following = _neighbour(opened, row, unreviewed=True)
    try:
        work(_editor(), request.form.get("seen") or None)
    except CorrectionError as error:
        opened.rollback()
        _row(session)  # somebody may have discarded it since it was read above
        flash(gettext(REFUSED[error.reason]), "danger")
        return redirect(url_for("review.session", session=session))
    _recorded(f"session_{kind}", session)
    if kind == "discard":
        return redirect(url_for("review.session", session=following) if following else url_for("sessions.index"))
    return redirect(url_for("review.session", session=session))


def _editor() -> Editor:
    context, opened = current(), database.session()
    now = datetime.now(timezone.utc)
    return Editor(opened.connection(), context.settings.site, context.zone, somebody().name, now)


def _recorded(action: str, subject: str) -> None:
    audit.record(database.session(), current().settings.site, somebody().name, action, subject)
    database.session().commit()


def _row(session: str) -> UsageSessionRow:
    """The session; who would correct one that a correction took away is told so and led to the next."""
    row = database.of_site(UsageSessionRow, session)
    if row is None:
        if request.method == "POST" and _was_there(session):
            reason = "missing"
            flash(gettext(REFUSED[reason]), "danger")
            abort(redirect(url_for("review.next_one")))
        abort(404)
    return row


def _was_there(session: str) -> bool:
    found = history(database.session().connection(), current().settings.site, session, 20)
    return any(stored["id"] == session for one in found for stored in one.before)


def _moment(text: str, row: UsageSessionRow) -> datetime:
    """A clock time of the session's day, or of the next where it goes past midnight; an impossible one if not read."""
    zone = current().zone
    try:
        typed = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()  # noqa: DTZ007
    except ValueError:
        return row.started_at - timedelta(days=1)
    day = local_day(row.started_at, zone)
    local = datetime.combine(day, typed, tzinfo=zone)
    # Where the clocks are set back, they show it twice.
    later = (local.replace(fold=1), datetime.combine(day + timedelta(days=1), typed, tzinfo=zone))
    moments = [at.astimezone(timezone.utc) for at in (local, *later)]
    return next((at for at in moments if at >= row.started_at), moments[-1])


def _neighbour(
    opened: Session, row: UsageSessionRow | None, *, newer: bool = False, unreviewed: bool = False
) -> str | None:
    """The ended session before or after `row`, by begin; before the newest where it is None."""
    one = UsageSessionRow
    query = select(one.id).where(one.site == current().settings.site, one.ended_at.is_not(None))
    if row is not None:
        same = one.started_at == row.started_at
        # The first condition, which follows from the second, is what an index can be walked by.
        if newer:
            query = query.where(
                one.started_at >= row.started_at, or_(one.started_at > row.started_at, same & (one.id > row.id))
            )
        else:
            query = query.where(
                one.started_at <= row.started_at, or_(one.started_at < row.started_at, same & (one.id < row.id))
            )
    if unreviewed:
        query = query.where(~exists().where(ReviewRow.session == one.id))
    order = (one.started_at, one.id) if newer else (one.started_at.desc(), one.id.desc())
    return opened.scalar(query.order_by(*order).limit(1))


def _around(opened: Session, row: UsageSessionRow, begin: datetime, end: datetime) -> list[UsageSessionRow]:
    """Sessions of the same equipment or cameras at about that time."""
    one = UsageSessionRow
    query = select(one).where(one.site == row.site, one.started_at < end, one.started_at > begin - timedelta(hours=6))
    query = query.where(or_(one.ended_at.is_(None), one.ended_at > begin)).order_by(one.started_at).limit(500)
    return [o for o in opened.scalars(query) if o.equipment == row.equipment or set(o.cameras) & set(row.cameras)]


def _following(opened: Session, row: UsageSessionRow) -> list[UsageSessionRow]:
    """Those that it could be one with."""
    if row.ended_at is None:
        return []
    one = UsageSessionRow
    query = select(one).where(
        one.site == row.site,
        one.equipment == row.equipment,
        one.unit.is_(None) if row.unit is None else one.unit == row.unit,
        one.zone.is_(None) if row.zone is None else one.zone == row.zone,
        one.started_at >= row.started_at,
        one.started_at <= row.ended_at + MERGEABLE,
        one.ended_at.is_not(None),
        one.id != row.id,
    )
    return list(opened.scalars(query.order_by(one.started_at).limit(MOST_MERGEABLE)))


def _told(row: CorrectionRow, context: Context) -> dict[str, Any]:
    first = row.before[0]
    began = datetime.fromisoformat(first["started_at"]).astimezone(context.zone)
    name = context.catalog.name
    return {
        "row": row,
        "what": gettext(DONE[row.kind]),
        "name": name(first["equipment"], chosen()),
        "became": name(row.after[0]["equipment"], chosen()) if row.kind == "relabel" else None,
        "began": began,
        "at": row.at.astimezone(context.zone),
        "undone": row.undone_at.astimezone(context.zone) if row.undone_at else None,
    }


def _last_of(opened: Session, context: Context) -> dict[str, Any] | None:
    """The last correction of the one who asks, while it stands."""
    row = CorrectionRow
    mine = (row.site == context.settings.site, row.by == somebody().name, row.undone_at.is_(None))
    found = opened.scalar(select(row).where(*mine).order_by(row.id.desc()).limit(1))
    return None if found is None else _told(found, context)
