"""Interprets all scenes of a site: hands each to its place, and sorts what is remembered anew when zones change."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from consumers.facts import SessionFact
from consumers.layout import Layout
from consumers.place import Place, PlaceState, Waiting, load_state
from consumers.rules import station
from consumers.rules.use import Use
from consumers.view import View, to_time
from spotter.events import UsageSession, usage_session_id


@dataclass(slots=True)
class StoredState:
    """What the database keeps of a place."""

    place: str
    revision: int
    payload: bytes


@dataclass(slots=True)
class Interpreter:
    """The places of a site by name. `touched` holds those whose state changed; whoever stores them clears it."""

    layout: Layout
    places: dict[str, Place] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def feed(self, view: View, payload: bytes = b"") -> list[SessionFact]:
        """Take the next scene of a camera, in the order of its stream; gives what follows."""
        name = self.layout.place(view.camera)
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = Place(name, self.layout)
        self.touched.add(name)
        return place.feed(view, payload)

    def flush(self) -> list[SessionFact]:
        """Interpret all that waits for other cameras, at the end of a log."""
        return [fact for _, place in sorted(self.places.items()) for fact in place.flush()]

    def open_uses(self) -> list[Use]:
        """The sessions that are still open."""
        return [use for _, place in sorted(self.places.items()) for use in place.open_uses()]

    def session_id(self, fact: SessionFact) -> UUID:
        """The id of the session that a fact is of."""
        return usage_session_id(self.layout.site, fact.subject, to_time(fact.started))

    def event(self, fact: SessionFact) -> UsageSession:
        """A fact as published."""
        return UsageSession(
            type=fact.type,
            session=self.session_id(fact),
            site=self.layout.site,
            equipment=fact.equipment,
            unit=fact.unit,
            zone=fact.zone,
            cameras=fact.cameras,
            started=to_time(fact.started),
            ended=None if fact.ended is None else to_time(fact.ended),
            active_seconds=fact.active / 1000,
            confidence=fact.confidence,
            ended_by=fact.ended_by,
        )


@dataclass(slots=True)
class Restored:
    """An interpreter as the database remembers it, and what a change of zones made of it."""

    interpreter: Interpreter
    facts: list[SessionFact]
    """Sessions that ended because their unit is gone."""
    stale: list[str]
    """Places that are no more; their rows can go once the state of the others is stored."""


def restore(layout: Layout, states: list[StoredState], waiting: list[Waiting]) -> Restored:
    """The interpreter of a site as it was when `states` and `waiting` (in the order of each stream) were stored.

    Where zones now join other cameras, or have lost a unit, what is remembered is sorted into the places of today.
    """
    interpreter = Interpreter(layout)
    facts: list[SessionFact] = []
    stale: list[str] = []
    for stored in states:
        state = load_state(stored.payload)
        homes = {layout.place(camera) for camera in state.newest}
        if homes <= {stored.place}:
            _place(interpreter, stored.place).state = _merged(_place(interpreter, stored.place).state, state)
        else:
            for home in homes:
                part = _part(state, {camera for camera in state.newest if layout.place(camera) == home}, layout)
                _place(interpreter, home).state = _merged(_place(interpreter, home).state, part)
            interpreter.touched |= homes
            stale.append(stored.place)
        facts += _end_orphans(interpreter, state, layout)
    for entry in waiting:
        _place(interpreter, layout.place(entry.view.camera)).restore([entry])
    return Restored(interpreter, facts, [name for name in stale if name not in interpreter.places])


def _place(interpreter: Interpreter, name: str) -> Place:
    if name not in interpreter.places:
        interpreter.places[name] = Place(name, interpreter.layout)
    return interpreter.places[name]


def _part(state: PlaceState, cameras: set[str], layout: Layout) -> PlaceState:
    """What a state remembers of some of its cameras, and of the units that they see."""
    units = {
        name: unit
        for name, unit in state.units.items()
        if name in layout.stations and cameras & set(layout.stations[name].cameras)
    }
    return PlaceState(
        began=state.began,
        time=max((state.cameras[camera].time for camera in cameras if camera in state.cameras), default=None),
        newest={camera: time for camera, time in state.newest.items() if camera in cameras},
        streams={camera: stream for camera, stream in state.streams.items() if camera in cameras},
        cameras={camera: known for camera, known in state.cameras.items() if camera in cameras},
        units=units,
        kit={camera: items for camera, items in state.kit.items() if camera in cameras},
    )


def _merged(one: PlaceState, other: PlaceState) -> PlaceState:
    times = [time for time in (one.time, other.time) if time is not None]
    begins = [time for time in (one.began, other.began) if time is not None]
    return PlaceState(
        began=min(begins, default=None),
        time=max(times, default=None),
        newest={**one.newest, **other.newest},
        streams={**one.streams, **other.streams},
        cameras={**one.cameras, **other.cameras},
        units={**one.units, **other.units},
        kit={**one.kit, **other.kit},
    )


def _end_orphans(interpreter: Interpreter, state: PlaceState, layout: Layout) -> list[SessionFact]:
    """End the sessions of units that the layout has no more, and forget cameras that no longer see a unit."""
    facts: list[SessionFact] = []
    for name, unit in list(state.units.items()):
        known = layout.stations.get(name)
        if known is None:
            facts += station.end(unit, "layout")
            for place in interpreter.places.values():
                if place.state.units.pop(name, None) is not None:
                    interpreter.touched.add(place.name)
        else:
            unit.watches = {camera: watch for camera, watch in unit.watches.items() if camera in known.cameras}
    return facts
