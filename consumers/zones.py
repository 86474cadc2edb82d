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
        left, top, right, bottom = self.bounds
        x, y = point
        if not (left - margin <= x <= right + margin and top - margin <= y <= bottom + margin):
            return False
        return self.contains(point) or any(
            _distance(point, one, other) <= margin
            for one, other in zip(self.corners, self.corners[1:] + self.corners[:1], strict=True)
        )


Cell = tuple[tuple[str, ...], tuple[tuple[str, Polygon], ...]]
"""Zones that cover the whole of a grid's cell, and those that may have a point in it."""

GRID = 32
"""Cells a side of the grid that answers for most points at once which zones they are in."""


@dataclass(frozen=True, slots=True)
class CameraZones:
    """The zones of one camera, ready to be asked."""

    polygons: dict[str, Polygon]
    zones: dict[str, Zone]
    grid: tuple[Cell, ...]
    homes: dict[str, frozenset[str] | None]
    """rack or kiosk -> the labels that are at home or on show there, not in use; None is all of them"""

    @classmethod
    def of(cls, zones: dict[str, Zone]) -> CameraZones:
        """Prepare a camera's zones."""
        polygons = {name: Polygon.of(zone.polygon) for name, zone in zones.items()}
        homes: dict[str, frozenset[str] | None] = {}
        for name, zone in zones.items():
            if isinstance(zone, RackZone):
                homes[name] = frozenset(zone.holds) or None
            elif zone.kind == "kiosk":
                homes[name] = None
        return cls(polygons, zones, _grid(polygons) if zones else (), homes)

    def at(self, x: float, y: float) -> tuple[str, ...]:
        """The zones that a point is in, in the order in which they are given."""
        if not self.grid:
            return ()
        whole, others = self.grid[min(int(y * GRID), GRID - 1) * GRID + min(int(x * GRID), GRID - 1)]
        if not others:
            return whole
        inside = {name for name, polygon in others if polygon.contains((x, y))}
        return tuple(name for name in self.zones if name in inside or name in whole) if inside else whole

    def place_of(self, item: Box, holder: Box | None) -> str | None:
        """The zone that an item's use is booked under: where the item is, else where its holder stands; floor first."""
        points = [centre(item)] + ([feet(holder)] if holder is not None else [])
        found = [self.at(*point) for point in points]
        for kinds in (("floor",), ("walkway", "station", "waiting", "rack")):
            for names in found:
                for name in names:
                    if self.zones[name].kind in kinds:
                        return name
        return None


def _grid(polygons: dict[str, Polygon]) -> tuple[Cell, ...]:
    """The cells of the grid, row by row."""
    cells: list[Cell] = []
    half = 0.5 / GRID
    for row in range(GRID):
        for column in range(GRID):
            middle = ((column + 0.5) / GRID, (row + 0.5) / GRID)
            whole, others = [], []
            for name, polygon in polygons.items():
                left, top, right, bottom = polygon.bounds
                x, y = middle
                if left > x + half or right < x - half or top > y + half or bottom < y - half:
                    continue
                edges = zip(polygon.corners, polygon.corners[1:] + polygon.corners[:1], strict=True)
                if min(_distance(middle, one, other) for one, other in edges) > half * 1.5:  # beyond the cell's corners
                    if polygon.contains(middle):
                        whole.append(name)
                else:
                    others.append((name, polygon))
            cells.append((tuple(whole), tuple(others)))
    return tuple(cells)


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
