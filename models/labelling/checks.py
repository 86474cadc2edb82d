"""What is wrong with boxes: outside the picture, without size, drawn twice; and classes without any."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from models.labelling.records import Box, Corners, Reading

LEAST_PX = 2.0
"""A box narrower than this is a slip of the mouse."""

SAME_IOU = 0.95
"""Two boxes of one class that overlap by more are one thing drawn twice."""

_ROUNDING = 1.0  # px: tools count a picture's last pixel or its edge


def usable(boxes: Iterable[Box], width: int, height: int, reading: Reading) -> list[tuple[str, Corners]]:
    """Class name and relative corners of every box that can be used, clipped to the picture; the rest is reported.

    `width` and `height` are the picture's, in pixels.
    """
    kept: list[tuple[str, Corners]] = []
    for box in boxes:
        if not all(math.isfinite(v) for v in box.corners):
            reading.report("bad box", box.place, f"{box.name}: a coordinate is no number")
            continue
        scale = (width, height, width, height) if box.relative else (1, 1, 1, 1)
        x1, y1, x2, y2 = (v * s for v, s in zip(box.corners, scale, strict=True))
        inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
        fault = _fault((x1, y1, x2, y2), inside)
        if fault:
            reading.report("bad box", box.place, f"{box.name}: {fault}")
            continue
        if max(-x1, -y1, x2 - width, y2 - height) > _ROUNDING:
            reading.report("clipped box", box.place, f"{box.name}: reaches out of the picture; cut at its edge")
        corners = (inside[0] / width, inside[1] / height, inside[2] / width, inside[3] / height)
        if any(name == box.name and overlap(other, corners) > SAME_IOU for name, other in kept):
            reading.report("duplicate", box.place, f"{box.name}: drawn twice; one is kept")
            continue
        kept.append((box.name, corners))
    return kept


def empty_classes(reading: Reading, used: Iterable[str], names: Sequence[str] | None = None) -> None:
    """Report classes that are listed but have no box."""
    have = set(used)
    for name in names if names is not None else reading.classes:
        if name not in have:
            reading.report("empty class", name, "is listed but has no box")


def overlap(a: Corners, b: Corners) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _fault(corners: Corners, inside: Corners) -> str | None:
    x1, y1, x2, y2 = corners
    if x2 <= x1 or y2 <= y1:
        return f"has no size ({x2 - x1:.1f} x {y2 - y1:.1f} px)"
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return "lies outside the picture"
    if min(inside[2] - inside[0], inside[3] - inside[1]) < LEAST_PX:
        return f"is under {LEAST_PX:g} px wide or high"
    return None
