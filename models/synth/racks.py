"""Racks as gyms have them: rows of one make, close together, dumbbells with an end towards whoever looks."""

from __future__ import annotations

import numpy as np

from models.synth import room
from models.synth.items import make
from models.synth.meshes import Mesh, Paint, rotation

Random = np.random.Generator

HELD = {
    "dumbbell": 0.5,
    "kettlebell": 0.22,
    "med_ball": 0.1,
    "yoga_block": 0.08,
    "foam_roller": 0.05,
    "aqua_ball": 0.05,
}
"""How often a rack holds each kind, mostly."""

GROWING = ("dumbbell", "kettlebell")
"""What comes in sizes, of which a row holds one after the other."""

DEPTH_M = 0.42


def rack(rng: Random) -> tuple[Mesh, list[tuple[str, Mesh]]]:
    """Shelves whose middle stands at the origin, facing -y, and what lies on them: labels and meshes."""
    width = float(rng.uniform(1.2, 2.6))
    first, step = float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.32, 0.5))
    levels = tuple(first + step * number for number in range(int(rng.integers(1, 4))))
    shade = float(rng.uniform(0.02, 0.6))
    shelves = room.shelf_rack(width, levels, DEPTH_M, Paint((shade, shade, shade), float(rng.uniform(0.3, 0.8)), 0.5))
    kinds, shares = list(HELD), list(HELD.values())
    label = str(rng.choice(kinds, p=shares))
    lying = []
    for level in levels:
        if rng.random() < 0.25:
            label = str(rng.choice(kinds, p=shares))
        lean = float(rng.uniform(0, 25)) if label == "dumbbell" else 0.0
        lying += [(label, mesh.moved(shift=(0, 0, level))) for mesh in row(label, width - 0.1, step, lean, rng)]
    return shelves, lying


def row(label: str, width: float, height: float, lean: float, rng: Random) -> list[Mesh]:
    """Items of one make side by side along x around the origin, no higher than `height`, with some places empty.

    Dumbbells lean towards the viewer by `lean` degrees, as on sloping shelves.
    """
    made = make(label, rng).mesh
    smallest, largest = sorted(rng.uniform(0.75, 1.3, 2)) if label in GROWING else (1.0, 1.0)
    if label == "dumbbell" and rng.random() < 0.8:
        made = made.moved(rotation("z", 90)).moved(rotation("x", lean))
    askew = 4 if label == "dumbbell" else 25
    gap, empty = float(rng.uniform(0.006, 0.06)), float(rng.choice([0.0, 0.1, 0.35]))
    lying: list[Mesh] = []
    x = -width / 2
    while True:
        size = smallest + (largest - smallest) * (x / width + 0.5)
        one = made.moved(np.eye(3) * size).moved(rotation("z", float(rng.normal(0, askew))))
        low, high = one.vertices.min(axis=0), one.vertices.max(axis=0)
        if x + high[0] - low[0] > width / 2:
            return lying
        if high[2] - low[2] < height - 0.04 and rng.random() >= empty:
            ahead = -(high[1] + low[1]) / 2 + float(rng.normal(0, 0.012))
            lying.append(one.moved(shift=(x - low[0], ahead, -low[2])))
        x += float(high[0] - low[0]) + gap
