"""The HTTP API, version 1: all that the pages show, described by an OpenAPI document."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any, Literal

from apiflask import APIBlueprint, abort
from flask import Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from dashboard import database, floor
from dashboard.api_access import LIMIT, PREFIX, has_scope, who
from dashboard.context import current
from dashboard.equipment import overview
from dashboard.equipment.period import last_days
from dashboard.live import thinking
from dashboard.live.cameras import Tile
from dashboard.live.views import answer_stream
from dashboard.security import limiter
from dashboard.session_query import is_cursor, page, read_filter
from spotter.catalog import Card, Entry, Language
from spotter.database.corrections import fingerprint
from spotter.database.tables import UsageSessionRow
from spotter.events import UtcTime
from spotter.thoughts import Thoughts

CLOCKS = frozenset({"now", "end"})
"""Fields that hold the time of the answer. `now` of today's figures is a list, and no clock."""

SPEC_PATH = f"{PREFIX}/openapi.json"

STREAMED: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {
        "description": "`camera`, `held`, `use`, `health` and (with `alerts:read`, too) `alerts` events, the newest "
        "document of each first; `ping` between",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

bp = APIBlueprint("api", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)


class SessionQuery(BaseModel):
    """Which sessions."""

    model_config = ConfigDict(populate_by_name=True)

    begin: str = Field("", alias="from", description="day or local time from which on, such as 2026-11-22T18:00")
    end: str = Field("", alias="to", description="day (whole) or local time up to which")
    equipment: str = Field("", description="a label, such as kettlebell")
    camera: str = ""
    unit: str = ""
    reviewed: Literal["", "yes", "no"] = Field("", description="only those that somebody looked at, or nobody")
    cursor: str = Field("", description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)


class SessionOut(BaseModel):
    """A usage session, as in the event contract."""

    session: str
    site: str
    equipment: str
    unit: str | None
    zone: str | None
    cameras: list[str]
    started: UtcTime
    ended: UtcTime | None
    active_seconds: float
    confidence: float
    ended_by: str | None
    revision: str = Field(description="another one whenever the session changes; name it when you correct the session")


class SessionsOut(BaseModel):
    """A page of sessions, newest first."""

    sessions: list[SessionOut]
    next: str | None = Field(description="cursor of the next, older page; null on the last one")


class CameraOut(BaseModel):
    """A camera at this moment."""

    camera: str
    state: Literal["online", "degraded", "offline", "unknown"]
    reason: str | None
    fps: float
    latency_ms: float | None
    picture: bool
    objects: list[dict[str, Any]]


class PartOut(BaseModel):
    """A part of Spotter."""

    part: str
    state: Literal["ok", "degraded"]
    reason: str | None


class LiveOut(BaseModel):
    """What is true now."""

    now: UtcTime
    parts: list[PartOut]
    cameras: list[CameraOut]
    open_sessions: int


class CamerasOut(BaseModel):
    """Every camera."""

    cameras: list[CameraOut]


class CatalogueQuery(BaseModel):
    """In which language."""

    language: Language = "en"


class CatalogueEntryOut(BaseModel):
    """What the catalogue says about a label."""

    label: str
    equipment: bool = Field(description="false for what is detected but not used, such as a person")
    card: Card


class CatalogueOut(BaseModel):
    """Every label that the catalogue knows."""

    entries: list[CatalogueEntryOut]


class EquipmentQuery(BaseModel):
    """Of which days, in which language."""

    days: int = Field(7, ge=1, le=366, description="whole local days up to now, today included")
    language: Language = "en"


class EquipmentOut(BaseModel):
    """A kind of equipment and its use in the days asked for; `/figures` has more."""

    equipment: str
    name: str
    sessions: int = Field(description="that began then")
    running: int
    seconds: float
    median_seconds: float | None
    seconds_by_hour: list[float] = Field(description="24 figures, by hour of the gym's day")


class EquipmentsOut(BaseModel):
    """Every kind that was used, most used first."""

    equipment: list[EquipmentOut]


@bp.get("/sessions")
@bp.input(SessionQuery, location="query", arg_name="query")
@bp.output(SessionsOut)
def sessions(query: SessionQuery) -> SessionsOut:
    """Usage sessions, newest first, page by page."""
    context = current()
    wanted, problems = read_filter(query.model_dump(by_alias=True), context.settings.site, context.zone)
    if query.cursor and not is_cursor(query.cursor):
        problems.append("“cursor” is not the `next` of a page.")
    if problems:
        abort(422, " ".join(problems))
    found = page(database.session(), wanted, query.cursor or None, query.limit)
    return SessionsOut(sessions=[_session(row) for row in found.rows], next=found.older)


@bp.get("/sessions/<session>")
@bp.output(SessionOut)
def one_session(session: str) -> SessionOut:
    """One usage session."""
    row = database.of_site(UsageSessionRow, session)
    if row is None:
        abort(404, "There is no such session here.")
    return _session(row)


@bp.get("/live")
@bp.output(LiveOut)
def live() -> LiveOut:
    """Cameras, parts and what is in use at this moment."""
    watcher = current().watcher
    return LiveOut(
        now=datetime.now(timezone.utc),
        parts=[PartOut(part=part.part, state=part.state, reason=part.reason) for part in watcher.parts()],
        cameras=[_camera(tile) for tile in watcher.tiles()],
        open_sessions=watcher.open_sessions(),
    )


@bp.get("/events")
@bp.doc(responses=STREAMED)
def events() -> ResponseReturnValue:
    """Changes of the live state as server-sent events; a reader that sends `Last-Event-ID` gets all it missed."""
    hidden = frozenset() if has_scope("alerts:read") else frozenset({"alerts"})
    return answer_stream(without=hidden, replay=True)


@bp.get("/cameras")
@bp.output(CamerasOut)
def cameras() -> CamerasOut:
    """Every camera with its health and what it sees."""
    return CamerasOut(cameras=[_camera(tile) for tile in current().watcher.tiles()])


@bp.get("/cameras/<camera>")
@bp.output(CameraOut)
def one_camera(camera: str) -> CameraOut:
    """One camera with its health and what it sees."""
    found = next((tile for tile in current().watcher.tiles() if tile.camera == camera), None)
    if found is None:
        abort(404, "There is no such camera here.")
    return _camera(found)


@bp.get("/cameras/<camera>/thoughts")
@bp.output(Thoughts)
def camera_thoughts(camera: str) -> Thoughts:
    """What the rules think of what a camera shows at this moment, and why."""
    found = thinking.ask(current(), camera)
    if found is None:
        abort(503, "The usage worker does not answer; see what health says of it.")
    return found


@bp.get("/catalogue")
@bp.input(CatalogueQuery, location="query", arg_name="query")
@bp.output(CatalogueOut)
def catalogue(query: CatalogueQuery) -> CatalogueOut:
    """Every label that the catalogue knows: name, purpose, steps, what to mind."""
    return CatalogueOut(entries=[_entry(entry, query.language) for entry in current().catalog])


@bp.get("/catalogue/<label>")
@bp.input(CatalogueQuery, location="query", arg_name="query")
@bp.output(CatalogueEntryOut)
def catalogue_entry(label: str, query: CatalogueQuery) -> CatalogueEntryOut:
    """What the catalogue says about one label."""
    entry = current().catalog.get(label)
    if entry is None:
        abort(404, "The catalogue has no such label.")
    return _entry(entry, query.language)


@bp.get("/equipment")
@bp.input(EquipmentQuery, location="query", arg_name="query")
@bp.output(EquipmentsOut)
def equipment_use(query: EquipmentQuery) -> EquipmentsOut:
    """Use of each kind of equipment, most used first."""
    context, opened = current(), database.session()
    period = last_days(query.days, context.zone, datetime.now(timezone.utc))
    stands = floor.read(opened.connection(), context.settings)
    figures = [
        EquipmentOut(
            equipment=kind.equipment,
            name=context.catalog.name(kind.equipment, query.language),
            sessions=kind.figures.sessions,
            running=kind.running,
            seconds=kind.figures.seconds,
            median_seconds=kind.median_seconds,
            seconds_by_hour=[hour.seconds for hour in kind.hours],
        )
        for kind in overview.kinds(opened, context.settings.site, context.zone, stands, period)
    ]
    return EquipmentsOut(equipment=figures)


@bp.after_request
def tag(response: Response) -> Response:
    """Give a whole answer its ETag, and leave it out where the reader has it already."""
    if response.status_code == 200 and request.method == "GET" and not response.is_streamed:
        body = response.get_json(silent=True)
        lasting = _lasting(body)
        if lasting != body:
            text = json.dumps(lasting, sort_keys=True)
            response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32], weak=True)
        else:
            response.add_etag()
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response


def _lasting(body: Any) -> Any:
    """An answer without what the clock alone changes: the time itself, and how much of a running day was seen."""
    if isinstance(body, list):
        return [_lasting(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        name: round(value, 3) if name == "coverage" and isinstance(value, float) else _lasting(value)
        for name, value in body.items()
        if name not in CLOCKS or not isinstance(value, str)
    }


def _session(row: UsageSessionRow) -> SessionOut:
    return SessionOut(
        session=row.id,
        site=row.site,
        equipment=row.equipment,
        unit=row.unit,
        zone=row.zone,
        cameras=row.cameras,
        started=row.started_at,
        ended=row.ended_at,
        active_seconds=row.active_seconds,
        confidence=row.confidence,
        ended_by=row.ended_by,
        revision=fingerprint(row),
    )


def _camera(tile: Tile) -> CameraOut:
    return CameraOut.model_validate(tile.document())


def _entry(entry: Entry, language: Language) -> CatalogueEntryOut:
    return CatalogueEntryOut(label=entry.label, equipment=entry.equipment, card=entry.card(language))
