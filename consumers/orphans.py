"""Ends what a change of zones leaves open with nobody to end it: no camera sees it any more, or no rule minds it."""

from __future__ import annotations

from consumers.facts import Fact
from consumers.place import Place
from consumers.rules import alerts, joint, kit, resting, station
from consumers.rules.alerts import OpenAlert
from consumers.rules.kit import KitState


def end_units(place: Place) -> list[Fact]:
    """End the sessions of units that the place sees no longer, and look anew where things lie.

    Before any scene is interpreted by the new zones; `end_kit_and_alerts` comes after those that waited.
    """
    facts: list[Fact] = []
    state, layout = place.state, place.layout
    for name, unit in list(state.units.items()):
        known = layout.stations.get(name)
        cameras = {*place.cameras}.intersection(known.cameras if known is not None else ())
        watches = {camera: watch for camera, watch in unit.watches.items() if camera in cameras}
        if watches or (cameras and not unit.watches):
            unit.watches = watches
        else:
            facts += station.end(unit, name, "layout", state.time or 0)
            del state.units[name]
    if len(place.cameras) == 1:
        facts += joint.dissolve(state.joints, state.kit.get(place.cameras[0]))
        state.joints = []
    for camera, lying in state.resting.items():
        resting.redraw(lying, layout.zones_of(camera), layout)
    return facts


def end_kit_and_alerts(place: Place) -> list[Fact]:
    """End the sessions of kit on cameras that are no more, and the alerts that no rule of the place would clear."""
    facts: list[Fact] = []
    state, layout = place.state, place.layout
    gone = {*state.kit, *state.resting} - {*layout.cameras} if layout.cameras else set()
    for camera in sorted(gone):
        facts += kit.end(state.kit.pop(camera, KitState()), "layout")
        state.resting.pop(camera, None)
    for alert in list(state.alerts.values()):
        why = _why_orphaned(alert, place)
        if why is not None:
            facts += alerts.clear(state.alerts, alert.kind, alert.subject, state.time or 0, why)
    _forget_zones(place)
    return facts


def _why_orphaned(alert: OpenAlert, place: Place) -> str | None:
    """Why no rule of the place would ever clear an alert; None where one may."""
    layout = place.layout
    if alert.camera is not None and layout.cameras and alert.camera not in layout.cameras:
        return f"there is no camera {alert.camera} any more"
    if alert.zone is None:
        return None
    kinds = _kinds(place)
    if alert.kind == "missing":
        what, fits = "rack", alert.zone in place.rulebook.racks.zones
    elif alert.kind == "queue":
        what, fits = "queue for a unit at", alert.zone in place.rulebook.waiting
    elif alert.kind == "walkway":
        what, fits = "walkway", "walkway" in kinds.get(alert.zone, ())
    else:
        what, fits = "zone", alert.zone in kinds
    return None if fits else f"there is no {what} {alert.zone} any more"


def _kinds(place: Place) -> dict[str, set[str]]:
    """The kinds of each zone, as the cameras of a place see it."""
    kinds: dict[str, set[str]] = {}
    for camera in place.cameras:
        for name, zone in place.layout.zones_of(camera).zones.items():
            kinds.setdefault(name, set()).add(zone.kind)
    return kinds


def _forget_zones(place: Place) -> None:
    """Forget counts and queues of zones that the place has no longer: should those come back, they begin anew."""
    state, zones = place.state, _kinds(place)
    for key in [key for key in state.told if key.partition("/")[0] not in zones]:
        del state.told[key]
        for counts in state.counts.values():
            for known in (counts.now, counts.steady, counts.since):
                known.pop(key, None)
    for zone in state.racks.told.keys() - place.rulebook.racks.zones.keys():
        del state.racks.told[zone]
    for zone in state.queues.keys() - place.rulebook.waiting.keys():
        del state.queues[zone]
