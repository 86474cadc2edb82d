"""Portable kit in many makes: sizes, colours, stripes, prints, wear. An item stands on z = 0 about the origin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.synth.balls import aqua_ball, exercise_ball, lacrosse_ball, med_ball
from models.synth.makes import RED_TO_GREY, SOBER, Item, Random, any_colour, faded, number_decal, pick, print_on
from models.synth.meshes import (
    Colour,
    Floats,
    Mesh,
    Paint,
    box,
    face_centres,
    joined,
    lathe,
    repaint,
    rotation,
    sheet,
    tube,
)


def kettlebell(rng: Random, radius: float | None = None, style: str | None = None) -> Item:
    """Cast iron, competition, vinyl-dipped or with coloured bands; `radius` in metres."""
    drawn_radius = float(rng.uniform(0.072, 0.112))
    radius = radius or drawn_radius
    drawn = str(rng.choice(["iron", "competition", "vinyl", "band", "rubber"]))
    style = style or drawn
    colour = pick(rng, RED_TO_GREY) if style in ("competition", "band") else any_colour(rng, 0.6)
    black = pick(rng, SOBER[:3], 0.02)
    body = Paint(
        black if style in ("iron", "band") else colour, float(rng.uniform(0.3, 0.7)), bump=0.3, bump_size=0.006
    )
    angle = np.linspace(-np.pi / 2 + 0.5, np.pi / 2, 26)
    shape = np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.92, 1.02)], axis=-1)
    floor = float(shape[0, 1])
    profile = np.concatenate([[[0.0, floor], [shape[0, 0] * 0.96, floor]], shape[1:]])
    mesh = lathe(profile, body, 36)
    if style == "vinyl":
        mesh = repaint(mesh, Paint(black, 0.4), face_centres(mesh)[:, 2] > radius * rng.uniform(0.3, 0.6))
    elif style == "rubber":
        mesh = repaint(mesh, Paint(black, 0.85), face_centres(mesh)[:, 2] < -radius * 0.55)
    bar = float(rng.uniform(0.0135, 0.0185))
    half = max(float(rng.uniform(0.058, 0.088)), 0.68 * radius) if style != "competition" else max(0.068, 0.7 * radius)
    rise = max(float(rng.uniform(0.065, 0.11)), 0.85 * radius)
    top = radius * 0.96 + rise
    share = np.linspace(0, 1, 34)
    turn = np.pi * share
    power = 0.45
    path = np.stack(
        [
            -np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power * half * (1.05 - 0.12 * np.sin(turn)),
            np.zeros(34),
            radius * 0.55 + (top - radius * 0.55) * np.sin(turn) ** power,
        ],
        axis=-1,
    )
    steel = style == "competition" or rng.random() < 0.2
    handle = tube(path, bar, Paint((0.62, 0.62, 0.63), 0.35, 0.9) if steel else Paint(black, 0.45), 12)
    if style == "band":
        centres = face_centres(handle)
        low = (centres[:, 2] < top - 0.3 * rise) & (centres[:, 2] > top - 0.62 * rise)
        handle = repaint(handle, Paint(colour, 0.5), low)
    parts = [mesh, handle]
    if rng.random() < 0.75:
        parts += [print_on(radius, body, rng, radius * 0.6, radius * 1.1)]
    if rng.random() < 0.5:
        parts += [print_on(radius, body, rng, radius * 0.6, radius * 1.1).moved(rotation("z", 180))]
    whole = joined(parts).moved(shift=(0, 0, -floor))
    grip = top - floor
    return Item("kettlebell", whole, (0, 0, radius), ((0.03, 0, grip), (-0.03, 0, grip)), half + bar)


def dumbbell(rng: Random) -> Item:
    """Hexagonal, round or vinyl; its bar lies along x."""
    head = float(rng.uniform(0.028, 0.085))
    half = float(rng.uniform(0.085, 0.11)) + head * 0.8
    style = str(rng.choice(["hex", "round", "vinyl"]))
    bare = pick(rng, SOBER[:4]) if rng.random() < 0.7 else any_colour(rng, 0.4)
    colour = any_colour(rng, 0.85) if style == "vinyl" else bare
    head_paint = Paint(colour, float(rng.uniform(0.4, 0.85)))
    long = head * float(rng.uniform(1.1, 1.7))
    sides = 32 if style == "round" else 6
    rim = head * 0.12
    profile = np.array([[0, 0], [head - rim, 0], [head, rim], [head, long - rim], [head - rim, long], [0, long]])
    parts = []
    for sign in (1, -1):
        end = lathe(profile, head_paint, sides, smooth=False).moved(rotation("z", 30))
        parts.append(end.moved(rotation("y", 90 * sign), (sign * (half - long), 0, 0)))
    bar = np.stack([np.linspace(-half + long, half - long, 9), np.zeros(9), np.zeros(9)], axis=-1)
    thick = 0.0145 + 0.003 * np.cos(np.linspace(-np.pi, np.pi, 9))
    bar_paint = head_paint if style == "vinyl" else Paint((0.6, 0.6, 0.62), 0.35, 0.9, bump=0.4, bump_size=0.002)
    parts.append(tube(bar, thick, bar_paint, 12))
    if style == "round" and rng.random() < 0.6:
        ring = Paint(any_colour(rng, 0.5), 0.5)
        for sign in (1, -1):
            disc = lathe(np.array([[0, 0.001], [head * 0.7, 0.001]]), ring, 32)
            parts.append(disc.moved(rotation("y", 90 * sign), (sign * half, 0, 0)))
    if style != "vinyl" and rng.random() < 0.7:
        ink: Colour = (0.9, 0.9, 0.88) if sum(colour) < 1.6 else (0.08, 0.08, 0.08)
        weight = str(rng.choice(["2", "4", "6", "8", "10", "12", "14", "16", "20", "25", "30"]))
        mark = Paint(colour, head_paint.roughness, picture=number_decal(weight, ink, ring=bool(rng.random() < 0.6)))
        for sign in (1, -1):
            face = sheet(head * 1.4, head * 0.9, mark)
            parts.append(face.moved(rotation("z", 90 * sign), (sign * (half + 0.001), 0, 0)))
    base = head * (np.cos(np.radians(30)) if sides == 6 else 1.0)
    turn = rotation("x", 30 if sides == 6 else 0)
    whole = joined(parts).moved(turn)
    lowest = float(whole.vertices[:, 2].min())
    return Item("dumbbell", whole.moved(shift=(0, 0, -lowest)), (0, 0, base), ((0, 0, -lowest),), half)


def foam_roller(rng: Random, style: str | None = None) -> Item:
    """Smooth, grid, knobbly or speckled; lies along x."""
    radius = float(rng.uniform(0.06, 0.08))
    length = float(rng.choice([0.30, 0.33, 0.45, 0.60, 0.90]))
    drawn = str(rng.choice(["smooth", "grid", "knobbly", "speckled", "ribs"]))
    style = style or drawn
    colour = pick(rng, SOBER[:3], 0.02) if style == "speckled" else any_colour(rng, 0.65)
    speckle = any_colour(rng, 0.8) if style == "speckled" else None
    paint = Paint(colour, 0.85, speckle=speckle, speckle_size=0.009, speckle_share=0.3, bump=0.2, bump_size=0.006)
    rows, around = int(length * 90), 44
    along = np.linspace(-length / 2, length / 2, rows)
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    if style == "grid":
        dent = np.maximum(np.cos(along * 2 * np.pi / 0.055)[:, None] > 0.75, (np.cos(turn * 7) > 0.8)[None])
    elif style == "knobbly":
        dent = 1.6 * np.clip(np.sin(along * 2 * np.pi / 0.05)[:, None] * np.sin(turn * 8)[None], -1, 0.2)
    elif style == "ribs":
        dent = (np.cos(along * 2 * np.pi / 0.06)[:, None] > 0.5) * np.ones((1, around))
    else:
        dent = np.zeros((rows, around))
    profile = np.stack([np.full(rows, radius), along], axis=-1)
    shell = lathe(profile, paint, around)
    points = shell.vertices.reshape(rows, around, 3).copy()
    points[..., :2] *= (1 - 0.006 / radius * dent.astype(np.float64))[..., None]
    shell = Mesh(points.reshape(-1, 3), shell.faces, shell.paints, shell.face_paint)
    hollow = style in ("grid", "ribs", "knobbly") or rng.random() < 0.2
    inner = radius * (0.72 if hollow else 0.0)
    end_paint = Paint(any_colour(rng, 0.5) if hollow else faded(colour, 0.1), 0.8, speckle=speckle, speckle_size=0.009)
    parts = [shell]
    for sign in (1, -1):
        rim = lathe(np.array([[radius * 0.993, 0], [inner, 0]]), end_paint, around)
        parts.append(rim.moved(shift=(0, 0, sign * length / 2)))
    if hollow:
        bore = np.array([[inner, -length / 2], [inner, length / 2]])
        parts.append(lathe(bore, Paint(faded(end_paint.colour, 0.0), 0.6), around))
    whole = joined(parts).moved(rotation("y", 90), (0, 0, radius))
    half = length / 2
    return Item(
        "foam_roller", whole, (0, 0, radius), ((half * 0.6, 0, radius), (-half * 0.6, 0, radius)), half, round=True
    )


def yoga_block(rng: Random, style: str | None = None) -> Item:
    """Foam, cork or wood, 23 x 15 x 7.5-10 cm, its long side along x."""
    size = (float(rng.uniform(0.215, 0.235)), float(rng.uniform(0.12, 0.155)), float(rng.uniform(0.06, 0.105)))
    drawn = str(rng.choice(["foam", "foam", "cork", "wood", "marbled", "two-tone"]))
    style = style or drawn
    if style == "cork":
        paint = Paint((0.66, 0.47, 0.30), 0.9, speckle=(0.42, 0.27, 0.16), speckle_size=0.009, speckle_share=0.35)
    elif style == "wood":
        paint = Paint((0.80, 0.62, 0.40), 0.4, speckle=(0.68, 0.48, 0.28), speckle_size=0.03, speckle_share=0.45)
    else:
        colour = any_colour(rng, 0.75)
        other = faded(any_colour(rng, 0.5), 0.2) if style == "marbled" else None
        paint = Paint(colour, 0.85, speckle=other, speckle_size=0.03, speckle_share=0.4, bump=0.12, bump_size=0.004)
    parts = [box(size, paint, float(rng.uniform(0.004, 0.014)))]
    if style == "two-tone":
        layer = Paint(any_colour(rng, 0.6), 0.85)
        parts = [
            box((size[0], size[1], size[2] / 2), paint, 0.006).moved(shift=(0, 0, size[2] / 4)),
            box((size[0], size[1], size[2] / 2), layer, 0.006).moved(shift=(0, 0, -size[2] / 4)),
        ]
    if rng.random() < 0.55:
        ink: Colour = (0.93, 0.93, 0.9) if sum(paint.colour) < 1.6 else (0.08, 0.08, 0.08)
        text = str(rng.choice(["YOGA", "BALANCE", "ZEN", "FLOW", "CALM", "LOTUS"]))
        mark = Paint(paint.colour, paint.roughness, picture=number_decal(text, ink, ring=bool(rng.random() < 0.4)))
        high = min(size[2] * 0.6, 0.05)
        parts.append(sheet(high * 2, high, mark).moved(shift=(0, -size[1] / 2 - 0.001, 0)))
        if rng.random() < 0.6:
            parts.append(sheet(0.14, 0.07, mark).moved(rotation("x", -90), (0, 0, size[2] / 2 + 0.001)))
    whole = joined(parts).moved(shift=(0, 0, size[2] / 2))
    grips = ((size[0] / 2, 0, size[2] / 2), (-size[0] / 2, 0, size[2] / 2))
    return Item("yoga_block", whole, (0, 0, size[2] / 2), grips, size[0] / 2)


MAKERS: dict[str, Callable[[Random], Item]] = {
    "kettlebell": kettlebell,
    "med_ball": med_ball,
    "foam_roller": foam_roller,
    "yoga_block": yoga_block,
    "lacrosse_ball": lacrosse_ball,
    "aqua_ball": aqua_ball,
    "exercise_ball": exercise_ball,
    "dumbbell": dumbbell,
}
CLASSES: tuple[str, ...] = ("person", *MAKERS)


def make(label: str, rng: Random) -> Item:
    """A random item of that label."""
    return MAKERS[label](rng)


def turned_about(item: Item, turn: Floats, point: tuple[float, float, float] | Floats) -> Mesh:
    """The item's mesh turned about its middle, its middle put at `point`."""
    middle = np.asarray(item.centre)
    return item.mesh.moved(shift=(-middle[0], -middle[1], -middle[2])).moved(turn, np.asarray(point, dtype=np.float64))
