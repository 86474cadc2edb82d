"""The figures of the page of today over the HTTP API."""

from __future__ import annotations

from datetime import date, datetime, timezone

from apiflask import APIBlueprint
from flask_babel import force_locale
from pydantic import BaseModel, Field

from dashboard import api, database, floor
from dashboard.api_access import LIMIT, PREFIX, who
from dashboard.context import current
from dashboard.equipment.query import running
from dashboard.security import limiter
from dashboard.times import local_day
from dashboard.today import query
from dashboard.today.words import say
from spotter.catalog import Language

bp = APIBlueprint("today_api", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)


class TodayQuery(BaseModel):
    """In which language."""

    language: Language = "en"


class TypeNowOut(BaseModel):
    """How much of a type is in use at this moment."""

    equipment: str
    pieces: int = Field(description="that stand in the gym or belong in its racks")
    in_use: int


class ThingOut(BaseModel):
    """Something worth knowing."""

    kind: str = Field(description="all_taken, queue, missing, maintenance_due, in_service, idle or unusual")
    equipment: str | None
    unit: str | None
    text: str = Field(description="in a sentence")
    evidence: str = Field(description="the path of the page that shows it")


class DaySumsOut(BaseModel):
    """A day up to the last full hour."""

    seconds: float = Field(description="in use, summed over pieces")
    sessions: float
    queue_seconds: float


class TodayOut(BaseModel):
    """Today so far, beside a usual day of its weekday."""

    day: date
    hours_over: int = Field(description="full hours of the day that are over, which `so_far` and `usual` count")
    coverage: float = Field(description="share of the day that cameras covered")
    seconds_by_hour: list[float] = Field(description="24 figures, the running hour as far as it is counted")
    so_far: DaySumsOut
    usual: DaySumsOut | None = Field(description="null while too few days of this weekday were seen")
    now: list[TypeNowOut]
    things: list[ThingOut] = Field(description="at most three, those first that cost members most")


@bp.get("/today")
@bp.input(TodayQuery, location="query", arg_name="asked")
@bp.output(TodayOut)
def today(asked: TodayQuery) -> TodayOut:
    """Today against a usual day, what is in use of each type, and what is worth knowing."""
    context, opened, now = current(), database.session(), datetime.now(timezone.utc)
    site, day = context.settings.site, local_day(now, context.zone)
    stands = floor.read(opened.connection(), context.settings)
    found = query.read(opened, site, context.zone, stands, now)
    busy = running(opened, site)
    sums, usual = found.day.so_far(found.over), found.usual
    with force_locale(asked.language):
        said = [
            (thing, say(thing, lambda label: context.catalog.name(label, asked.language), day))
            for thing in found.things
        ]
    return TodayOut(
        day=day,
        hours_over=found.over,
        coverage=found.day.coverage,
        seconds_by_hour=[hour.in_use_ms / 1000 for hour in found.day.hours],
        so_far=_sums(sums.in_use_ms, sums.sessions, sums.queue_ms),
        usual=_sums(usual.in_use_ms, usual.sessions, usual.queue_ms) if usual else None,
        now=[
            TypeNowOut(equipment=label, pieces=pieces, in_use=busy.get(label, 0))
            for label, pieces in stands.pieces().items()
        ],
        things=[
            ThingOut(kind=thing.kind, equipment=thing.equipment, unit=thing.unit, text=one.text, evidence=one.evidence)
            for thing, one in said
        ],
    )


def _sums(in_use_ms: float, sessions: float, queue_ms: float) -> DaySumsOut:
    return DaySumsOut(seconds=in_use_ms / 1000, sessions=sessions, queue_seconds=queue_ms / 1000)
