"""One scene, prepared for the rules: who and what is in which zone, and who is in reach of what, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.view import Box, Sighting, View
from consumers.zones import CameraZones, area, grown, overlap

DOUBLE_SHARE = 0.8
"""Of two boxes of one label of which one is in the other by this share, the less certain is no item of its own."""

DOUBLE_IOU = 0.6
"""The same for two labels, by intersection over union: small things lie in front of large ones."""


@dataclass(slots=True)
class Kit:
    """An item in a scene, with where it is."""

    track: str
    label: str
    score: float
    box: Box
    moving: bool
    zones: tuple[str, ...]
    """Those that its centre is in."""
    home: str | None
    """The rack that it belongs to, or the kiosk, if it is in one: there it is not in use."""
    holder: Sighting | None
    """The person in reach who overlaps it most."""


@dataclass(slots=True)
class Picture:
    """A scene with a picture; people and kit that are not believed, and second boxes on one thing, are left out."""

    camera: str
    time: int
    zones: CameraZones
    people: list[Sighting]
    kit: list[Kit]
    reaches: list[tuple[Box, Sighting]]
    """Where each person can reach."""
    people_in: dict[str, list[Sighting]] = field(default_factory=dict)
    """zone -> the people whose feet are in it"""
    kit_in: dict[str, list[Kit]] = field(default_factory=dict)
    """zone -> the items whose centre is in it"""


def picture_of(view: View, zones: CameraZones, reach: float, confidence: float) -> Picture:
    """Work out where everything is; what is seen with less than `confidence` counts as not seen."""
    people = [person for person in view.people if person.score >= confidence]
    reaches = [(grown(person.box, reach), person) for person in people]
    picture = Picture(view.camera, view.time, zones, people, [], reaches)
    at = zones.at
    if zones.zones:
        for person in people:
            left, _, right, bottom = person.box
            for name in at((left + right) / 2, bottom):
                picture.people_in.setdefault(name, []).append(person)
    homes = zones.homes
    for found in _without_doubles([found for found in view.kit if found.score >= confidence]):
        left, top, right, bottom = box = found.box
        inside = at((left + right) / 2, (top + bottom) / 2)
        home = None
        holder, best = None, -0.5
        for (reach_left, reach_top, reach_right, reach_bottom), person in reaches:
            if left > reach_right or reach_left > right or top > reach_bottom or reach_top > bottom:
                continue  # nearly always
            shared = overlap((reach_left, reach_top, reach_right, reach_bottom), box)
            if shared > best:
                holder, best = person, shared
        label = found.label
        for name in inside:
            if home is None and name in homes and ((held := homes[name]) is None or label in held):
                home = name
        kit = Kit(found.track, label, found.score, box, found.moving, inside, home, holder)
        picture.kit.append(kit)
        for name in inside:
            picture.kit_in.setdefault(name, []).append(kit)
    return picture


def _without_doubles(kit: list[Sighting]) -> list[Sighting]:
    """Each thing once, where the detector has put two boxes on it: the more certain one."""
    doubles: set[int] = set()
    before: list[Box] = []
    for position, found in enumerate(kit):
        left, top, right, bottom = box = found.box
        for other, (other_left, other_top, other_right, other_bottom) in enumerate(before):
            if left > other_right or other_left > right or top > other_bottom or other_top > bottom:
                continue  # nearly always
            if _is_double(found, kit[other]):
                doubles |= {position, other}
        before.append(box)
    if not doubles:
        return kit
    kept: list[Sighting] = []
    for found in sorted((kit[position] for position in doubles), key=lambda found: (-found.score, found.track)):
        if not any(_is_double(found, other) for other in kept):
            kept.append(found)
    tracks = {found.track for found in kept}
    return [found for position, found in enumerate(kit) if position not in doubles or found.track in tracks]


def _is_double(one: Sighting, other: Sighting) -> bool:
    shared = overlap(one.box, other.box)
    if shared <= 0:
        return False
    areas = area(one.box), area(other.box)
    if one.label == other.label:
        return shared > DOUBLE_SHARE * min(areas)
    return shared > DOUBLE_IOU * (sum(areas) - shared)
