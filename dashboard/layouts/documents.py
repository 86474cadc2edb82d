"""Layout documents as `spotter.database.layouts` keeps them: made, checked and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from pydantic import TypeAdapter, ValidationError

from spotter.database.layouts import Document
from spotter.settings import Settings, StationZone, WaitingZone, Zone
from spotter.settings.section import Name

Zones = dict[str, Zone]

_ZONES: TypeAdapter[Zones] = TypeAdapter(dict[Name, Zone])


class ZonesError(Exception):
    """Zones that can't be taken; `problems` says why, each in a sentence for a person."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def of_settings(settings: Settings) -> Document:
    """The document of a settings file: what holds until the first version is stored."""
    return {
        "cameras": {name: dump(dict(camera.zones)) for name, camera in settings.cameras.items()},
        "rules": settings.rules.model_dump(mode="json"),
        "timezone": settings.timezone,
    }


def dump(zones: Zones) -> dict[str, Any]:
    """Zones as a document has them."""
    return dict(_ZONES.dump_python(zones, mode="json", by_alias=True, exclude_none=True))


def with_camera(document: Document, camera: str, given: Any) -> Document:
    """The document with the zones `given` (as JSON) on one camera. Raises ZonesError."""
    try:
        zones = _ZONES.validate_python(given)
    except ValidationError as error:
        raise ZonesError([_said(one) for one in error.errors(include_url=False, include_input=False)]) from None
    problems = [
        gettext("%(zone)s: its edges cross each other; draw it again.", zone=name)
        for name, zone in zones.items()
        if crosses(zone.polygon)
    ]
    changed = {**document, "cameras": {**document["cameras"], camera: dump(zones)}}
    problems += _disagreements({name: _ZONES.validate_python(own) for name, own in changed["cameras"].items()})
    if problems:
        raise ZonesError(problems)
    return changed


def crosses(polygon: tuple[tuple[float, float], ...]) -> bool:
    """Whether two edges that are no neighbours cross."""
    count = len(polygon)
    edges = [(polygon[i], polygon[(i + 1) % count]) for i in range(count)]
    return any(
        _cross(edges[i], edges[j])
        for i in range(count)
        for j in range(i + 2, count)
        if (j + 1) % count != i  # the last edge and the first one meet
    )


def changes(before: Document | None, after: Document) -> list[tuple[str, str, str]]:
    """(what, camera, zone) of each zone that is `added`, `removed` or `changed`, and of rules that are."""
    old: Mapping[str, Mapping[str, Any]] = before["cameras"] if before else {}
    found = []
    for camera in sorted({*old, *after["cameras"]}):
        mine, its = old.get(camera, {}), after["cameras"].get(camera, {})
        for zone in sorted({*mine, *its}):
            if mine.get(zone) != its.get(zone):
                what = "added" if zone not in mine else "removed" if zone not in its else "changed"
                found.append((what, camera, zone))
    if before is not None and before["rules"] != after["rules"]:
        found.append(("changed", "", ""))
    return found


def units(document: Document) -> dict[str, str]:
    """Equipment by unit, of all stations."""
    return {
        zone.get("unit") or name: zone["equipment"]
        for own in document["cameras"].values()
        for name, zone in own.items()
        if zone["kind"] == "station"
    }


def _disagreements(cameras: Mapping[str, Zones]) -> list[str]:
    """One unit of two kinds, one zone name of two kinds, and waiting for what is not there."""
    problems, equipment, kinds = [], dict[str, str](), dict[str, str]()
    for zones in cameras.values():
        for name, zone in zones.items():
            if kinds.setdefault(name, zone.kind) != zone.kind:
                problems.append(
                    gettext("%(zone)s: another camera has a zone of that name and another kind.", zone=name)
                )
            if isinstance(zone, StationZone):
                unit = zone.unit or name
                if equipment.setdefault(unit, zone.equipment) != zone.equipment:
                    problems.append(gettext("%(unit)s: is two kinds of equipment; give one another unit.", unit=unit))
    for zones in cameras.values():
        for name, zone in zones.items():
            if isinstance(zone, WaitingZone):
                problems.extend(
                    gettext("%(zone)s: there is no unit %(unit)s.", zone=name, unit=unit)
                    for unit in zone.for_
                    if unit not in equipment
                )
    return problems


def _said(error: Any) -> str:
    place = [str(part) for part in error["loc"] if part != "[key]"]
    zone, rest = (place[0] if place else "?"), ".".join(place[2:])
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":  # all of these are names
        said = gettext(
            "a name has letters from A to Z, digits, dots, dashes and underscores, at most 64, and begins with a "
            "letter or a digit."
        )
    return f"{zone}: {rest + ': ' if rest else ''}{said}"


def _cross(one: Any, other: Any) -> bool:
    (a, b), (c, d) = one, other
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Any, b: Any, p: Any) -> float:
    return float((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]))
