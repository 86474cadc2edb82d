"""The floor as the newest layout has it: which units stand where, and the thresholds that figures are judged by."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from spotter.database import layouts
from spotter.settings import RackZone, Rules, Settings, StationZone, Zone

Zones = dict[str, Zone]
_ZONES: TypeAdapter[dict[str, Zones]] = TypeAdapter(dict[str, Zones])


class Station(NamedTuple):
    """A unit in a camera's picture."""

    camera: str
    zone: str
    equipment: str
    unit: str
    polygon: tuple[tuple[float, float], ...]
    """Relative to the frame."""
    service_after: float | None
    """Hours of use after which it is due; None is never."""


class Floor(NamedTuple):
    """Where units stand, and the site's rules and clocks."""

    stations: tuple[Station, ...]
    kit: dict[str, int]
    """How many of each label the racks hold."""
    rules: Rules
    zone: ZoneInfo

    def pieces(self) -> dict[str, int]:
        """How many there are of each type, by label: a unit that several cameras see is one."""
        units = Counter(equipment for equipment, _ in {(one.equipment, one.unit) for one in self.stations})
        return dict(sorted((units + Counter(self.kit)).items()))

    def service_after(self, unit: str) -> float | None:
        """The hours of use after which a unit is due for service; None is never."""
        return next((one.service_after for one in self.stations if one.unit == unit and one.service_after), None)

    def equipment_of(self, unit: str) -> str | None:
        """What a unit is; None for one that stands nowhere now."""
        return next((one.equipment for one in self.stations if one.unit == unit), None)


def read(connection: Connection, settings: Settings, site: str | None = None) -> Floor:
    """The newest layout of a site; what the settings say where there is none yet, or one that is not understood."""
    zones, rules, clocks = _newest(connection, settings, site or settings.site)
    found = [
        Station(
            camera,
            name,
            zone.equipment,
            zone.unit or name,
            tuple((x, y) for x, y in zone.polygon),
            zone.rules.service_after or rules.service_after.get(zone.equipment),
        )
        for camera, of_camera in sorted(zones.items())
        for name, zone in sorted(of_camera.items())
        if isinstance(zone, StationZone)
    ]
    racks = {  # by name, since a rack that several cameras see is one
        name: zone.holds
        for of_camera in zones.values()
        for name, zone in of_camera.items()
        if isinstance(zone, RackZone)
    }
    kit: Counter[str] = Counter()
    for holds in racks.values():
        kit.update(holds)
    return Floor(tuple(found), dict(kit), rules, clocks)


def zones_of_cameras(connection: Connection, settings: Settings) -> dict[str, Zones]:
    """Zones by camera, as the newest layout has them: the settings' cameras, then others that the layout knows."""
    zones, _, _ = _newest(connection, settings, settings.site)
    return {**{name: {} for name in settings.cameras}, **zones}


def _newest(connection: Connection, settings: Settings, site: str) -> tuple[dict[str, Zones], Rules, ZoneInfo]:
    known = layouts.newest(connection, site)
    if known is not None:
        try:
            zones, rules = _ZONES.validate_python(known.document["cameras"]), known.document["rules"]
            clocks = ZoneInfo(known.document.get("timezone") or settings.timezone)
            return zones, Rules.model_validate(rules), clocks
        except (ValidationError, KeyError):  # of another version of Spotter
            pass
    zones = {name: camera.zones for name, camera in settings.cameras.items()}
    return zones, settings.rules, ZoneInfo(settings.timezone)
