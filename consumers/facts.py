"""What the rules find out: facts about sessions, alerts, counts, units, queues, and the time that was really watched.

All times are whole milliseconds since 1970, durations whole milliseconds. Facts follow from (state, scene) alone: the
same scenes give the same facts, in one go or with a restart after any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spotter.events import AlertKind, EndedBy, EquipmentState

HOUR_MS = 3_600_000
"""Facts that are summed by the hour (watched, queues) never cross a full hour since 1970, UTC."""

SLICE_MS = 10_000
"""They are told of at most so often, unless an hour ends or what they measure does."""


@dataclass(frozen=True, slots=True)
class SessionFact:
    """What became known of a usage session at a moment."""

    type: Literal["started", "updated", "ended"]
    subject: str
    """What the session's id is made of beside its start: a unit, or a camera and a track."""
    equipment: str
    unit: str | None
    zone: str | None
    cameras: tuple[str, ...]
    started: int
    ended: int | None
    active: int
    confidence: float
    ended_by: EndedBy | None
    layout_version: int
    last: int
    """The last moment at which use was seen; where it ended, once it has."""


@dataclass(frozen=True, slots=True)
class AlertFact:
    """An alert is raised, or over. Of one kind and subject, the two alternate."""

    type: Literal["raised", "cleared"]
    kind: AlertKind
    subject: str
    """What the alert's id is made of beside site, kind and `raised`."""
    camera: str | None
    zone: str | None
    unit: str | None
    equipment: str | None
    raised: int
    """When it was raised: the same in both facts of an alert."""
    time: int
    """When it was raised or cleared."""
    detail: str
    layout_version: int


@dataclass(frozen=True, slots=True)
class CountFact:
    """How many of a label are in a zone now, by the camera that sees most; told when it changed."""

    zone: str
    label: str
    count: int
    time: int


@dataclass(frozen=True, slots=True)
class StateFact:
    """A unit of fixed equipment is `free` or `in_use` from now on; told when it changed."""

    unit: str
    state: EquipmentState
    time: int


@dataclass(frozen=True, slots=True)
class RackFact:
    """What a rack lacks of a label now; told when any of it changed."""

    zone: str
    label: str
    expected: int
    seen: int
    """In the rack, smoothed."""
    missing: int
    """Of those that are not in it, unseen anywhere for so long that they count as missing."""
    time: int

    @property
    def taken(self) -> int:
        """How many are not in the rack."""
        return max(0, self.expected - self.seen)


@dataclass(frozen=True, slots=True)
class IdentifiedFact:
    """What is held up to a kiosk camera; told when it changed."""

    camera: str
    state: Literal["recognised", "unsure", "none"]
    label: str | None
    confidence: float | None
    nearest: tuple[tuple[str, float], ...]
    """(label, confidence) of the two nearest when unsure."""
    time: int


@dataclass(frozen=True, slots=True)
class WatchedFact:
    """A stretch, within one hour, in which a camera's picture really covered the time."""

    camera: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class QueueFact:
    """A stretch, within one hour, in which people waited for units that were all busy."""

    zone: str
    units: tuple[str, ...]
    begin: int
    end: int
    person_ms: int
    """Milliseconds summed over the people who waited."""


Fact = SessionFact | AlertFact | CountFact | StateFact | RackFact | IdentifiedFact | WatchedFact | QueueFact
