"""A believable gym: floor, walls, windows, lamps, racks, treadmills, benches, posters. All drawn here.

Rooms are built about the origin; walls stand at the given distances. Nothing here is a class to detect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.synth.meshes import Colour, Mesh, Paint, Pixels, box, grid_faces, joined, lathe, rotation, sheet, tube

STEEL = Paint((0.10, 0.10, 0.11), 0.45, 0.2)
CHROME = Paint((0.65, 0.66, 0.68), 0.3, 0.9)


@dataclass(frozen=True)
class Shell:
    """A room's size in metres (x from -left to right, y from -front to back) and its colours."""

    left: float = 5.0
    right: float = 5.0
    front: float = 6.0
    back: float = 4.0
    height: float = 3.4
    floor: Colour = (0.20, 0.20, 0.21)
    speckle: Colour = (0.36, 0.38, 0.42)
    wall: Colour = (0.78, 0.77, 0.74)
    accent: Colour = (0.16, 0.36, 0.52)


def slab(x1: float, x2: float, y1: float, y2: float, z1: float, z2: float, paint: Paint, bevel: float = 0.0) -> Mesh:
    """A cuboid between two corners."""
    size = (x2 - x1, y2 - y1, z2 - z1)
    return box(size, paint, bevel).moved(shift=((x1 + x2) / 2, (y1 + y2) / 2, (z1 + z2) / 2))


def floor(shell: Shell, *, tiles: bool = True) -> list[Mesh]:
    """Speckled rubber with the seams of its tiles."""
    paint = Paint(shell.floor, 0.75, speckle=shell.speckle, speckle_size=0.011, speckle_share=0.1)
    parts = [slab(-shell.left, shell.right, -shell.front, shell.back, -0.1, 0.0, paint)]
    if tiles:
        seam = Paint((shell.floor[0] * 0.55, shell.floor[1] * 0.55, shell.floor[2] * 0.55), 0.9)
        parts += [
            slab(x - 0.004, x + 0.004, -shell.front, shell.back, 0.0, 0.0012, seam)
            for x in np.arange(-shell.left + 1, shell.right, 1.0)
        ]
        parts += [
            slab(-shell.left, shell.right, y - 0.004, y + 0.004, 0.0, 0.0012, seam)
            for y in np.arange(-shell.front + 1, shell.back, 1.0)
        ]
    return parts


def walls(shell: Shell) -> list[Mesh]:
    """Back and side walls with a coloured band, a skirting board, and a ceiling."""
    plain, band = Paint(shell.wall, 0.9), Paint(shell.accent, 0.8)
    skirting = Paint((0.12, 0.12, 0.13), 0.7)
    left, right, front, back, top = -shell.left, shell.right, -shell.front, shell.back, shell.height
    parts = [slab(left, right, back, back + 0.1, 0, top, plain)]
    parts.append(slab(left - 0.1, left, front, back, 0, top, plain))
    parts.append(slab(right, right + 0.1, front, back, 0, top, plain))
    for low, high, paint, out in ((1.15, 1.42, band, 0.004), (0.0, 0.12, skirting, 0.012)):
        parts.append(slab(left, right, back - out, back, low, high, paint))
        parts.append(slab(left, left + out, front, back, low, high, paint))
        parts.append(slab(right - out, right, front, back, low, high, paint))
    parts.append(slab(left, right, front, back, top, top + 0.1, Paint((0.82, 0.82, 0.82), 0.95)))
    return parts


def window(width: float, height: float, light: float = 3.0) -> Mesh:
    """A bright window with a frame, facing -y, its middle at the origin."""
    sky = Paint((0.78, 0.87, 0.96), 1.0, glow=light)
    frame = Paint((0.88, 0.88, 0.88), 0.6)
    parts = [slab(-width / 2, width / 2, -0.02, 0.0, -height / 2, height / 2, sky)]
    parts += [
        slab(x - 0.03, x + 0.03, -0.05, 0.0, -height / 2, height / 2, frame) for x in (-width / 2, 0.0, width / 2)
    ]
    parts += [
        slab(-width / 2 - 0.03, width / 2 + 0.03, -0.06, 0.0, z - 0.035, z + 0.035, frame)
        for z in (-height / 2, height / 2)
    ]
    return joined(parts)


def lamp_panel(width: float, depth: float, glow: float = 6.0) -> Mesh:
    """A ceiling lamp, glowing downwards from the origin."""
    return slab(-width / 2, width / 2, -depth / 2, depth / 2, -0.04, 0.0, Paint((1.0, 0.98, 0.94), 1.0, glow=glow))


