"""Geometry of zones on one camera's picture: what is in which, and who is in reach of what.

All coordinates are relative to the picture. A person is in a zone when the bottom centre of their box is; an item,
when the centre of its box is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from consumers.view import Box
from spotter.settings import RackZone, Zone

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed polygon with its bounds, which settle most questions."""

    corners: tuple[Point, ...]
    bounds: Box

    @classmethod
    def of(cls, corners: Iterable[Point]) -> Polygon:
        """A polygon through `corners`."""
        ring = tuple(corners)
        xs, ys = [x for x, _ in ring], [y for _, y in ring]
        return cls(ring, (min(xs), min(ys), max(xs), max(ys)))

    def contains(self, point: Point) -> bool:
        """Whether the point is inside, by the even-odd rule; of a shared edge, one side has it."""
        x, y = point
        left, top, right, bottom = self.bounds
        if not (left <= x <= right and top <= y <= bottom):
            return False
        # A box that ends at the picture's edge has its bottom centre on the edge: that is inside, not beyond.
        y = min(y, bottom - 1e-9)
        x = min(x, right - 1e-9)
        inside = False
        x1, y1 = self.corners[-1]
        for x2, y2 in self.corners:
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
            x1, y1 = x2, y2
        return inside

    def near(self, point: Point, margin: float) -> bool:
        """Whether the point is inside, or at most `margin` away from an edge."""
        return self.contains(point) or any(
            _distance(point, one, other) <= margin
            for one, other in zip(self.corners, self.corners[1:] + self.corners[:1], strict=True)
        )


@dataclass(frozen=True, slots=True)
class CameraZones:
    """The zones of one camera, ready to be asked."""

    polygons: dict[str, Polygon]
    zones: dict[str, Zone]

    @classmethod
    def of(cls, zones: dict[str, Zone]) -> CameraZones:
        """Prepare a camera's zones."""
        return cls({name: Polygon.of(zone.polygon) for name, zone in zones.items()}, zones)

    def holding(self, label: str, box: Box) -> str | None:
        """The zone in which an item is at home or on show, not in use: its rack, or a kiosk."""
        point = centre(box)
        for name, zone in self.zones.items():
            at_home = isinstance(zone, RackZone) and (not zone.holds or label in zone.holds)
            if (at_home or zone.kind == "kiosk") and self.polygons[name].contains(point):
                return name
        return None

    def place_of(self, item: Box, holder: Box | None) -> str | None:
        """The zone that an item's use is booked under: where the item is, else where its holder stands; floor first."""
        points = [centre(item)] + ([feet(holder)] if holder is not None else [])
        for kinds in (("floor",), ("walkway", "station", "waiting", "rack")):
            for point in points:
                for name, zone in self.zones.items():
                    if zone.kind in kinds and self.polygons[name].contains(point):
                        return name
        return None


def centre(box: Box) -> Point:
    """The middle of a box: where an item is."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def feet(box: Box) -> Point:
    """The bottom centre of a box: where a person stands."""
    return (box[0] + box[2]) / 2, box[3]


def grown(box: Box, share: float) -> Box:
    """A box made larger by `share` of its width and height, the same on both sides."""
    dx, dy = (box[2] - box[0]) * share / 2, (box[3] - box[1]) * share / 2
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes share; touching counts as a hair of it."""
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    if left > other_right or other_left > right or top > other_bottom or other_top > bottom:
        return -1.0  # nearly always: this is asked of every person and item
    width = min(right, other_right) - max(left, other_left)
    return width * (min(bottom, other_bottom) - max(top, other_top)) + 1e-12


def area(box: Box) -> float:
    """The area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def distance_in_sizes(one: Box, other: Box) -> float:
    """How far apart two items' centres are, in sizes of the larger, by the worse of the two axes."""
    (x1, y1), (x2, y2) = centre(one), centre(other)
    width = max(one[2] - one[0], other[2] - other[0], 1e-6)
    height = max(one[3] - one[1], other[3] - other[1], 1e-6)
    return max(abs(x1 - x2) / width, abs(y1 - y2) / height)


def _distance(point: Point, one: Point, other: Point) -> float:
    """From a point to the line between two others."""
    (x, y), (x1, y1), (x2, y2) = point, one, other
    dx, dy = x2 - x1, y2 - y1
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, ((x - x1) * dx + (y - y1) * dy) / length))
    return math.hypot(x - x1 - along * dx, y - y1 - along * dy)
