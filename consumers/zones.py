"""Geometry of zones on one camera's picture: what is in which, and who is in reach of what.

All coordinates are relative to the picture. A person is in a zone when the bottom centre of their box is; an item,
when the centre of its box is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

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
        if y > bottom - 1e-9:
            y = bottom - 1e-9
        if x > right - 1e-9:
            x = right - 1e-9
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


Cell = tuple[tuple[str, ...], tuple[tuple[str, Polygon | None], ...]]
"""The zones of all points of a grid's cell; and, where an edge runs through it, those to ask. None covers it whole."""

GRID = 64
"""Cells a side of the grid that answers for most points at once which zones they are in."""


@dataclass(frozen=True, slots=True)
class CameraZones:
    """The zones of one camera, ready to be asked."""

    polygons: dict[str, Polygon]
    zones: dict[str, Zone]
    grid: tuple[Cell, ...]
    homes: dict[str, frozenset[str] | None]
    """rack or kiosk -> the labels that are at home or on show there, not in use; None is all of them"""
    _lies: dict[tuple[str, ...], tuple[str | None, str | None]] = field(default_factory=dict, compare=False)
    """Answers of `lies`"""

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
        names, edged = self.grid[int(y * GRID) * (GRID + 1) + int(x * GRID)]
        if not edged:
            return names
        return tuple([name for name, polygon in edged if polygon is None or polygon.contains((x, y))])

    def lies(self, names: tuple[str, ...]) -> tuple[str | None, str | None]:
        """Of the zones that something is in, the one that it is booked under, and the walkway among them."""
        found = self._lies.get(names)
        if found is None:
            walkway = next((name for name in names if self.zones[name].kind == "walkway"), None)
            found = self._lies[names] = self.booked(names), walkway
        return found

    def booked(self, names: tuple[str, ...]) -> str | None:
        """Of the zones that something is in, the one that it is booked under: floor first, never a kiosk."""
        best = None
        for name in names:
            kind = self.zones[name].kind
            if kind == "floor":
                return name
            if best is None and kind != "kiosk":
                best = name
        return best

    def place_of(self, item: Box, holder: Box | None) -> str | None:
        """The zone that an item's use is booked under: where the item is, else where its holder stands; floor first."""
        at_item = self.booked(self.at(*centre(item)))
        if holder is None or (at_item is not None and self.zones[at_item].kind == "floor"):
            return at_item
        at_holder = self.booked(self.at(*feet(holder)))
        if at_holder is not None and self.zones[at_holder].kind == "floor":
            return at_holder
        return at_item or at_holder


def _grid(polygons: dict[str, Polygon]) -> tuple[Cell, ...]:
    """The cells of the grid, row by row; the last ones answer for points on the right and lower edge."""
    cells: list[Cell] = []
    half = 0.5 / GRID
    for row in range(GRID + 1):
        for column in range(GRID + 1):
            middle = x, y = (column + 0.5) / GRID, (row + 0.5) / GRID
            asked: list[tuple[str, Polygon | None]] = []
            for name, polygon in polygons.items():
                left, top, right, bottom = polygon.bounds
                if left > x + half or right < x - half or top > y + half or bottom < y - half:
                    continue
                edges = zip(polygon.corners, polygon.corners[1:] + polygon.corners[:1], strict=True)
                if any(
                    _distance(middle, one, other) <= half * 1.5 for one, other in edges
                ):  # beyond the cell's corners
                    asked.append((name, polygon))
                elif polygon.contains(middle):
                    asked.append((name, None))
            names = tuple(name for name, _ in asked)
            cells.append((names, tuple(asked) if any(polygon for _, polygon in asked) else ()))
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
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    width, other_width = right - left, other_right - other_left
    height, other_height = bottom - top, other_bottom - other_top
    across = abs(left + right - other_left - other_right) / ((width if width > other_width else other_width) or 1e-6)
    down = abs(top + bottom - other_top - other_bottom) / ((height if height > other_height else other_height) or 1e-6)
    return (across if across > down else down) / 2


def _distance(point: Point, one: Point, other: Point) -> float:
    """From a point to the line between two others."""
    (x, y), (x1, y1), (x2, y2) = point, one, other
    dx, dy = x2 - x1, y2 - y1
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, ((x - x1) * dx + (y - y1) * dy) / length))
    return math.hypot(x - x1 - along * dx, y - y1 - along * dy)
