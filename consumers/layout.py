"""A site's zones and thresholds in one version, and the places that follow from them.

A layout is what `layouts` in the database keeps, as JSON; the settings file is one way to make it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from consumers.rules.thresholds import Thresholds
from consumers.zones import CameraZones
from spotter.settings import RackZone, Rules, Settings, StationZone, WaitingZone, Zone

_ZONES: TypeAdapter[dict[str, dict[str, Zone]]] = TypeAdapter(dict[str, dict[str, Zone]])
_PLACE_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Station:
    """A unit of fixed equipment, with the zones in which cameras see it."""

    unit: str
    equipment: str
    zone: str
    enter_after: int
    leave_after: int
    cameras: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Zones by camera, thresholds, and what follows from both."""

    site: str
    version: int
    cameras: dict[str, CameraZones]
    rules: Rules
    thresholds: Thresholds
    zone_thresholds: dict[str, Thresholds]
    """zone -> its thresholds, where any differ from the site's; of a zone on several cameras, the first one's count."""
    stations: dict[str, Station]
    zone_names_of_unit: dict[tuple[str, str], tuple[str, ...]]
    """(camera, unit) -> names of the zones in which that camera sees the unit."""
    places: dict[str, tuple[str, ...]]
    """place -> its cameras: those joined by zones or units of the same name."""
    place_of: dict[str, str] = field(default_factory=dict)
    """camera -> its place."""
    kinds: dict[str, str] = field(default_factory=dict)
    """zone -> its kind"""
    racked: frozenset[str | None] = frozenset()
    """The labels that belong in racks; None where a rack takes any."""
    timezone: str = "UTC"
    """IANA name, by whose clocks figures are grouped into hours and days."""

    def document(self) -> dict[str, Any]:
        """The layout as the database keeps it."""
        zones = {camera: dict(zones.zones) for camera, zones in self.cameras.items()}
        return {
            "cameras": _ZONES.dump_python(zones, mode="json", by_alias=True, exclude_none=True),
            "rules": self.rules.model_dump(mode="json"),
            "timezone": self.timezone,
        }

    def zones_of(self, camera: str) -> CameraZones:
        """A camera's zones; none for one that the layout does not know: its whole picture is floor."""
        return self.cameras.get(camera) or _NO_ZONES

    def thresholds_in(self, zone: str | None) -> Thresholds:
        """The thresholds that hold in a zone; None is outside all zones."""
        return self.thresholds if zone is None else self.zone_thresholds.get(zone, self.thresholds)

    def place(self, camera: str) -> str:
        """The place that a camera belongs to; one that the layout does not know is a place by itself."""
        return self.place_of.get(camera, camera)

    def cameras_of(self, place: str) -> tuple[str, ...]:
        """The cameras of a place."""
        return self.places.get(place, (place,))


_NO_ZONES = CameraZones.of({})


def layout_of_settings(settings: Settings, version: int = 0) -> Layout:
    """The layout that a settings file describes."""
    zones = {name: dict(camera.zones) for name, camera in settings.cameras.items()}
    return build(settings.site, version, zones, settings.rules, settings.timezone)


def layout_of_document(site: str, version: int, document: dict[str, Any]) -> Layout:
    """A layout from the database."""
    zones, rules = _ZONES.validate_python(document["cameras"]), Rules.model_validate(document["rules"])
    return build(site, version, zones, rules, document.get("timezone", "UTC"))


def build(site: str, version: int, zones: dict[str, dict[str, Zone]], rules: Rules, timezone: str = "UTC") -> Layout:
    """A layout from its parts."""
    stations: dict[str, Station] = {}
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    zone_thresholds: dict[str, Thresholds] = {}
    for camera, own in sorted(zones.items()):
        for name, zone in own.items():
            if zone.rules.model_fields_set:
                zone_thresholds.setdefault(name, Thresholds.of(rules, zone.rules))
            if not isinstance(zone, StationZone):
                continue
            unit = zone.unit or name
            names[camera, unit] = (*names.get((camera, unit), ()), name)
            known = stations.get(unit)
            thresholds = Thresholds.of(rules, zone.rules)
            stations[unit] = Station(
                unit=unit,
                equipment=known.equipment if known else zone.equipment,
                zone=known.zone if known else name,
                enter_after=known.enter_after if known else thresholds.enter_after,
                leave_after=known.leave_after if known else thresholds.leave_after,
                cameras=tuple(dict.fromkeys((*(known.cameras if known else ()), camera))),
            )
    racks = [zone for own in zones.values() for zone in own.values() if isinstance(zone, RackZone)]
    groups = _connected({camera: _shared_names(own) for camera, own in zones.items()})
    places = {_place_name(cameras): cameras for cameras in groups}
    return Layout(
        site=site,
        version=version,
        cameras={camera: CameraZones.of(own) for camera, own in zones.items()},
        rules=rules,
        thresholds=Thresholds.of(rules),
        zone_thresholds=zone_thresholds,
        stations=stations,
        zone_names_of_unit=names,
        places=places,
        place_of={camera: place for place, cameras in places.items() for camera in cameras},
        kinds={name: zone.kind for own in zones.values() for name, zone in own.items()},
        racked=frozenset(label for rack in racks for label in (rack.holds or (None,))),
        timezone=timezone,
    )


def _shared_names(zones: dict[str, Zone]) -> set[str]:
    """What joins a camera to others: its zones' names, its units', and the units that people wait for before it."""
    names = {f"zone {name}" for name in zones}
    for zone in zones.values():
        if isinstance(zone, WaitingZone):
            names |= {f"unit {unit}" for unit in zone.for_}
    return names | {f"unit {zone.unit or name}" for name, zone in zones.items() if isinstance(zone, StationZone)}


def _connected(names: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Cameras in groups of which each shares a name with another one."""
    groups: list[tuple[set[str], set[str]]] = []
    for camera, own in sorted(names.items()):
        cameras, shared = {camera}, set(own)
        apart = []
        for group in groups:
            if group[1] & shared:
                cameras |= group[0]
                shared |= group[1]
            else:
                apart.append(group)
        groups = [*apart, (cameras, shared)]
    return sorted(tuple(sorted(cameras)) for cameras, _ in groups)


def _place_name(cameras: tuple[str, ...]) -> str:
    name = "+".join(cameras)
    return name if len(name) <= _PLACE_LENGTH else hashlib.sha256(name.encode()).hexdigest()
