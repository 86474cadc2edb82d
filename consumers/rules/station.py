"""Station sessions: a unit of fixed equipment is in use while at least one person is in its zone.

Several cameras may see one unit; what they see is joined, never summed. See `docs/rules/station.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import SessionFact, StateFact
from consumers.layout import Layout, Station
from consumers.picture import Picture
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
from spotter.events import EndedBy, EquipmentState

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
    told: EquipmentState | None = None


def step(
    state: UnitState | None, view: View, picture: Picture | None, station: Station, layout: Layout
) -> tuple[UnitState, list[SessionFact | StateFact]]:
    """Take a scene of the unit's place into account; scenes come in the order of their times.

    `picture` is None where the scene has none.
    """
    if state is None:
        state = UnitState(view.time)
    elif view.camera in station.cameras and picture is not None and _is_idle(state, picture, station, layout):
        state.time = state.watches[view.camera].time = view.time
        return state, []
    facts: list[SessionFact | StateFact] = []
    facts += _step(state, view, picture, station, layout)
    now: EquipmentState = "in_use" if state.use is not None and state.use.session else "free"
    if now != state.told and state.watches:
        state.told = now
        facts.append(StateFact(station.unit, now, view.time))
    return state, facts


def end(state: UnitState, unit: str, ended_by: EndedBy, now: int) -> list[SessionFact | StateFact]:
    """End an open session from outside, such as by a layout that has no such unit any more."""
    use, state.use = state.use, None
    if use is None or not use.session:
        return []
    state.told = "free"
    return [tell(use, "ended", ended_by), StateFact(unit, "free", now)]


def _is_idle(state: UnitState, picture: Picture, station: Station, layout: Layout) -> bool:
    """Whether nothing was going on at the unit and nothing is: nearly always."""
    watch = state.watches.get(picture.camera)
    if state.use is not None or state.told != "free" or watch is None or watch.people or not watch.picture:
        return False
    return picture.people_in.keys().isdisjoint(layout.zone_names_of_unit[picture.camera, station.unit])


def _step(state: UnitState, view: View, picture: Picture | None, station: Station, layout: Layout) -> list[SessionFact]:
    thresholds = layout.thresholds_in(station.zone)
    facts: list[SessionFact] = []
    sees = view.camera in station.cameras
    inside = _people_inside(state, picture, station, layout) if sees and picture is not None else []
    _spend_time_before(state, view, picture, inside, thresholds, station, facts, layout.version)
    state.time = view.time
    if not sees:
        return facts
    watch = state.watches.get(view.camera)
    if watch is None:
        if not view.picture:
            return facts
        watch = state.watches[view.camera] = Watch(view.time, picture=True)
    watch.picture = view.picture
    if not view.picture:
        return facts
    watch.time = view.time
    watch.people = [person.track for person in inside]
    watch.resting = any(not person.moving for person in inside)
    if inside:
        _see_people(state, view, inside, station, facts, layout.version)
    return facts


def _people_inside(state: UnitState, picture: Picture, station: Station, layout: Layout) -> list[Sighting]:
    names = layout.zone_names_of_unit.get((picture.camera, station.unit), ())
    inside: list[Sighting] = []
    for name in names:
        inside += picture.people_in.get(name, ())
    if len(names) > 1:
        inside = [person for position, person in enumerate(inside) if person not in inside[:position]]
    watch = state.watches.get(picture.camera)
    if watch is None or not watch.people:
        return inside
    here = {person.track for person in inside}
    for person in picture.people:
        if person.track in watch.people and person.track not in here:
            margin = (person.box[3] - person.box[1]) * STAY_HEIGHTS
            if any(picture.zones.polygons[name].near(feet(person.box), margin) for name in names):
                inside.append(person)
    return inside


def _spend_time_before(
    state: UnitState,
    view: View,
    picture: Picture | None,
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
        sees_now = watch.picture and age <= thresholds.camera_gap and (picture is not None or not stepping)
        dark = dark and not sees_now and age >= thresholds.camera_lost_after
        if sees_now:
            sees = True
            used = used or (bool(watch.people) and (not stepping or _stayed(watch, picture, inside)))
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


def _stayed(watch: Watch, picture: Picture | None, inside: list[Sighting]) -> bool:
    """Whether those seen before were in the zone until this scene.

    Still inside: yes. Gone while they did not move, or no longer found at all: a scene comes at once when someone
    disappears or starts to move, so they were there until now. Walked out: they left somewhere in between.
    """
    if inside or watch.resting:
        return True
    found = {person.track for person in picture.people} if picture is not None else set()
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
