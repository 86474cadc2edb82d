"""Interprets all scenes of a site: hands each to its place, and sorts what is remembered anew when zones change."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from consumers.facts import AlertFact, Fact, SessionFact
from consumers.layout import Layout
from consumers.place import Place, Waiting
from consumers.rules import alerts, station
from consumers.rules.use import Use
from consumers.state import PlaceState, load_state, merged, part
from consumers.view import View, to_time
from spotter.events import Alert, UsageSession, alert_id, usage_session_id


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

    def feed(self, view: View, payload: bytes = b"") -> list[Fact]:
        """Take the next scene of a camera, in the order of its stream; gives what follows."""
        name = self.layout.place(view.camera)
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = Place(name, self.layout)
        self.touched.add(name)
        return place.feed(view, payload)

    def flush(self) -> list[Fact]:
        """Interpret all that waits for other cameras, at the end of a log."""
        return [fact for _, place in sorted(self.places.items()) for fact in place.flush()]

    def open_uses(self) -> list[Use]:
        """The sessions that are still open."""
        return [use for _, place in sorted(self.places.items()) for use in place.state.open_uses()]

    def session_id(self, fact: SessionFact) -> UUID:
        """The id of the session that a fact is of."""
        return usage_session_id(self.layout.site, fact.subject, to_time(fact.started))

    def alert(self, fact: AlertFact) -> Alert:
        """An alert's fact as published."""
        return Alert(
            type=fact.type,
            alert=alert_id(self.layout.site, fact.kind, fact.subject, to_time(fact.raised)),
            kind=fact.kind,
            site=self.layout.site,
            camera=fact.camera,
            zone=fact.zone,
            unit=fact.unit,
            equipment=fact.equipment,
            time=to_time(fact.time),
            detail=fact.detail,
        )

    def event(self, fact: SessionFact) -> UsageSession:
        """A session's fact as published."""
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
    facts: list[Fact]
    """Sessions that ended because their unit is gone, and alerts whose zone is."""
    stale: list[str]
    """Places that are no more; their rows can go once the state of the others is stored."""


def restore(layout: Layout, states: list[StoredState], waiting: list[Waiting], *, changed: bool = True) -> Restored:
    """The interpreter of a site as it was when `states` and `waiting` (in the order of each stream) were stored.

    Where zones now join other cameras, or have lost a unit, what is remembered is sorted into the places of today.
    `changed`: the layout is another one than that by which they were stored.
    """
    interpreter = Interpreter(layout)
    stale: list[str] = []
    for stored in states:
        state = load_state(stored.payload)
        homes = {layout.place(camera) for camera in state.newest}
        if homes <= {stored.place}:
            _place(interpreter, stored.place).state = merged(_place(interpreter, stored.place).state, state)
        else:
            for home in homes:
                own = part(state, {camera for camera in state.newest if layout.place(camera) == home}, layout)
                _place(interpreter, home).state = merged(_place(interpreter, home).state, own)
            interpreter.touched |= homes
            stale.append(stored.place)
    facts = _end_orphans(interpreter, layout) if changed else []
    for entry in waiting:
        _place(interpreter, layout.place(entry.view.camera)).restore([entry])
    return Restored(interpreter, facts, [name for name in stale if name not in interpreter.places])


def _place(interpreter: Interpreter, name: str) -> Place:
    if name not in interpreter.places:
        interpreter.places[name] = Place(name, interpreter.layout)
    return interpreter.places[name]


def _end_orphans(interpreter: Interpreter, layout: Layout) -> list[Fact]:
    """End the sessions of units and the alerts of zones that are no more; forget cameras that see a unit no longer."""
    facts: list[Fact] = []
    for name, place in sorted(interpreter.places.items()):
        state, before = place.state, len(facts)
        for unit_name, unit in list(state.units.items()):
            known = layout.stations.get(unit_name)
            if known is None:
                facts += station.end(unit, unit_name, "layout", state.time or 0)
                del state.units[unit_name]
            else:
                unit.watches = {camera: watch for camera, watch in unit.watches.items() if camera in known.cameras}
        for alert in list(state.alerts.values()):
            if alert.zone is not None and alert.zone not in layout.kinds:
                detail = f"there is no zone {alert.zone} any more"
                facts += alerts.clear(state.alerts, alert.kind, alert.subject, state.time or 0, detail)
            elif alert.kind == "camera_offline" and layout.cameras and alert.subject not in layout.cameras:
                detail = f"there is no camera {alert.subject} any more"
                facts += alerts.clear(state.alerts, alert.kind, alert.subject, state.time or 0, detail)
        if _forget_counts(state, layout) or len(facts) > before:
            interpreter.touched.add(name)
    return facts


def _forget_counts(state: PlaceState, layout: Layout) -> bool:
    """Forget the counts of zones that are no more, so that they are told of anew should such zones come back."""
    gone = {key for key in state.told if key.partition("/")[0] not in layout.kinds}
    for key in gone:
        del state.told[key]
        for counts in state.counts.values():
            for known in (counts.now, counts.steady, counts.since):
                known.pop(key, None)
    racks = {zone for zone in state.racks.told if zone not in layout.kinds}
    for zone in racks:
        del state.racks.told[zone]
    return bool(gone or racks)