def poster(rng: np.random.Generator, width: float = 0.7, height: float = 1.0) -> Mesh:
    """An abstract print: bars and discs, no words."""
    import cv2

    tall, wide = 160, int(160 * width / height)
    picture: Pixels = np.zeros((tall, wide, 4), dtype=np.uint8)
    picture[..., :3] = rng.integers(20, 235, 3)
    for _ in range(5):
        ink = tuple(int(c) for c in rng.integers(20, 240, 3))
        x, y = int(rng.integers(wide)), int(rng.integers(tall))
        if rng.random() < 0.5:
            cv2.circle(picture, (x, y), int(rng.integers(8, 45)), ink, -1, cv2.LINE_AA)
        else:
            cv2.line(picture, (x, y), (int(rng.integers(wide)), int(rng.integers(tall))), ink, int(rng.integers(4, 22)))
    picture[..., 3] = 255
    print_on = sheet(width, height, Paint((0.5, 0.5, 0.5), 0.5, picture=picture)).moved(shift=(0, -0.022, 0))
    edge = slab(-width / 2 - 0.02, width / 2 + 0.02, -0.02, 0.0, -height / 2 - 0.02, height / 2 + 0.02, STEEL)
    return joined([print_on, edge])


def treadmill(accent: Colour = (0.7, 0.1, 0.1)) -> Mesh:
    """A treadmill whose user stands at the origin and runs towards -y; the belt is 0.16 m high."""
    dark, belt = Paint((0.13, 0.13, 0.14), 0.5), Paint((0.035, 0.035, 0.04), 0.85)
    grey = Paint((0.55, 0.56, 0.58), 0.4, 0.4)
    parts = [
        slab(-0.40, 0.40, -0.85, 0.80, 0.03, 0.145, dark, 0.02),
        slab(-0.26, 0.26, -0.78, 0.78, 0.14, 0.16, belt),
        slab(-0.40, -0.28, -0.85, 0.80, 0.145, 0.175, grey),
        slab(0.28, 0.40, -0.85, 0.80, 0.145, 0.175, grey),
        slab(-0.38, 0.38, -1.20, -0.80, 0.02, 0.27, dark, 0.05),
        slab(-0.36, 0.36, -1.21, -0.86, 0.245, 0.28, Paint(accent, 0.4)),
    ]
    for x in (-0.39, 0.39):
        post = np.array([[x, -0.98, 0.15], [x, -0.94, 0.7], [x, -0.80, 1.12]])
        parts.append(tube(post, 0.032, grey))
        parts.append(tube(np.array([[x, -0.80, 1.06], [x, -0.55, 1.02], [x, -0.32, 0.98]]), 0.022, dark))
    parts.append(slab(-0.42, 0.42, -0.06, 0.0, -0.14, 0.14, dark, 0.02).moved(rotation("x", 28), (0, -0.84, 1.20)))
    screen = Paint((0.12, 0.30, 0.42), 0.3, glow=0.6)
    parts.append(slab(-0.2, 0.2, 0.0, 0.004, -0.08, 0.09, screen).moved(rotation("x", 28), (0, -0.84, 1.20)))
    parts.append(tube(np.array([[-0.38, -0.62, 1.0], [0.0, -0.68, 1.03], [0.38, -0.62, 1.0]]), 0.018, dark))
    return joined(parts)


def bench(pad: Colour = (0.12, 0.12, 0.13)) -> Mesh:
    """A flat bench along y, 0.44 m high."""
    leather = Paint(pad, 0.45)
    parts = [slab(-0.14, 0.14, -0.6, 0.6, 0.38, 0.45, leather, 0.025)]
    parts.append(slab(-0.03, 0.03, -0.5, 0.5, 0.30, 0.38, STEEL))
    for y in (-0.48, 0.48):
        parts.append(slab(-0.03, 0.03, y - 0.03, y + 0.03, 0.0, 0.34, STEEL))
        parts.append(slab(-0.24, 0.24, y - 0.035, y + 0.035, 0.0, 0.05, STEEL, 0.01))
    return joined(parts)


def shelf_rack(width: float, levels: tuple[float, ...], depth: float = 0.42, paint: Paint = STEEL) -> Mesh:
    """Open shelves at the given heights (metres of their upper faces), facing -y, middle at the origin."""
    top = levels[-1] + 0.08
    parts = [slab(-width / 2, width / 2, -depth / 2, depth / 2, z - 0.03, z, paint) for z in levels]
    for x in (-width / 2, width / 2):
        parts += [slab(x - 0.025, x + 0.025, y - 0.025, y + 0.025, 0, top, paint) for y in (-depth / 2, depth / 2)]
    parts += [slab(-width / 2, width / 2, -depth / 2 - 0.012, -depth / 2, z - 0.04, z + 0.012, CHROME) for z in levels]
    return joined(parts)


