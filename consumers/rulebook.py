"""All rules on one scene of a place, in their order: from what the place remembers to facts."""

from __future__ import annotations

from consumers.facts import Fact
from consumers.layout import Layout
from consumers.picture import Picture, picture_of
from consumers.rules import camera, count, identify, joint, kit, queue, rack, resting, station
from consumers.rules.identify import KioskState
from consumers.rules.kit import KitState
from consumers.rules.rack import Racks
from consumers.rules.resting import RestState
from consumers.state import PlaceState
from consumers.view import View
from spotter.settings import WaitingZone


class Rulebook:
    """The rules of a place under one layout. They change the state they are given and nothing else."""

    def __init__(self, place: str, layout: Layout) -> None:
        self._place = place
        self._layout = layout
        self._cameras = layout.cameras_of(place)
        self._stations = [
            unit for _, unit in sorted(layout.stations.items()) if any(c in self._cameras for c in unit.cameras)
        ]
        self.racks = Racks.of(layout, self._cameras)
        self.waiting: dict[str, tuple[str, ...]] = {}
        """waiting zone -> the units that people wait for there; one without any has no queue"""
        for name in self._cameras:
            for zone, shape in layout.zones_of(name).zones.items():
                if isinstance(shape, WaitingZone):
                    units = tuple(unit for unit in shape.for_ if unit in layout.stations)
                    if units:
                        self.waiting.setdefault(zone, units)
        self._kiosks = {name: identify.is_kiosk(zones) for name in self._cameras for zones in (layout.zones_of(name),)}

    def apply(self, state: PlaceState, view: View) -> list[Fact]:
        """Take a scene into account; its time is not before that of any before."""
        layout, thresholds, name = self._layout, self._layout.thresholds, view.camera
        state.time = view.time
        facts: list[Fact] = []
        picture = (
            picture_of(view, layout.zones_of(name), thresholds.reach, thresholds.sight_confidence)
            if view.picture
            else None
        )
        watched = self._see_camera(state, view, facts)
        for unit in self._stations:
            known = state.units.get(unit.unit)
            if known is None and name not in unit.cameras:
                continue
            state.units[unit.unit], news = station.step(known, view, picture, unit, layout)
            facts += news
        if picture is not None:
            self._see_kit(state, picture, watched, facts)
            facts += count.step(state.counts, state.told, picture, layout)
            if self._kiosks.get(name):
                kiosk = state.kiosks.get(name) or KioskState()
                state.kiosks[name], identified = identify.step(kiosk, picture, layout)
                facts += identified
        if self.waiting:
            self._see_queues(state, view, picture, facts)
        return facts

    def _see_camera(self, state: PlaceState, view: View, facts: list[Fact]) -> int:
        """What the scene tells of the camera itself; gives the milliseconds before it that were watched."""
        layout, thresholds, name = self._layout, self._layout.thresholds, view.camera
        known = state.cameras.get(name)
        before = known.time if known is not None else view.time
        since = camera.dark_since(known) if known is not None else view.time
        now, coverage = camera.step(known, view, thresholds)
        state.cameras[name] = now
        facts += camera.tell_watched(now, name, before, coverage.watched)
        if coverage.lost:
            facts += camera.alert_lost(now, name, since, state.alerts, thresholds, layout.version)
            self._end_kit(state, name, facts)
        elif view.picture and state.alerts:
            facts += camera.alert_back(now, name, state.alerts)
        if len(state.cameras) > 1:
            for other, silent in state.cameras.items():
                if other != name and camera.fall_silent(silent, view.time, thresholds):
                    facts += camera.tell_watched(silent, other, silent.time, 0)
                    since = camera.dark_since(silent)
                    facts += camera.alert_lost(silent, other, since, state.alerts, thresholds, layout.version)
                    self._end_kit(state, other, facts)
        return coverage.watched

    def _end_kit(self, state: PlaceState, name: str, facts: list[Fact]) -> None:
        """The camera has been without a picture for too long: what it held in use ends."""
        if name in state.kit:
            ended = kit.end(state.kit[name], "camera_lost")
            state.joints, told = joint.step(state.joints, name, state.kit[name], ended, state.time or 0)
            facts += told

    def _see_kit(self, state: PlaceState, picture: Picture, watched: int, facts: list[Fact]) -> None:
        layout, name = self._layout, picture.camera
        items = state.kit.get(name) or KitState()
        state.kit[name], news = kit.step(items, picture, watched, layout)
        if len(self._cameras) > 1:
            state.joints, news = joint.step(state.joints, name, items, news, picture.time)
        facts += news
        lying = state.resting.get(name)
        if lying is None:
            lying = state.resting[name] = RestState()
        if resting.step(lying, picture, watched, layout):
            facts += resting.tell(state.resting, state.alerts, self._place, picture.time, layout)
        if self.racks.zones:
            thresholds = layout.thresholds
            evident = len(state.cameras) == 1 or not any(
                camera.is_dark(known, picture.time, thresholds) for known in state.cameras.values() if not known.lost
            )
            facts += rack.step(state.racks, picture, watched, layout, self.racks, evident=evident)
            facts += rack.tell_missing(state.racks, state.alerts, picture.time, layout, self.racks)

    def _see_queues(self, state: PlaceState, view: View, picture: Picture | None, facts: list[Fact]) -> None:
        for zone, units in self.waiting.items():
            uses = [known.use if (known := state.units.get(unit)) is not None else None for unit in units]
            busy = all(use is not None and use.idle == 0 for use in uses)
            known_queue = state.queues.get(zone)
            state.queues[zone], news = queue.step(
                known_queue, picture, view.time, zone, units, busy, state.alerts, self._layout
            )
            if picture is None:
                queue.blind(state.queues[zone], view.camera)
            facts += news
