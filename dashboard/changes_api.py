"""What people do, over the HTTP API: see to alerts, record services, review and correct sessions.

A program changes things in its token's name; a person who is signed in in their own, and with the CSRF token of the
page that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint, abort
from flask import g
from pydantic import BaseModel, Field

from dashboard import api, database, floor
from dashboard.api_access import LIMIT, PREFIX, actor, who
from dashboard.context import current
from dashboard.facts_api import AlertOut, CorrectionOut, alert_out, correction_out
from dashboard.people import audit
from dashboard.security import csrf, limiter
from spotter.database import alerts, services
from spotter.database.corrections import MOST_CLIENT, MOST_NOTE, CorrectionError, Editor
from spotter.database.tables import AlertRow, CorrectionRow
from spotter.errors import SpotterError
from spotter.events import UtcTime

bp = APIBlueprint("changes", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)
csrf.exempt(bp)

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Note = Annotated[Text, Field(max_length=MOST_NOTE)]
Revision = Annotated[
    Text | None,
    Field(description="the session's `revision` as you read it; 409 where somebody has changed the session since"),
]

NOT_POSSIBLE = frozenset({"same", "unit", "apart", "outside"})
"""Reasons that lie in what is asked for, and not in what others did meanwhile."""


class SeenIn(BaseModel):
    """Which session you mean."""

    revision: Revision = None


class RelabelIn(SeenIn):
    """What it was."""

    equipment: Text = Field(description="a label of the catalogue, such as med_ball")


class MergeIn(SeenIn):
    """With which one it is one."""

    following: Text = Field(description="the later session, of the same equipment and place")


class SplitIn(SeenIn):
    """Where the second one begins."""

    at: UtcTime = Field(description="a time with its offset, between the session's begin and its end")


class ReviewIn(BaseModel):
    """What to write of it."""

    note: Note = ""
    client: Annotated[Text, Field(max_length=MOST_CLIENT)] = Field("", description="a nickname, if you want one")


class ReviewOut(ReviewIn):
    """A session that was looked at."""

    session: str
    by: str
    at: UtcTime


class ServiceQuery(BaseModel):
    """Of which unit."""

    unit: str = Field("", description="such as treadmill-1; all without it")
    limit: int = Field(100, ge=1, le=500)


class ServiceIn(BaseModel):
    """What is done to a unit."""

    unit: Text = Field(description="a unit of the layout, such as treadmill-1")
    step: Literal["start", "done"] = Field(description="it is out of use from now on, or was serviced")
    note: Note = ""


class ServiceOut(BaseModel):
    """A service of a unit."""

    unit: str
    began: UtcTime
    done: UtcTime | None
    by: str
    note: str


class ServicesOut(BaseModel):
    """Services, newest first."""

    services: list[ServiceOut]


@bp.before_request
def _require_own_page() -> None:
    """A browser sends its cookie whoever made the page that asks; a token is sent by nobody but its program."""
    if "api_token" not in g:
        csrf.protect()


@bp.post("/alerts/<alert>/acknowledge")
@bp.output(AlertOut)
def acknowledge(alert: str) -> AlertOut:
    """See to an alert; where somebody did already, it stays theirs."""
    context, opened = current(), database.session()
    row = database.of_site(AlertRow, alert)
    if row is None:
        abort(404, "There is no such alert here.")
    now, site = datetime.now(timezone.utc), context.settings.site
    if alerts.acknowledge(opened.connection(), site, row.id, actor(), now, context.settings.shards):
        _recorded("alert_acknowledged", row.id, kind=row.kind)
        context.watcher.nudge()
    opened.refresh(row)
    return alert_out(row)


@bp.get("/services")
@bp.input(ServiceQuery, location="query", arg_name="query")
@bp.output(ServicesOut)
def service_history(query: ServiceQuery) -> ServicesOut:
    """Services of units, newest first; `done` is null while one is under way."""
    return ServicesOut(services=_services(query.unit or None, query.limit))


@bp.post("/services")
@bp.input(ServiceIn, arg_name="body")
@bp.output(ServiceOut)
def service(body: ServiceIn) -> ServiceOut:
    """Record that a unit is being serviced, or was: its hours of use count anew, and its `maintenance_due` is over."""
    context, opened = current(), database.session()
    site, now, by = context.settings.site, datetime.now(timezone.utc), actor()
    if floor.read(opened.connection(), context.settings).equipment_of(body.unit) is None:
        abort(404, "The layout has no such unit.")
    if body.step == "done":
        services.done(opened.connection(), site, body.unit, by, now, context.settings.shards, body.note)
    else:
        try:
            services.start(opened.connection(), site, body.unit, by, now, body.note)
        except SpotterError:
            abort(409, "It is being serviced already.")
    _recorded(f"service_{body.step}", body.unit, note=body.note)
    context.watcher.nudge()
    return _services(body.unit, 1)[0]


@bp.post("/sessions/<session>/review")
@bp.input(ReviewIn, arg_name="body")
@bp.output(ReviewOut)
def review(session: str, body: ReviewIn) -> ReviewOut:
    """Say that a session was looked at and is right; replaces what was written of it before."""
    editor = _editor()
    _possible(lambda: editor.review(session, body.note, body.client))
    _recorded("session_reviewed", session)
    return ReviewOut(session=session, by=editor.by, at=editor.now, note=body.note, client=body.client)


@bp.post("/sessions/<session>/relabel")
@bp.input(RelabelIn, arg_name="body")
@bp.output(CorrectionOut)
def relabel(session: str, body: RelabelIn) -> CorrectionOut:
    """Say that it was another kind of equipment."""
    entry = current().catalog.get(body.equipment)
    if entry is None or not entry.equipment:
        abort(422, "“equipment” is not a label of the catalogue that can be used.")
    return _correct("relabel", session, lambda editor: editor.relabel(session, body.equipment, body.revision))


@bp.post("/sessions/<session>/discard")
@bp.input(SeenIn, arg_name="body")
@bp.output(CorrectionOut)
def discard(session: str, body: SeenIn) -> CorrectionOut:
    """Say that it was no use at all."""
    return _correct("discard", session, lambda editor: editor.discard(session, body.revision))


@bp.post("/sessions/<session>/merge")
@bp.input(MergeIn, arg_name="body")
@bp.output(CorrectionOut)
def merge(session: str, body: MergeIn) -> CorrectionOut:
    """Say that it and a later one were one."""
    return _correct("merge", session, lambda editor: editor.merge(session, body.following, body.revision))


@bp.post("/sessions/<session>/split")
@bp.input(SplitIn, arg_name="body")
@bp.output(CorrectionOut)
def split(session: str, body: SplitIn) -> CorrectionOut:
    """Say that it was two."""
    return _correct("split", session, lambda editor: editor.split(session, body.at, body.revision))


@bp.post("/corrections/<int:number>/undo")
@bp.output(CorrectionOut)
def undo(number: int) -> CorrectionOut:
    """Take a correction back; later ones of the same sessions come first."""
    editor, row = _editor(), database.of_site(CorrectionRow, number)
    if row is None:
        abort(404, "There is no such correction here.")
    _possible(lambda: editor.undo(number))
    _recorded("session_undo", row.session)
    return correction_out(row)


def _correct(kind: str, session: str, work: Callable[[Editor], int]) -> CorrectionOut:
    number = _possible(lambda: work(_editor()))
    _recorded(f"session_{kind}", session)
    row = database.of_site(CorrectionRow, number)
    assert row is not None
    return correction_out(row)


def _possible(work: Callable[[], Any]) -> Any:
    """Do a piece of work, or tell why it can't be done."""
    try:
        return work()
    except CorrectionError as error:
        database.session().rollback()
        status = 404 if error.reason == "missing" else 422 if error.reason in NOT_POSSIBLE else 409
        text = str(error)
        abort(status, f"{text[0].upper()}{text[1:]}.")


def _editor() -> Editor:
    context, now = current(), datetime.now(timezone.utc)
    return Editor(database.session().connection(), context.settings.site, context.zone, actor(), now)


def _services(unit: str | None, limit: int) -> list[ServiceOut]:
    found = services.history(database.session().connection(), current().settings.site, unit, limit)
    return [ServiceOut(unit=one.unit, began=one.began_at, done=one.done_at, by=one.by, note=one.note) for one in found]


def _recorded(action: str, subject: str, **detail: Any) -> None:
    if "api_token" in g:
        detail["token"] = g.api_token  # a person may be called like one
    audit.record(database.session(), current().settings.site, actor(), action, subject, **detail)
    database.session().commit()
