"""Single items by themselves, with alpha: what product photos on white are, for labels that have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from models.synth.items import MAKERS, make
from models.synth.meshes import Floats, Mesh, Pixels, rotation
from models.synth.scenes import Random, lying
from models.synth.stage import Camera, Stage
from models.synth.workers import each

LIFTED = 0.3  # share that is turned anyhow, as in a hand
MARGIN = 1.08  # of the camera's distance at which an item's bounding ball just fits


def render_products(
    out: Path, numbers: range, *, size: int, samples: int, jobs: int = 1, advance: Callable[[], None] = lambda: None
) -> None:
    """Render an item of every label for each number, which is its seed, into `out/LABEL/NAME.png` (with alpha).

    What is there already stays: a stopped run can be started again.
    """
    for label in MAKERS:
        (out / label).mkdir(parents=True, exist_ok=True)
    for _ in each(partial(_render_products, out=out, size=size, samples=samples), numbers, jobs):
        advance()


def _render_products(number: int, *, out: Path, size: int, samples: int) -> None:
    for kind, label in enumerate(MAKERS):
        path = out / label / f"item-{number:06d}.png"
        if not path.exists():
            _write(path, _portrait(label, np.random.default_rng((number, kind)), size, samples, number))


def _portrait(label: str, rng: Random, size: int, samples: int, seed: int) -> Pixels:
    """RGBA of one random item, `size` square, under random lamps."""
    item = make(label, rng)
    mesh = lying(item, rng)
    if rng.random() < LIFTED:
        mesh = mesh.moved(_any_turn(rng))
    middle, reach = _ball_around(mesh)
    view = float(rng.uniform(18, 55))
    away = MARGIN * reach / np.sin(np.radians(view / 2))
    place = away * _direction(float(rng.uniform(0, 360)), float(rng.uniform(-5, 60)))
    stage = Stage(size, size, samples=samples, clear_sky=True)
    stage.sky((0.95, 0.97, 1.0), float(rng.uniform(0.25, 0.9)))
    stage.look(Camera((float(place[0]), float(place[1]), float(place[2])), (0, 0, 0), view, float(rng.normal(0, 4))))
    warm = float(rng.uniform(0.75, 1.0))
    for _ in range(int(rng.integers(1, 4))):
        lamp = 3 * reach * _direction(float(rng.uniform(0, 360)), float(rng.uniform(20, 85)))
        wide = reach * float(rng.uniform(0.5, 3))
        watts = float(rng.uniform(15, 90)) * 9 * reach**2  # as bright on a small item as on a large one
        at = (float(lamp[0]), float(lamp[1]), float(lamp[2]))
        stage.light(at, (0, 0, 0), (wide, wide), watts, (1.0, 0.5 + 0.5 * warm, warm))
    stage.add(mesh.moved(shift=(-middle[0], -middle[1], -middle[2])), 1)
    return stage.render(seed).rgba


def _any_turn(rng: Random) -> Floats:
    x, y, z = (float(angle) for angle in rng.uniform(0, 360, 3))
    turn: Floats = rotation("x", x) @ rotation("y", y) @ rotation("z", z)
    return turn


def _ball_around(mesh: Mesh) -> tuple[Floats, float]:
    """Centre [3] and radius in metres of a ball that holds the mesh."""
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    return middle, float(np.linalg.norm(mesh.vertices - middle, axis=1).max())


def _direction(around: float, up: float) -> Floats:
    """The unit vector at those degrees."""
    a, e = np.radians((around, up))
    return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def _write(path: Path, rgba: Pixels) -> None:
    import cv2

    waiting = path.with_suffix(".part")
    waiting.write_bytes(cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))[1].tobytes())
    waiting.replace(path)
