"""A compact YOLOv5 in torch alone: the architecture of releases 6 and 7, sizes n, s, m and l."""

SIZES: dict[str, tuple[float, float]] = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0)}
"""Depth and width multiples by size."""
