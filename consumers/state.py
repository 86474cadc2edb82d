"""All that the rules remember of a place between two scenes, and how it is kept, parted and joined."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from consumers.facts import Fact
from consumers.layout import Layout
from consumers.rules import alerts, joint, kit, station
from consumers.rules.alerts import Alerts
from consumers.rules.camera import CameraState
from consumers.rules.count import CountState
from consumers.rules.identify import KioskState
from consumers.rules.joint import Joint
from consumers.rules.kit import KitState
from consumers.rules.queue import QueueState
from consumers.rules.rack import RackState
from consumers.rules.resting import RestState
from consumers.rules.station import UnitState
from consumers.rules.use import Use, tell
from spotter.errors import ServerError
from spotter.events import EndedBy


@dataclass(slots=True)
class PlaceState:
    """What is remembered of a place. Times in milliseconds since 1970."""

    version: Literal[1] = 1
    began: int | None = None
    """Of the first scene."""
    time: int | None = None
    """Of the newest interpreted scene."""
    newest: dict[str, int] = field(default_factory=dict)
    """camera -> time of its newest scene, interpreted or waiting."""
    streams: dict[str, str] = field(default_factory=dict)
    """camera -> the stream of that scene."""
    cameras: dict[str, CameraState] = field(default_factory=dict)
    units: dict[str, UnitState] = field(default_factory=dict)
    kit: dict[str, KitState] = field(default_factory=dict)
    joints: list[Joint] = field(default_factory=list)
    """Kit in use as several cameras see it; empty in a place of one camera."""
    resting: dict[str, RestState] = field(default_factory=dict)
    counts: dict[str, CountState] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """`zone/label` -> the count as told"""
    kiosks: dict[str, KioskState] = field(default_factory=dict)
    queues: dict[str, QueueState] = field(default_factory=dict)
    """waiting zone -> what is remembered of it"""
    racks: RackState = field(default_factory=RackState)
    alerts: Alerts = field(default_factory=dict)

    def open_uses(self) -> list[Use]:
        """The sessions that are open."""
        joined = {(member.subject, member.started) for one in self.joints for member in one.members}
        uses = [unit.use for unit in self.units.values()] + [one.use for one in self.joints]
        for items in self.kit.values():
            uses += [
                item.use for item in items.items if item.use and (item.use.subject, item.use.started) not in joined
            ]
        return [use for use in uses if use is not None and use.session]


_STATE = TypeAdapter(PlaceState)

_BY_CAMERA = ("newest", "streams", "cameras", "kit", "resting", "counts", "kiosks")
"""What is remembered of single cameras."""


def dump_state(state: PlaceState) -> bytes:
    """The state as the database keeps it."""
    return _STATE.dump_json(state)


def load_state(payload: bytes) -> PlaceState:
    """A state from the database. Raises ServerError for one that this version can't read."""
    try:
        return _STATE.validate_json(payload)
    except ValidationError as error:
        raise ServerError(
            "database: the rules' state is of another version of Spotter; install the newest one"
        ) from error


def end_all(state: PlaceState, ended_by: EndedBy, detail: str) -> list[Fact]:
    """End all open sessions and alerts, and forget all else but the counts as told."""
    facts: list[Fact] = []
    for name, unit in state.units.items():
        facts += station.end(unit, name, ended_by, state.time or 0)
    ended = [fact for items in state.kit.values() for fact in kit.end(items, ended_by)]
    joined = {(member.subject, member.started) for one in state.joints for member in one.members}
    facts += [fact for fact in ended if (fact.subject, fact.started) not in joined]
    facts += [tell(one.use, "ended", ended_by) for one in state.joints]
    for alert in list(state.alerts.values()):
        facts += alerts.clear(state.alerts, alert.kind, alert.subject, state.time or 0, detail)
    fresh = PlaceState(began=state.began, time=state.time, newest=state.newest, streams=state.streams, told=state.told)
    for name in PlaceState.__dataclass_fields__:
        setattr(state, name, getattr(fresh, name))
    return facts


def part(state: PlaceState, cameras: set[str], layout: Layout) -> PlaceState:
    """What a state remembers of some of its cameras, and of the units and zones that they see.

    What none of its cameras sees any more goes with the first one, so that somebody ends it.
    """
    first = min(state.newest) in cameras
    zones, all_zones = (
        {name for camera in some for name in layout.zones_of(camera).zones} for some in (cameras, state.newest)
    )
    seen_by = {name: {*state.newest}.intersection(unit.cameras) for name, unit in layout.stations.items()}
    sees: dict[str, Any] = {
        name: {camera: known for camera, known in getattr(state, name).items() if camera in cameras}
        for name in _BY_CAMERA
    }
    return PlaceState(
        began=state.began,
        time=max((state.cameras[camera].time for camera in cameras if camera in state.cameras), default=None),
        units={
            name: unit
            for name, unit in state.units.items()
            if (cameras & seen_by[name] if seen_by.get(name) else first)
        },
        joints=joint.part(state.joints, sees["kit"], layout.cameras),
        told={key: count for key, count in state.told.items() if key.partition("/")[0] in zones},
        queues={zone: queue for zone, queue in state.queues.items() if zone in zones},
        racks=RackState(
            views={camera: views for camera, views in state.racks.views.items() if camera in cameras},
            outside={camera: found for camera, found in state.racks.outside.items() if camera in cameras},
            time=state.racks.time,
            absences=deepcopy(state.racks.absences),
            told={zone: told for zone, told in state.racks.told.items() if zone in zones},
        ),
        alerts={
            key: alert
            for key, alert in state.alerts.items()
            if (
                alert.camera in cameras
                if alert.zone is None
                else alert.zone in zones or (first and alert.zone not in all_zones)
            )
        },
        **sees,
    )


def merged(one: PlaceState, other: PlaceState) -> PlaceState:
    """What two states of now one place remember."""
    both: dict[str, Any] = {
        name: {**getattr(one, name), **getattr(other, name)}
        for name in (*_BY_CAMERA, "units", "told", "queues", "alerts")
    }
    return PlaceState(
        began=min((time for time in (one.began, other.began) if time is not None), default=None),
        time=max((time for time in (one.time, other.time) if time is not None), default=None),
        joints=one.joints + other.joints,
        racks=RackState(
            views={**one.racks.views, **other.racks.views},
            outside={**one.racks.outside, **other.racks.outside},
            time=max(one.racks.time, other.racks.time),
            absences={**one.racks.absences, **other.racks.absences},
            told={**one.racks.told, **other.racks.told},
        ),
        **both,
    )
