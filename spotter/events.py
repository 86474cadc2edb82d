"""The event contract, version 1: every message that parts exchange, as pydantic models.

They are the single source of the JSON Schemas and the AsyncAPI document under ``docs/``. Readers ignore unknown
fields and refuse an unknown major version (the number after the slash in ``schema``).
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from spotter.errors import ContractError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"
"""Sites, cameras, zones, labels and units: one MQTT topic level, one file name, no escaping anywhere."""

_USAGE_NAMESPACE = uuid.UUID("6b0e7f0a-8c61-5e0e-9a55-7d3c1f3f5b10")
_ALERT_NAMESPACE = uuid.UUID("c0a4d9be-3a0f-5d1c-8f43-2f8e6f3f0a77")


def to_milliseconds(time: datetime) -> datetime:
    """The same moment in UTC, cut to whole milliseconds (what the contract carries)."""
    time = time.astimezone(timezone.utc)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, such as ``2026-11-22T18:00:00.123Z``."""
    return to_milliseconds(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _aware_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time needs its zone, such as the Z of 2026-11-22T18:00:00.000Z")
    try:
        return to_milliseconds(time)
    except OverflowError as error:
        raise ValueError("a time outside the calendar") from error


def _inside_frame(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if x1 > x2 or y1 > y2:
        raise ValueError("a box is [left, top, right, bottom]")
    return box


Name = Annotated[str, Field(pattern=NAME_PATTERN, description="letters, digits, dot, dash and underscore; at most 64")]
UtcTime = Annotated[
    datetime, AfterValidator(_aware_utc), PlainSerializer(format_time, return_type=str, when_used="json")
]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Box = Annotated[
    tuple[Fraction, Fraction, Fraction, Fraction],
    AfterValidator(_inside_frame),
    Field(description="[left, top, right, bottom] relative to the frame, 0 to 1"),
]
Seq = Annotated[int, Field(ge=0, le=2**62)]


class Event(BaseModel):
    """What all messages share: immutable, JSON in UTF-8, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> bytes:
        """The message as published."""
        return self.model_dump_json(by_alias=True).encode()


class SceneObject(Event):
    """One tracked object in a scene."""

    id: str = Field(min_length=1, max_length=64, description="the track's; never used twice in a stream")
    label: Name
    score: Fraction
    box: Box
    moving: bool
    since: UtcTime = Field(description="when the track began")


class Scene(Event):
    """A camera's tracked objects at a moment. ``(site, camera, stream, seq)`` is its idempotency key."""

    schema_: Literal["spotter.scene/1"] = Field("spotter.scene/1", alias="schema")
    site: Name
    camera: Name
    stream: Name = Field(description="names the camera's outbox; new only when its disk is")
    seq: Seq = Field(description="grows by one per scene of the stream")
    floor: Seq = Field(description="the lowest seq that the pipeline can still send again")
    time: UtcTime = Field(description="when the frame was captured, by wall clock")
    frame: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] = Field(description="[width, height], px")
    picture: bool = Field(True, description="false: the camera gave no frame, so absence here is not evidence")
    objects: tuple[SceneObject, ...] = Field((), max_length=2000)

    @model_validator(mode="after")
    def _consistent(self) -> Scene:
        if self.floor > self.seq:
            raise ValueError("floor is above seq")
        if not self.picture and self.objects:
            raise ValueError("a scene without a picture has no objects")
        return self

    def to_json(self) -> bytes:
        """The scene as published: ``picture`` is left out while it is true."""
        return self.model_dump_json(by_alias=True, exclude={"picture"} if self.picture else None).encode()


class Committed(Event):
    """Every scene of the stream up to ``seq`` is in the database; the pipeline may forget it."""

    schema_: Literal["spotter.committed/1"] = Field("spotter.committed/1", alias="schema")
    stream: Name
    seq: Seq


class FramesPerSecond(Event):
    """Rates over the last seconds."""

    captured: float = Field(ge=0)
    detected: float = Field(ge=0)


CameraState = Literal["online", "degraded", "offline"]


class Status(Event):
    """A camera's health. ``online`` means that frames were processed in the last seconds."""

    schema_: Literal["spotter.status/1"] = Field("spotter.status/1", alias="schema")
    state: CameraState
    time: UtcTime
    fps: FramesPerSecond = FramesPerSecond(captured=0, detected=0)
    latency_ms: float | None = Field(None, ge=0, description="frame captured to scene published, recent mean")
    reason: str | None = Field(None, max_length=500, description="why it is not online, in plain words")


class PreviewRequest(Event):
    """Asks a camera for previews for some seconds; repeat it while someone watches."""

    schema_: Literal["spotter.preview/1"] = Field("spotter.preview/1", alias="schema")
    seconds: float = Field(gt=0, le=300)


EndedBy = Literal["left", "rest", "lost", "camera_lost", "layout"]


class UsageSession(Event):
    """A stretch of time in which a unit of equipment was used."""

    schema_: Literal["spotter.usage/1"] = Field("spotter.usage/1", alias="schema")
    type: Literal["started", "updated", "ended"]
    session: uuid.UUID = Field(description="deterministic, so that a repeat is recognised")
    site: Name
    equipment: Name
    unit: Name | None = Field(None, description="null for portable kit, whose pieces can't be told apart")
    zone: Name | None = None
    cameras: tuple[Name, ...] = ()
    started: UtcTime
    ended: UtcTime | None = None
    active_seconds: float = Field(ge=0, description="seconds of use that was seen; moments unseen in between count")
    confidence: Fraction
    ended_by: EndedBy | None = Field(None, description="what ended it; null while it is open")


AlertKind = Literal["left_out", "walkway", "missing", "queue", "camera_offline", "maintenance_due"]


class Alert(Event):
    """Something that a person should look at."""

    schema_: Literal["spotter.alert/1"] = Field("spotter.alert/1", alias="schema")
    type: Literal["raised", "acknowledged", "cleared"]
    alert: uuid.UUID
    kind: AlertKind
    site: Name
    camera: Name | None = None
    zone: Name | None = None
    unit: Name | None = None
    equipment: Name | None = None
    time: UtcTime
    detail: str = Field(max_length=500)
    by: str | None = Field(None, max_length=64, description="who acknowledged it; null otherwise")


class Candidate(Event):
    """A label that an item may have, with the confidence in it."""

    label: Name
    confidence: Fraction


class Identified(Event):
    """What a kiosk camera is shown."""

    schema_: Literal["spotter.identified/1"] = Field("spotter.identified/1", alias="schema")
    state: Literal["recognised", "unsure", "none"]
    label: Name | None = None
    confidence: Fraction | None = None
    nearest: tuple[Candidate, ...] = Field((), max_length=2, description="the two nearest when unsure")
    time: UtcTime


EquipmentState = Literal["free", "in_use", "left_out", "missing", "maintenance"]

MESSAGES: tuple[type[Event], ...] = (Scene, Committed, Status, PreviewRequest, UsageSession, Alert, Identified)
"""Every message with a schema of its own, in the order of the contract."""

AnyEvent = TypeVar("AnyEvent", bound=Event)


def parse(kind: type[AnyEvent], payload: bytes | str) -> AnyEvent:
    """Read one message of a known kind.

    Raises ContractError, on one line and without the payload's values, for anything that the contract refuses.
    """
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        raise ContractError(f"not a valid {kind.__name__}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """The first problem of a validation error on one line, with its place and without the offending value."""
    first: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "message"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg'].removeprefix('Value error, ')}{more}"


def usage_session_id(site: str, subject: str, started: datetime) -> uuid.UUID:
    """The id of the session in which `subject` (a unit, or a track of portable kit) was used from `started` on."""
    return uuid.uuid5(_USAGE_NAMESPACE, f"{site}/{subject}/{format_time(started)}")


def alert_id(site: str, kind: str, subject: str, raised: datetime) -> uuid.UUID:
    """The id of the alert of `kind` about `subject` that was raised then."""
    return uuid.uuid5(_ALERT_NAMESPACE, f"{site}/{kind}/{subject}/{format_time(raised)}")


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Seconds from `earlier` to `later`; negative when they are the other way round."""
    return (later - earlier) / timedelta(seconds=1)
