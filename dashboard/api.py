"""The HTTP API, version 1: sessions, live state and equipment, described by an OpenAPI document."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Literal

from apiflask import APIBlueprint, abort
from pydantic import BaseModel, ConfigDict, Field

from dashboard import database, equipment
from dashboard.context import current
from dashboard.session_query import page, read_filter
from dashboard.usage_hours import tally
from spotter.catalog import Language
from spotter.events import UtcTime

PREFIX = "/api/v1"
SPEC_PATH = f"{PREFIX}/openapi.json"

bp = APIBlueprint("api", __name__, url_prefix=PREFIX, tag="Spotter")


class SessionQuery(BaseModel):
    """Which sessions."""

    model_config = ConfigDict(populate_by_name=True)

    begin: str = Field("", alias="from", description="day or local time from which on, such as 2026-11-22T18:00")
    end: str = Field("", alias="to", description="day (whole) or local time up to which")
    equipment: str = Field("", description="a label, such as kettlebell")
    camera: str = ""
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


class EquipmentQuery(BaseModel):
    """Of which days, in which language."""

    days: int = Field(7, ge=1, le=366, description="whole local days up to now, today included")
    language: Language = "en"


class EquipmentOut(BaseModel):
    """A kind of equipment and its use in the days asked for."""

    equipment: str
    name: str
    sessions: int
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
    if problems:
        abort(422, " ".join(problems))
    found = page(database.session(), wanted, query.cursor or None, query.limit)
    rows = [
        SessionOut(
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
        )
        for row in found.rows
    ]
    return SessionsOut(sessions=rows, next=found.older)


@bp.get("/live")
@bp.output(LiveOut)
def live() -> LiveOut:
    """Cameras, parts and what is in use at this moment."""
    watcher = current().watcher
    return LiveOut(
        now=datetime.now(timezone.utc),
        parts=[PartOut(part=part.part, state=part.state, reason=part.reason) for part in watcher.parts()],
        cameras=[CameraOut.model_validate(tile.document()) for tile in watcher.tiles()],
        open_sessions=watcher.open_sessions(),
    )


@bp.get("/equipment")
@bp.input(EquipmentQuery, location="query", arg_name="query")
@bp.output(EquipmentsOut)
def equipment_use(query: EquipmentQuery) -> EquipmentsOut:
    """Use of each kind of equipment, most used first."""
    context = current()
    period = equipment.last_days(query.days, datetime.now(timezone.utc))
    kinds = tally(equipment.uses(database.session(), period), period.begin, period.end, context.zone)
    figures = [
        EquipmentOut(
            equipment=kind.equipment,
            name=context.catalog.name(kind.equipment, query.language),
            sessions=kind.sessions,
            running=kind.running,
            seconds=kind.seconds,
            median_seconds=kind.median_seconds,
            seconds_by_hour=kind.seconds_by_hour,
        )
        for kind in kinds
    ]
    return EquipmentsOut(equipment=figures)
