"""What lies about in a gym and is no portable kit, though it may look like it: it must not be detected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.synth.meshes import Colour, Floats, Mesh, Paint, box, joined, lathe, rotation, tube

Random = np.random.Generator


def plate(rng: Random) -> Mesh:
    """A weight plate, lying or leaning, with its hole."""
    radius, half = float(rng.uniform(0.1, 0.225)), float(rng.uniform(0.012, 0.04))
    rim = radius - float(rng.uniform(0.015, 0.04))
    profile = [(0.025, -half), (rim, -half * 0.6), (radius, -half), (radius, half), (rim, half * 0.6), (0.025, half)]
    disc = lathe(np.array([*profile, profile[0]]), Paint(_colour(rng), float(rng.uniform(0.3, 0.8))))
    tilt = 0.0 if rng.random() < 0.5 else float(rng.uniform(62, 90))
    return _grounded(disc.moved(rotation("x", tilt)))


def bottle(rng: Random) -> Mesh:
    """A drinking bottle with a cap."""
    radius, tall = float(rng.uniform(0.03, 0.045)), float(rng.uniform(0.17, 0.27))
    profile = np.array([(0, 0), (radius, 0), (radius, tall * 0.75), (radius * 0.5, tall * 0.85), (radius * 0.5, tall)])
    cap = lathe(
        np.array([(0, tall), (radius * 0.6, tall), (radius * 0.6, tall * 1.1), (0, tall * 1.1)]),
        Paint((0.1, 0.1, 0.1), 0.5),
    )
    whole = joined([lathe(profile, Paint(_colour(rng), 0.25)), cap])
    return _grounded(whole.moved(rotation("x", 90)) if rng.random() < 0.3 else whole)


def carton(rng: Random) -> Mesh:
    """A box, a step or a plyo box: nothing of a yoga block's size."""
    wide, deep, tall = (float(rng.uniform(0.25, 0.6)) for _ in range(3))
    return _grounded(box((wide, deep, tall), Paint(_colour(rng), 0.8), 0.01))


def bucket(rng: Random) -> Mesh:
    """A bucket or waste bin, open at the top."""
    low, wide, tall = float(rng.uniform(0.1, 0.15)), float(rng.uniform(0.13, 0.19)), float(rng.uniform(0.25, 0.5))
    profile = np.array([(0, 0), (low, 0), (wide, tall), (wide - 0.01, tall), (low - 0.01, 0.01), (0, 0.01)])
    return lathe(profile, Paint(_colour(rng), 0.6))


def shoe(rng: Random) -> Mesh:
    """A trainer, roughly: sole and upper."""
    paint = Paint(_colour(rng), 0.8)
    sole = box((0.1, 0.28, 0.03), Paint((0.85, 0.85, 0.83), 0.7), 0.01).moved(shift=(0, 0, 0.015))
    toe = box((0.09, 0.16, 0.05), paint, 0.02).moved(shift=(0, -0.05, 0.055))
    heel = box((0.085, 0.12, 0.09), paint, 0.02).moved(shift=(0, 0.07, 0.075))
    return _grounded(joined([sole, toe, heel]))


def bag(rng: Random) -> Mesh:
    """A sports bag with its handles."""
    long, radius = float(rng.uniform(0.4, 0.6)), float(rng.uniform(0.12, 0.17))
    ends = np.linspace(-1, 1, 15)
    path: Floats = np.stack([ends * long / 2, 0 * ends, 0 * ends], axis=-1)
    body = tube(path, radius * (1 - 0.25 * np.abs(ends) ** 6), Paint(_colour(rng), 0.85))
    bow = np.linspace(0, np.pi, 15)
    handle: Floats = np.stack([0.13 * np.cos(bow), 0 * bow, radius * 0.9 + 0.12 * np.sin(bow)], axis=-1)
    return _grounded(joined([body, tube(handle, 0.012, Paint((0.08, 0.08, 0.08), 0.8))]))


MAKERS: tuple[Callable[[Random], Mesh], ...] = (plate, plate, bottle, carton, bucket, shoe, bag)


def make(rng: Random) -> Mesh:
    """Any of them, standing on z = 0 about the origin, turned at random."""
    mesh = MAKERS[int(rng.integers(len(MAKERS)))](rng)
    return mesh.moved(rotation("z", float(rng.uniform(0, 360))))


def _colour(rng: Random) -> Colour:
    if rng.random() < 0.5:
        grey = float(rng.uniform(0.03, 0.6))
        return grey, grey, grey
    red, green, blue = rng.uniform(0.05, 0.9, 3).tolist()
    return red, green, blue


def _grounded(mesh: Mesh) -> Mesh:
    return mesh.moved(shift=(0, 0, -float(mesh.vertices[:, 2].min())))
