"""All that follows from a batch of scenes, as it goes into one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from consumers.facts import RackFact, SessionFact
from consumers.order import StreamKey
from consumers.view import to_time
from spotter.database.rollups import FigureChanges
from spotter.events import Alert, usage_session_id


class StateChange(NamedTuple):
    """A place's state after a batch; `revision` is the one before, 0 for none."""

    site: str
    place: str
    revision: int
    payload: bytes


class WaitingScene(NamedTuple):
    """A scene that waits for those of other cameras, as a row."""

    site: str
    camera: str
    stream: str
    seq: int
    place: str
    payload: bytes


class LayoutChange(NamedTuple):
    """A layout that takes effect after the scenes at `positions`: [camera, stream, seq]."""

    site: str
    version: int
    positions: list[list[Any]]


@dataclass(slots=True)
class Changes:
    """All that follows from a batch of scenes."""

    shard: int
    positions: dict[StreamKey, tuple[int | None, int]] = field(default_factory=dict)
    """stream -> (committed seq before, after)"""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """id -> row"""
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """id -> row"""
    racks: dict[tuple[str, str, str, datetime], dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, FigureChanges] = field(default_factory=dict)
    """By site."""
    states: list[StateChange] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)
    """(site, place) whose state goes"""
    layouts: list[LayoutChange] = field(default_factory=list)
    waiting: list[WaitingScene] = field(default_factory=list)
    released: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(site, camera, stream, seq) that wait no longer"""
    events: list[tuple[str, bytes]] = field(default_factory=list)
    """(topic, payload)"""
    retained: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    """(site, topic) -> what the broker is to retain now; None is nothing"""
    told: set[tuple[str, str]] = field(default_factory=set)
    """(site, camera) whose sessions changed"""
    alerted: set[str] = field(default_factory=set)
    """Sites whose alerts changed."""


def session_row(site: str, fact: SessionFact) -> dict[str, Any]:
    """A fact as a row of `usage_sessions`."""
    return {
        "id": str(usage_session_id(site, fact.subject, to_time(fact.started))),
        "site": site,
        "equipment": fact.equipment,
        "unit": fact.unit,
        "zone": fact.zone,
        "cameras": list(fact.cameras),
        "started_at": to_time(fact.started),
        "ended_at": None if fact.ended is None else to_time(fact.ended),
        "active_seconds": fact.active / 1000,
        "confidence": fact.confidence,
        "ended_by": fact.ended_by,
        "layout_version": fact.layout_version,
        "last_at": to_time(fact.last),
    }


def alert_row(event: Alert, raised_at: datetime, layout_version: int) -> dict[str, Any]:
    """An alert that was raised or cleared as a row of `alerts`; once stored, its first `detail` stays."""
    cleared = event.type == "cleared"
    return {
        "id": str(event.alert),
        "site": event.site,
        "kind": event.kind,
        "camera": event.camera,
        "zone": event.zone,
        "unit": event.unit,
        "equipment": event.equipment,
        "raised_at": raised_at,
        "detail": event.detail,
        "cleared_at": event.time if cleared else None,
        "cleared_detail": event.detail if cleared else None,
        "layout_version": layout_version,
    }


def rack_row(site: str, fact: RackFact) -> dict[str, Any]:
    """A fact as a row of `rack_changes`."""
    return {
        "site": site,
        "zone": fact.zone,
        "label": fact.label,
        "at": to_time(fact.time),
        "expected": fact.expected,
        "seen": fact.seen,
        "missing": fact.missing,
    }
