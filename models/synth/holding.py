"""Where a held item is, from the palms that hold it. Results are (turn [3, 3], shift [3]) in the ground frame."""

from __future__ import annotations

import numpy as np

from models.synth.makes import Item
from models.synth.meshes import Floats
from models.synth.skeleton import Posed, unit

Placed = tuple[Floats, Floats]


def _axes(right: Floats, up: Floats) -> Floats:
    """Columns x, y, z with x along `right` and z towards `up`."""
    x = unit(right)
    z = unit(up - x * (x @ up))
    return np.stack([x, np.cross(z, x), z], axis=1)


def by_the_handle(posed: Posed, item: Item, down: tuple[float, float, float] = (0, 0, -1)) -> Placed:
    """A kettlebell that hangs from both hands towards `down`."""
    middle = (posed.palms["L"] + posed.palms["R"]) / 2
    turn = _axes(posed.palms["L"] - posed.palms["R"], -np.asarray(down, dtype=np.float64))
    return turn, middle - turn @ np.array([0.0, 0.0, item.grips[0][2]])


def between_palms(posed: Posed, item: Item, up: tuple[float, float, float] = (0, 0, 1)) -> Placed:
    """An item squeezed between both palms, its x axis from one to the other."""
    middle = (posed.palms["L"] + posed.palms["R"]) / 2
    turn = _axes(posed.palms["L"] - posed.palms["R"], np.asarray(up, dtype=np.float64))
    return turn, middle - turn @ np.asarray(item.centre)


def in_one_hand(posed: Posed, item: Item, side: str, gap: float, along: tuple[float, float, float]) -> Placed:
    """An item whose middle is `gap` metres off one palm, its x axis towards `along`."""
    normal = posed.palm_normals[side]
    turn = _axes(np.asarray(along, dtype=np.float64), np.array([0.0, 0.02, 1.0]))
    return turn, posed.palms[side] + normal * gap - turn @ np.asarray(item.centre)