def power_rack(colour: Colour = (0.5, 0.07, 0.08)) -> Mesh:
    """A squat cage with a loaded bar: a common backdrop."""
    frame, plate = Paint(colour, 0.4), Paint((0.06, 0.06, 0.065), 0.6)
    parts = []
    for x in (-0.6, 0.6):
        parts += [slab(x - 0.035, x + 0.035, y - 0.035, y + 0.035, 0, 2.25, frame) for y in (-0.5, 0.5)]
        parts.append(slab(x - 0.03, x + 0.03, -0.5, 0.5, 2.18, 2.25, frame))
        parts.append(slab(x - 0.03, x + 0.03, -0.5, 0.5, 0.0, 0.06, frame))
    parts += [slab(-0.6, 0.6, y - 0.03, y + 0.03, 2.18, 2.25, frame) for y in (-0.5, 0.5)]
    parts.append(tube(np.array([[-1.05, -0.56, 1.35], [0.0, -0.56, 1.35], [1.05, -0.56, 1.35]]), 0.015, CHROME))
    disc = np.array([[0, -0.02], [0.21, -0.02], [0.225, 0.0], [0.21, 0.02], [0, 0.02]])
    parts += [lathe(disc, plate, 32).moved(rotation("y", 90), (x, -0.56, 1.35)) for x in (-0.82, -0.77, 0.77, 0.82)]
    return joined(parts)


def mat(colour: Colour, length: float = 1.75, width: float = 0.6) -> Mesh:
    """An exercise mat along x on the floor."""
    return slab(-length / 2, length / 2, -width / 2, width / 2, 0.0, 0.012, Paint(colour, 0.9, bump=0.1))


def plant() -> Mesh:
    """A potted plant: a pot and bent leaves."""
    pot = lathe(
        np.array([[0, 0], [0.15, 0], [0.20, 0.38], [0.17, 0.38], [0, 0.34]]), Paint((0.82, 0.80, 0.76), 0.6), 28
    )
    green = Paint((0.10, 0.30, 0.12), 0.5)
    parts = [pot]
    for number in range(16):
        turn = rotation("z", number * 137.5)
        tall, out = 0.55 + 0.25 * (number % 3), 0.22 + 0.05 * (number % 4)
        share = np.linspace(0, 1, 7)
        middle = np.stack([out * share**1.6, np.zeros(7), 0.35 + tall * share - 0.35 * share**3], axis=-1)
        half = 0.05 * np.sin(np.pi * np.clip(share, 0.02, 0.98))
        edge = np.array([0.0, 1.0, 0.0]) * half[:, None]
        leaf = np.stack([middle - edge, middle + edge], axis=1).reshape(-1, 3)
        faces = grid_faces(7, 2)
        leaf_mesh = Mesh(leaf, faces, (green,), np.zeros(len(faces), dtype=np.int64))
        parts.append(leaf_mesh.moved(turn))
    return joined(parts)


def counter(width: float = 2.4, height: float = 1.05) -> Mesh:
    """A reception counter along x, facing -y."""
    wood, panel = (
        Paint((0.60, 0.44, 0.28), 0.4, speckle=(0.48, 0.34, 0.2), speckle_size=0.08),
        Paint((0.9, 0.9, 0.88), 0.6),
    )
    return joined(
        [
            slab(-width / 2, width / 2, -0.3, 0.3, 0, height - 0.05, panel),
            slab(-width / 2 - 0.05, width / 2 + 0.05, -0.36, 0.36, height - 0.05, height, wood, 0.012),
        ]
    )


def clock() -> Mesh:
    """A wall clock without figures, facing -y, its middle at the origin."""
    rim = lathe(np.array([[0, 0], [0.20, 0], [0.20, 0.03], [0.18, 0.03], [0.18, 0.022], [0, 0.022]]), STEEL, 40)
    face = lathe(np.array([[0.18, 0.023], [0, 0.023]]), Paint((0.93, 0.93, 0.9), 0.6), 40)
    hands = [
        slab(-0.007, 0.007, -0.01, length, 0.024, 0.027, STEEL).moved(rotation("z", degrees))
        for length, degrees in ((0.10, -55.0), (0.15, 40.0))
    ]
    return joined([rim, face, *hands]).moved(rotation("x", 90))
