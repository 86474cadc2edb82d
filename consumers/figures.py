"""What facts add to the figures of a site: use of its units and kit, time that was watched, queues.

Each session's time is counted as far as it was told of, so that an open one counts too; what was counted is known from
its row, so that a restart after any scene counts nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple
from zoneinfo import ZoneInfo

from consumers.facts import QueueFact, SessionFact, WatchedFact
from consumers.layout import Layout
from spotter.database.rollups import FigureChanges, UnitKey
from spotter.hours import hour_of, split_hours
from spotter.settings import RackZone

REMEMBERED_MS = 48 * 3_600_000
"""Watched hours are remembered for so long: cameras of a place may lag behind each other."""


class Counted(NamedTuple):
    """An open session as the figures have it. Times in milliseconds since 1970."""

    key: UnitKey
    begin: int
    end: int


class SiteFigures:
    """Books the facts of a site. `open_sessions` and `watched` are what the database has of them."""

    def __init__(self, layout: Layout, open_sessions: dict[str, Counted], watched: dict[tuple[str, int], int]) -> None:
        self.zone = ZoneInfo(layout.timezone)
        self.open_sessions = open_sessions
        self._layout = layout
        self._watched = watched
        self._kit = _kit_by_camera(layout)
        self._units: dict[str, list[UnitKey]] = defaultdict(list)
        for unit, station in sorted(layout.stations.items()):
            for camera in station.cameras:
                self._units[camera].append(UnitKey(station.equipment, unit, station.zone))

    def session(self, identity: str, fact: SessionFact, changes: FigureChanges) -> None:
        """Count a session as far as the fact goes, in the place of as far as it was counted."""
        now = Counted(UnitKey(fact.equipment, fact.unit or "", fact.zone or ""), fact.started, fact.last)
        before = self.open_sessions.get(identity)
        if before is not None and before.key == now.key and before.end <= now.end:
            self._use(now.key, before.end, now.end, changes)
        else:
            if before is not None:
                self._use(before.key, before.begin, before.end, changes, sign=-1)
                changes.units[hour_of(before.begin, self.zone), before.key].sessions -= 1
            self._use(now.key, now.begin, now.end, changes)
            row = changes.units[hour_of(now.begin, self.zone), now.key]
            row.sessions += 1
            row.pieces = 1 if now.key.unit else 0
        if fact.ended is None:
            self.open_sessions[identity] = now
        else:
            self.open_sessions.pop(identity, None)
            changes.ended.append((now.key, now.begin, now.end - now.begin))

    def watched(self, fact: WatchedFact, changes: FigureChanges) -> None:
        """Count time that a camera watched: its own, and that of what it watched longer than other cameras."""
        for hour, ms in split_hours(fact.begin, fact.end, self.zone):
            before = self._watched.get((fact.camera, hour))
            if before is None:
                self._forget_watched(fact.camera, hour - REMEMBERED_MS)
                before = 0
            self._watched[fact.camera, hour] = before + ms
            changes.cameras[hour, fact.camera] += ms
            for key in self._units.get(fact.camera, ()):
                row = changes.units[hour, key]
                row.watched_ms += self._gain(fact.camera, self._layout.stations[key.unit].cameras, hour, before, ms)
                row.pieces = 1
            for key, (pieces, cameras) in self._kit.get(fact.camera, {}).items():
                row = changes.units[hour, key]
                row.watched_ms += pieces * self._gain(fact.camera, cameras, hour, before, ms)
                row.pieces = pieces

    def queue(self, fact: QueueFact, changes: FigureChanges) -> None:
        """Count waiting: for each unit waited for, and once for their type, the waiting zone and the site."""
        keys = [
            UnitKey(station.equipment, unit, station.zone)
            for unit in fact.units
            if (station := self._layout.stations.get(unit)) is not None
        ]
        groups = {("zone", fact.zone), ("site", self._layout.site)} | {("equipment", key.equipment) for key in keys}
        left, left_ms = fact.end - fact.begin, fact.person_ms
        for hour, ms in split_hours(fact.begin, fact.end, self.zone):
            share = left_ms * ms // left  # of the last piece, all that is left
            left, left_ms = left - ms, left_ms - share
            for key in keys:
                changes.units[hour, key].queue_ms += share
                changes.units[hour, key].pieces = 1
            for scope, name in sorted(groups):
                changes.queues[hour, scope, name] += share

    def _use(self, key: UnitKey, begin: int, end: int, changes: FigureChanges, sign: int = 1) -> None:
        for hour, ms in split_hours(begin, end, self.zone):
            row = changes.units[hour, key]
            row.in_use_ms += sign * ms
            row.pieces = 1 if key.unit else row.pieces

    def _forget_watched(self, camera: str, before: int) -> None:
        for known in [known for known in self._watched if known[0] == camera and known[1] < before]:
            del self._watched[known]

    def _gain(self, camera: str, cameras: tuple[str, ...], hour: int, before: int, ms: int) -> int:
        """By how much the longest of some cameras' watched times grew when one grew by `ms`."""
        others = max((self._watched.get((name, hour), 0) for name in cameras if name != camera), default=0)
        return max(before + ms, others) - max(before, others)


def _kit_by_camera(layout: Layout) -> dict[str, dict[UnitKey, tuple[int, tuple[str, ...]]]]:
    """For each camera, the kit in racks that it sees: how many, and all cameras that see that rack."""
    racks: dict[str, tuple[dict[str, int], list[str]]] = {}
    for camera in sorted(layout.cameras):
        for name, zone in layout.zones_of(camera).zones.items():
            if isinstance(zone, RackZone):
                racks.setdefault(name, (dict(zone.holds), []))[1].append(camera)
    found: dict[str, dict[UnitKey, tuple[int, tuple[str, ...]]]] = defaultdict(dict)
    for name, (holds, cameras) in racks.items():
        for camera in cameras:
            for label, pieces in holds.items():
                found[camera][UnitKey(label, "", name)] = (pieces, tuple(cameras))
    return found
