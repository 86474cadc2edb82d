"""Station sessions: a unit of fixed equipment is in use while at least one person is in its zone.

Several cameras may see one unit; what they see is joined, never summed. See `docs/rules/station.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import SessionFact
from consumers.layout import Layout, Station
from consumers.rules.thresholds import Thresholds
from consumers.rules.use import (
    FLICKER_MS,
    Use,
    begin_if_due,
    see_used,
    spend_used,
    tell,
    update_if_due,
)
from consumers.view import Sighting, View
from consumers.zones import feet
from spotter.events import EndedBy

STAY_HEIGHTS = 0.05
"""Who is in the zone stays in it until they are outside by so much of their height: a detector's boxes tremble, and
one that ends at the zone's very edge must not open and close it."""


@dataclass(slots=True)
class Watch:
    """What one camera last saw of a unit."""

    time: int
    """Of its newest scene with a picture."""
    picture: bool
    """Whether its newest scene had one."""
    people: list[str] = field(default_factory=list)
    """Tracks of those in the zone."""
    resting: bool = False
    """One of them at least was not moving, so that they were there until the next scene."""


@dataclass(slots=True)
class UnitState:
    """What is remembered of a unit."""

    time: int
    """Of the newest scene of the place."""
    watches: dict[str, Watch] = field(default_factory=dict)
    use: Use | None = None


def step(state: UnitState | None, view: View, station: Station, layout: Layout) -> tuple[UnitState, list[SessionFact]]:
    """Take a scene of the unit's place into account; scenes come in the order of their times."""
    if state is None:
        state = UnitState(view.time)
    thresholds = layout.thresholds
    facts: list[SessionFact] = []
    sees = view.camera in station.cameras
    inside = _people_inside(state, view, station, layout) if sees and view.picture else []
    _spend_time_before(state, view, inside, thresholds, station, facts, layout.version)
    state.time = view.time
    if not sees:
        return state, facts
    watch = state.watches.get(view.camera)
    if watch is None:
        if not view.picture:
            return state, facts
        watch = state.watches[view.camera] = Watch(view.time, picture=True)
    watch.picture = view.picture
    if not view.picture:
        return state, facts
    watch.time = view.time
    watch.people = [person.track for person in inside]
    watch.resting = any(not person.moving for person in inside)
    if inside:
        _see_people(state, view, inside, station, facts, layout.version)
    return state, facts


def end(state: UnitState, ended_by: EndedBy) -> list[SessionFact]:
    """End an open session from outside, such as by a layout that has no such unit any more."""
    use, state.use = state.use, None
    return [tell(use, "ended", ended_by)] if use is not None and use.session else []


def _people_inside(state: UnitState, view: View, station: Station, layout: Layout) -> list[Sighting]:
    polygons = layout.zones_of(view.camera).polygons
    names = layout.zone_names_of_unit.get((view.camera, station.unit), ())
    watch = state.watches.get(view.camera)
    before = watch.people if watch is not None else []
    inside = []
    for person in view.people:
        margin = (person.box[3] - person.box[1]) * STAY_HEIGHTS if person.track in before else 0.0
        if any(polygons[name].near(feet(person.box), margin) for name in names):
            inside.append(person)
    return inside


def _spend_time_before(
    state: UnitState,
    view: View,
    inside: list[Sighting],
    thresholds: Thresholds,
    station: Station,
    facts: list[SessionFact],
    layout_version: int,
) -> None:
    """Book the time between the scene before and this one: in use, not in use, or not seen."""
    use = state.use
    if use is None:
        return
    elapsed = view.time - state.time
    used = sees = held = False
    dark = True  # no camera has had a picture for so long that nothing is held any more
    for camera, watch in state.watches.items():
        age = view.time - watch.time
        stepping = camera == view.camera
        sees_now = watch.picture and age <= thresholds.camera_gap and (view.picture or not stepping)
        dark = dark and not sees_now and age >= thresholds.camera_lost_after
        if sees_now:
            sees = True
            used = used or (bool(watch.people) and (not stepping or _stayed(watch, view, inside)))
        elif watch.people and age < thresholds.camera_lost_after:
            held = True
    if used:
        spend_used(use, elapsed, view.time)
        _add(facts, begin_if_due(use, view.time, station.enter_after, layout_version))
    elif dark:
        state.use = None
        if use.session:
            facts.append(tell(use, "ended", "camera_lost"))
    elif sees and not held:
        use.idle += elapsed
        if use.session and use.idle >= station.leave_after:
            state.use = None
            facts.append(tell(use, "ended", "left"))
        elif not use.session and use.idle > FLICKER_MS:
            state.use = None


def _stayed(watch: Watch, view: View, inside: list[Sighting]) -> bool:
    """Whether those seen before were in the zone until this scene.

    Still inside: yes. Gone while they did not move, or no longer found at all: a scene comes at once when someone
    disappears or starts to move, so they were there until now. Walked out: they left somewhere in between.
    """
    if inside or watch.resting:
        return True
    found = {person.track for person in view.people}
    return not any(track in found for track in watch.people)


def _see_people(
    state: UnitState, view: View, inside: list[Sighting], station: Station, facts: list[SessionFact], version: int
) -> None:
    use = state.use
    if use is None:
        use = state.use = Use(
            subject=station.unit,
            equipment=station.equipment,
            unit=station.unit,
            zone=station.zone,
            started=view.time,
            last=view.time,
        )
    see_used(use, view.time, max(person.score for person in inside), view.camera)
    _add(facts, begin_if_due(use, view.time, station.enter_after, version) or update_if_due(use, view.time))


def _add(facts: list[SessionFact], fact: SessionFact | None) -> None:
    if fact is not None:
        facts.append(fact)
