"""Interprets all scenes of a site: hands each to its place, and sorts what is remembered anew when zones change."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from consumers import orphans
from consumers.facts import AlertFact, Fact, SessionFact
from consumers.layout import Layout
from consumers.place import Place, Waiting
from consumers.rules.use import Use
from consumers.state import load_state, merged, part
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
    """What ended because its unit, zone or camera is gone; and what follows from scenes that need wait no longer."""
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
    facts: list[Fact] = []
    if changed:
        for _, place in sorted(interpreter.places.items()):
            facts += orphans.end_units(place)
    for entry in waiting:
        _place(interpreter, layout.place(entry.view.camera)).restore([entry])
    for name, place in sorted(interpreter.places.items()):
        facts += place.settle()
        if changed:
            facts += orphans.end_kit_and_alerts(place)
        if changed or place.released:
            interpreter.touched.add(name)
    return Restored(interpreter, facts, [name for name in stale if name not in interpreter.places])


def _place(interpreter: Interpreter, name: str) -> Place:
    if name not in interpreter.places:
        interpreter.places[name] = Place(name, interpreter.layout)
    return interpreter.places[name]
