"""What makes of kit share: an item, colours, faded paint and prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.synth.meshes import Colour, Mesh, Paint, Pixels, grid_faces

BRIGHT: tuple[Colour, ...] = (
    (0.78, 0.10, 0.12),
    (0.10, 0.30, 0.70),
    (0.95, 0.75, 0.10),
    (0.10, 0.55, 0.30),
    (0.90, 0.40, 0.08),
    (0.45, 0.18, 0.58),
    (0.90, 0.35, 0.55),
    (0.15, 0.65, 0.70),
    (0.55, 0.75, 0.20),
    (0.30, 0.62, 0.88),
)
SOBER: tuple[Colour, ...] = (
    (0.05, 0.05, 0.055),
    (0.10, 0.10, 0.11),
    (0.22, 0.23, 0.25),
    (0.45, 0.46, 0.48),
    (0.12, 0.16, 0.28),
    (0.80, 0.80, 0.78),
)
RED_TO_GREY = ((0.72, 0.09, 0.10), (0.12, 0.28, 0.62), (0.90, 0.72, 0.12), (0.10, 0.45, 0.28), (0.35, 0.36, 0.38))


@dataclass(frozen=True, eq=False)
class Item:
    """One piece of kit. `centre` is its middle; `grips` are where palms go, `half_width` its reach along x."""

    label: str
    mesh: Mesh
    centre: tuple[float, float, float]
    grips: tuple[tuple[float, float, float], ...]
    half_width: float
    round: bool = False


Random = np.random.Generator


def pick(rng: Random, colours: tuple[Colour, ...], spread: float = 0.05) -> Colour:
    """One of `colours`, a little off."""
    red, green, blue = np.clip(np.array(colours[rng.integers(len(colours))]) + rng.normal(0, spread, 3), 0.02, 0.97)
    return float(red), float(green), float(blue)


def any_colour(rng: Random, bright: float = 0.7) -> Colour:
    """A bright colour, so often, else a sober one."""
    return pick(rng, BRIGHT if rng.random() < bright else SOBER)


def faded(colour: Colour, share: float) -> Colour:
    """Paint that has gone so far towards grey, 0..1."""
    red, green, blue = (c + (0.5 - c) * share for c in colour)
    return red, green, blue


def number_decal(text: str, colour: Colour, ring: bool = False) -> Pixels:
    """A print of a weight or a mark on nothing, RGBA."""
    import cv2

    picture = np.zeros((128, 256, 4), dtype=np.uint8)
    ink = (*(int(255 * c) for c in colour), 255)
    scale = 2.6 if len(text) < 4 else 1.5
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 8)
    cv2.putText(picture, text, (128 - wide // 2, 64 + tall // 2), cv2.FONT_HERSHEY_DUPLEX, scale, ink, 8, cv2.LINE_AA)
    if ring:
        cv2.ellipse(picture, (128, 64), (120, 58), 0, 0, 360, ink, 5, cv2.LINE_AA)
    return picture


def print_on(radius: float, base: Paint, rng: Random, height: float, width: float) -> Mesh:
    """A printed patch that lies on a ball of that radius about the origin, facing -y."""
    marks = ("4", "6", "8", "10", "12", "16", "20", "24", "5 KG", "8 LB", "PRO", "FLEX", "ACTIVE", "65", "CORE")
    white: Colour = (0.92, 0.92, 0.9)
    dark: Colour = (0.06, 0.06, 0.06)
    ink = white if sum(base.colour) < 1.7 else dark
    picture = number_decal(str(rng.choice(marks)), ink, ring=bool(rng.random() < 0.4))
    paint = Paint(base.colour, base.roughness, base.metallic, picture=picture)
    across, up = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.5, 0.5, 7))
    east, north = across * width / radius, up * height / radius
    lift = radius * 1.004
    points = lift * np.stack([np.sin(east) * np.cos(north), -np.cos(east) * np.cos(north), np.sin(north)], axis=-1)
    uv = np.stack([across + 0.5, up + 0.5], axis=-1).reshape(-1, 2)
    faces = grid_faces(7, 9)
    return Mesh(points.reshape(-1, 3), faces, (paint,), np.zeros(len(faces), dtype=np.int64), uv)
