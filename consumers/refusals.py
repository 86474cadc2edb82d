"""Decides whether a message may go on: the contract, the topic and the time must be right. Says why where not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from spotter import events, topics
from spotter.errors import ContractError
from spotter.events import NAME_PATTERN, Scene, Status

LARGEST_SCENE_BYTES = 1 << 20
"""A scene has at most 2000 objects of about 250 bytes; twice that is no scene."""

LARGEST_PREVIEW_BYTES = 1 << 20
"""A JPEG of 640 px has a tenth of it."""

KEPT_BYTES = 1 << 16
"""A refused payload is kept up to here."""

EARLIEST = datetime(2020, 1, 1, tzinfo=timezone.utc)
"""No camera's clock was right before Spotter was written."""

LATEST_AHEAD = timedelta(days=1)
"""A clock may be wrong by a time zone, not by more."""

_HEAD_BYTES = 4096
_STREAM = re.compile(rb'"stream"\s*:\s*"([A-Za-z0-9][A-Za-z0-9_.\-]{0,63})"')
_SEQ = re.compile(rb'"seq"\s*:\s*(\d{1,18})\s*[,}]')
_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is refused, and, where it can be read, which scene of which stream it would have been."""

    cause: str
    """One of a few words, to count by."""
    detail: str
    """For a person; never holds the payload's values."""
    site: str | None = None
    camera: str | None = None
    stream: str | None = None
    seq: int | None = None

    def marker(self) -> bytes | None:
        """What stands in the scene stream for the refused scene, so that the row of `seq` goes on past it."""
        if self.stream is None or self.seq is None or self.site is None:
            return None
        marker = {"site": self.site, "camera": self.camera, "stream": self.stream, "seq": self.seq}
        return json.dumps(marker).encode()


def check_scene(topic: str, payload: bytes, now: datetime) -> Scene | Refusal:
    """The scene in a message, or why there is none."""
    place = topics.parse_camera_topic(topic)
    if place is None:
        return Refusal("topic", "not a topic of a camera")
    if len(payload) > LARGEST_SCENE_BYTES:
        return _refuse("too_large", f"{len(payload)} bytes; at most {LARGEST_SCENE_BYTES}", place, payload)
    try:
        scene = events.parse(Scene, payload)
    except ContractError as error:
        return _refuse(_cause(payload, "spotter.scene/1"), str(error), place, payload)
    if (scene.site, scene.camera) != (place.site, place.camera):
        return _refuse("topic_mismatch", "its site and camera are not those of its topic", place, payload)
    if not EARLIEST <= scene.time <= now + LATEST_AHEAD:
        return _refuse(
            "time", "its time is before 2020 or more than a day ahead; set the camera box's clock", place, payload
        )
    return scene


def check_status(topic: str, payload: bytes) -> Status | Refusal:
    """The status in a message, or why there is none."""
    place = topics.parse_camera_topic(topic)
    if place is None:
        return Refusal("topic", "not a topic of a camera")
    if len(payload) > KEPT_BYTES:
        return Refusal("too_large", f"{len(payload)} bytes", place.site, place.camera)
    try:
        return events.parse(Status, payload)
    except ContractError as error:
        return Refusal(_cause(payload, "spotter.status/1"), str(error), place.site, place.camera)


def check_preview(topic: str, payload: bytes) -> Refusal | None:
    """Why a preview can't be shown, or None."""
    if topics.parse_camera_topic(topic) is None:
        return Refusal("topic", "not a topic of a camera")
    if len(payload) > LARGEST_PREVIEW_BYTES:
        return Refusal("too_large", f"{len(payload)} bytes; at most {LARGEST_PREVIEW_BYTES}")
    if not payload.startswith(b"\xff\xd8"):
        return Refusal("malformed", "not a JPEG")
    return None


def _cause(payload: bytes, schema: str) -> str:
    values = _values(payload)
    if values is None:
        return "malformed"
    given = values.get("schema")
    if isinstance(given, str) and given != schema and given.startswith(schema.split("/")[0] + "/"):
        return "version"
    return "invalid"


def _refuse(cause: str, detail: str, place: topics.CameraTopic, payload: bytes) -> Refusal:
    """A refusal with the scene's stream and seq, read as far as that is possible in what is no valid scene."""
    values = _values(payload) if len(payload) <= LARGEST_SCENE_BYTES else None
    stream: Any = None
    seq: Any = None
    if values is not None:
        stream, seq = values.get("stream"), values.get("seq")
    else:
        head = payload[:_HEAD_BYTES]
        found_stream, found_seq = _STREAM.search(head), _SEQ.search(head)
        stream = found_stream[1].decode() if found_stream else None
        seq = int(found_seq[1]) if found_seq else None
    readable = (
        isinstance(stream, str)
        and _NAME.fullmatch(stream)
        and isinstance(seq, int)
        and not isinstance(seq, bool)
        and 0 <= seq <= 2**62
    )
    if not readable:
        stream = seq = None
    return Refusal(cause, detail, place.site, place.camera, stream, seq)


def _values(payload: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
