"""Alerts, corrections of sessions and versions of the layout over the HTTP API, to read."""

from __future__ import annotations

from typing import Any, Literal

from apiflask import APIBlueprint, abort
from pydantic import BaseModel, ConfigDict, Field

from dashboard import api, database
from dashboard.alerts import query as alert_query
from dashboard.api_access import LIMIT, PREFIX, who
from dashboard.context import current
from dashboard.security import limiter
from spotter.database import corrections, layouts
from spotter.database.layouts import StoredLayout
from spotter.database.tables import AlertRow, CorrectionRow
from spotter.events import UtcTime

bp = APIBlueprint("facts", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)


class AlertQuery(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(populate_by_name=True)

    state: Literal["open", "over", "all"] = "open"
    kind: str = Field("", description="such as walkway")
    equipment: str = Field("", description="a label, such as kettlebell")
    camera: str = ""
    begin: str = Field("", alias="from", description="raised on or after this day or local time")
    end: str = Field("", alias="to", description="raised before the end of this day, or this local time")
    cursor: str = Field("", description="`next` of the page before")
    limit: int = Field(50, ge=1, le=500)


class AlertOut(BaseModel):
    """Something that a person should look at, or should have."""

    alert: str
    kind: str
    camera: str | None
    zone: str | None
    unit: str | None
    equipment: str | None
    raised: UtcTime
    detail: str
    acknowledged: UtcTime | None
    acknowledged_by: str | None
    cleared: UtcTime | None
    cleared_detail: str | None
    layout_version: int


class AlertsOut(BaseModel):
    """A page of alerts, newest first."""

    alerts: list[AlertOut]
    next: str | None = Field(description="cursor of the next, older page; null on the last one")


class CorrectionOut(BaseModel):
    """What a person changed of sessions: whole sessions before and after."""

    correction: int
    kind: Literal["relabel", "discard", "merge", "split"]
    session: str
    by: str
    at: UtcTime
    before: list[dict[str, Any]]
    after: list[dict[str, Any]] = Field(description="empty where it was no session")
    undone: UtcTime | None
    undone_by: str | None


class CorrectionsOut(BaseModel):
    """The newest corrections, those that were taken back among them."""

    corrections: list[CorrectionOut]


class CorrectionQuery(BaseModel):
    """Which corrections."""

    session: str = Field("", description="only those in which this session appears")
    limit: int = Field(100, ge=1, le=500)


class VersionOut(BaseModel):
    """A version of the layout, without its zones."""

    version: int
    in_force: bool
    source: str = Field(description="settings, import or dashboard")
    by: str | None
    made: UtcTime
    applied: UtcTime | None = Field(description="when it was taken into use")


class LayoutOut(VersionOut):
    """A version with its zones by camera, thresholds and time zone."""

    document: dict[str, Any]


class VersionsOut(BaseModel):
    """Every version, newest first."""

    versions: list[VersionOut]


@bp.get("/alerts")
@bp.input(AlertQuery, location="query", arg_name="query")
@bp.output(AlertsOut)
def alerts(query: AlertQuery) -> AlertsOut:
    """Alerts, newest first, page by page; those that are open unless others are asked for."""
    context = current()
    wanted, problems = alert_query.read_filter(query.model_dump(by_alias=True), context.settings.site, context.zone)
    if query.cursor and not alert_query.is_cursor(query.cursor):
        problems.append("“cursor” is not the `next` of a page.")
    if problems:
        abort(422, " ".join(problems))
    found = alert_query.page(database.session(), wanted, query.cursor or None, query.limit)
    return AlertsOut(alerts=[alert_out(row) for row in found.rows], next=found.older)


@bp.get("/alerts/<alert>")
@bp.output(AlertOut)
def one_alert(alert: str) -> AlertOut:
    """One alert."""
    row = database.of_site(AlertRow, alert)
    if row is None:
        abort(404, "There is no such alert here.")
    return alert_out(row)


@bp.get("/corrections")
@bp.input(CorrectionQuery, location="query", arg_name="query")
@bp.output(CorrectionsOut)
def corrected(query: CorrectionQuery) -> CorrectionsOut:
    """What people corrected of sessions, newest first."""
    connection, site = database.session().connection(), current().settings.site
    found = corrections.history(connection, site, query.session or None, query.limit)
    return CorrectionsOut(corrections=[correction_out(row) for row in found])


@bp.get("/layouts")
@bp.output(VersionsOut)
def versions() -> VersionsOut:
    """Every version of the layout, newest first."""
    connection, site = database.session().connection(), current().settings.site
    in_force = layouts.in_force(connection, site)
    return VersionsOut(versions=[_version(known, in_force) for known in layouts.versions(connection, site)])


@bp.get("/layouts/<number>")
@bp.output(LayoutOut)
def one_layout(number: str) -> LayoutOut:
    """One version of the layout, with its zones."""
    connection, site = database.session().connection(), current().settings.site
    found = next((known for known in layouts.versions(connection, site) if str(known.version) == number), None)
    if found is None:
        abort(404, "The layout has no such version.")
    told = _version(found, layouts.in_force(connection, site))
    return LayoutOut(**told.model_dump(), document=found.document)


def alert_out(row: AlertRow) -> AlertOut:
    """An alert as the API gives it."""
    return AlertOut(
        alert=row.id,
        kind=row.kind,
        camera=row.camera,
        zone=row.zone,
        unit=row.unit,
        equipment=row.equipment,
        raised=row.raised_at,
        detail=row.detail,
        acknowledged=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        cleared=row.cleared_at,
        cleared_detail=row.cleared_detail,
        layout_version=row.layout_version,
    )


def correction_out(row: CorrectionRow) -> CorrectionOut:
    """A correction as the API gives it."""
    return CorrectionOut.model_validate(
        {
            "correction": row.id,
            "kind": row.kind,
            "session": row.session,
            "by": row.by,
            "at": row.at,
            "before": row.before,
            "after": row.after,
            "undone": row.undone_at,
            "undone_by": row.undone_by,
        }
    )


def _version(known: StoredLayout, in_force: int) -> VersionOut:
    return VersionOut(
        version=known.version,
        in_force=known.version == in_force,
        source=known.source,
        by=known.created_by,
        made=known.created_at,
        applied=known.applied_at,
    )
