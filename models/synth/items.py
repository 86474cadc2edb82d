"""Portable kit in many makes: sizes, colours, stripes, prints, wear. An item stands on z = 0 about the origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.synth.meshes import (
    Colour,
    Floats,
    Mesh,
    Paint,
    Pixels,
    ball,
    box,
    face_centres,
    grid_faces,
    joined,
    lathe,
    repaint,
    rotation,
    sheet,
    tube,
)

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


def _pick(rng: Random, colours: tuple[Colour, ...], spread: float = 0.05) -> Colour:
    red, green, blue = np.clip(np.array(colours[rng.integers(len(colours))]) + rng.normal(0, spread, 3), 0.02, 0.97)
    return float(red), float(green), float(blue)


def _any_colour(rng: Random, bright: float = 0.7) -> Colour:
    return _pick(rng, BRIGHT if rng.random() < bright else SOBER)


def _faded(colour: Colour, share: float) -> Colour:
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


def _print_on(radius: float, base: Paint, rng: Random, height: float, width: float) -> Mesh:
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


def kettlebell(rng: Random, radius: float | None = None, style: str | None = None) -> Item:
    """Cast iron, competition, vinyl-dipped or with coloured bands; `radius` in metres."""
    drawn_radius = float(rng.uniform(0.072, 0.112))
    radius = radius or drawn_radius
    drawn = str(rng.choice(["iron", "competition", "vinyl", "band", "rubber"]))
    style = style or drawn
    colour = _pick(rng, RED_TO_GREY) if style in ("competition", "band") else _any_colour(rng, 0.6)
    black = _pick(rng, SOBER[:3], 0.02)
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
        parts += [_print_on(radius, body, rng, radius * 0.6, radius * 1.1)]
    if rng.random() < 0.5:
        parts += [_print_on(radius, body, rng, radius * 0.6, radius * 1.1).moved(rotation("z", 180))]
    whole = joined(parts).moved(shift=(0, 0, -floor))
    grip = top - floor
    return Item("kettlebell", whole, (0, 0, radius), ((0.03, 0, grip), (-0.03, 0, grip)), half + bar)


def dumbbell(rng: Random) -> Item:
    """Hexagonal, round or vinyl; its bar lies along x."""
    head = float(rng.uniform(0.028, 0.085))
    half = float(rng.uniform(0.085, 0.11)) + head * 0.8
    style = str(rng.choice(["hex", "round", "vinyl"]))
    colour = _any_colour(rng, 0.85) if style == "vinyl" else _any_colour(rng, 0.12)
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
        ring = Paint(_any_colour(rng, 0.5), 0.5)
        for sign in (1, -1):
            disc = lathe(np.array([[0, 0.001], [head * 0.7, 0.001]]), ring, 32)
            parts.append(disc.moved(rotation("y", 90 * sign), (sign * half, 0, 0)))
    base = head * (np.cos(np.radians(30)) if sides == 6 else 1.0)
    turn = rotation("x", 30 if sides == 6 else 0)
    whole = joined(parts).moved(turn)
    lowest = float(whole.vertices[:, 2].min())
    return Item("dumbbell", whole.moved(shift=(0, 0, -lowest)), (0, 0, base), ((0, 0, -lowest),), half)


def med_ball(rng: Random, style: str | None = None) -> Item:
    """Soft wall balls of panels, rubber bouncers with bands, and knobbly ones."""
    drawn = str(rng.choice(["panels", "rubber", "knobbly", "two-tone"]))
    style = style or drawn
    radius = float(rng.uniform(0.15, 0.18)) if style == "panels" else float(rng.uniform(0.095, 0.145))
    first = _any_colour(rng, 0.25 if style == "panels" else 0.55)
    second = _any_colour(rng, 0.75)
    paint = Paint(first, float(rng.uniform(0.5, 0.9)), bump=0.35, bump_size=0.006)
    mesh = ball(radius, paint, 36, 48)
    centres = face_centres(mesh)
    around = np.degrees(np.arctan2(centres[:, 1], centres[:, 0]))
    level = centres[:, 2] / radius
    if style == "panels":
        seams = np.abs((around + 360) % 60 - 30) > 27.5
        if rng.random() < 0.6:
            mesh = repaint(mesh, Paint(second, 0.7), np.abs(level) < rng.uniform(0.12, 0.3))
        mesh = repaint(mesh, Paint(_faded(first, 0.35), 0.8), seams)
    elif style == "two-tone":
        mesh = repaint(mesh, Paint(second, 0.6), np.abs(level) > rng.uniform(0.25, 0.7))
    elif style == "rubber":
        for height in (0.35, -0.35):
            mesh = repaint(mesh, Paint(second, 0.6), np.abs(level - height) < 0.06)
    else:
        mesh = _studded(mesh, radius, 0.012, 9, 14)
    turn = rotation("x", float(rng.uniform(0, 180))) @ rotation("y", float(rng.uniform(0, 180)))
    parts = [mesh.moved(turn)]
    if style != "knobbly" and rng.random() < 0.7:
        parts.append(_print_on(radius, paint, rng, radius * 0.6, radius))
    return _ball_item("med_ball", joined(parts), radius)


def _studded(mesh: Mesh, radius: float, rise: float, rows: int, columns: int) -> Mesh:
    """Raised squares over a ball."""
    unit = mesh.vertices / radius
    tilt, turn = np.arcsin(np.clip(unit[:, 2], -1, 1)), np.arctan2(unit[:, 1], unit[:, 0])
    wave = np.cos(tilt * rows) * np.cos(turn * columns / 2)
    grown = mesh.vertices * (1 + rise / radius * np.clip(wave * 3, 0, 1))[:, None]
    return Mesh(grown, mesh.faces, mesh.paints, mesh.face_paint)


def _ball_item(label: str, mesh: Mesh, radius: float) -> Item:
    grips = ((radius, 0.0, radius), (-radius, 0.0, radius))
    return Item(label, mesh.moved(shift=(0, 0, radius)), (0, 0, radius), grips, radius, round=True)


def aqua_ball(rng: Random) -> Item:
    """A light inflatable or rubber ball for water exercise, 15 to 25 cm."""
    radius = float(rng.uniform(0.075, 0.125))
    style = str(rng.choice(["segments", "plain", "knobbly", "marbled", "poles"]))
    first, second = _pick(rng, BRIGHT), _pick(rng, (*BRIGHT, (0.95, 0.95, 0.95), (0.95, 0.95, 0.95)))
    gloss = float(rng.uniform(0.08, 0.3))
    speckle = second if style == "marbled" else None
    mesh = ball(radius, Paint(first, gloss, speckle=speckle, speckle_size=radius * 0.7, speckle_share=0.5), 32, 48)
    centres = face_centres(mesh)
    if style == "segments":
        panels = int(rng.choice([4, 6, 8]))
        turn = (np.degrees(np.arctan2(centres[:, 1], centres[:, 0])) + 360) % 360
        mesh = repaint(mesh, Paint(second, gloss), (turn // (360 / panels)) % 2 == 1)
        mesh = repaint(mesh, Paint((0.95, 0.95, 0.95), gloss), np.abs(centres[:, 2]) > radius * 0.96)
    elif style == "poles":
        mesh = repaint(mesh, Paint(second, gloss), np.abs(centres[:, 2]) > radius * 0.7)
    elif style == "knobbly":
        mesh = _studded(mesh, radius, 0.005, 14, 24)
    valve = lathe(np.array([[0.010, 0], [0.010, 0.004], [0.006, 0.007], [0, 0.007]]), Paint((0.9, 0.9, 0.9), 0.4), 14)
    turn3 = rotation("x", float(rng.uniform(0, 180))) @ rotation("y", float(rng.uniform(0, 180)))
    parts = [mesh, valve.moved(shift=(0, 0, radius - 0.001))]
    if style == "plain" and rng.random() < 0.8:
        parts.append(_print_on(radius, Paint(first, gloss), rng, radius * 0.6, radius))
    return _ball_item("aqua_ball", joined(parts).moved(turn3), radius)


def exercise_ball(rng: Random) -> Item:
    """A gym ball of 45 to 75 cm, with or without rings, slightly flat under its own weight."""
    radius = float(rng.uniform(0.225, 0.375))
    colour = _any_colour(rng, 0.55)
    paint = Paint(colour, float(rng.uniform(0.2, 0.55)))
    count = 56
    angle = np.linspace(-np.pi / 2, np.pi / 2, count)
    ridge = 0.0035 * np.clip(np.cos(angle * rng.integers(24, 40)) * 2, 0, 1) if rng.random() < 0.6 else np.zeros(count)
    profile = np.stack([(radius + ridge) * np.cos(angle), (radius + ridge) * np.sin(angle)], axis=-1)
    mesh = lathe(profile, paint, 56)
    if rng.random() < 0.2:
        level = np.abs(face_centres(mesh)[:, 2]) / radius
        mesh = repaint(mesh, Paint(_any_colour(rng), 0.4), level < 0.2)
    parts = [mesh]
    plug = lathe(np.array([[0.012, 0], [0.012, 0.004], [0, 0.005]]), Paint((0.9, 0.9, 0.9), 0.5), 14)
    parts.append(plug.moved(rotation("x", 90), (0, -radius, 0)))
    if rng.random() < 0.6:
        parts.append(_print_on(radius * 1.012, paint, rng, radius * 0.45, radius * 0.8).moved(rotation("x", -25)))
    turn = rotation("z", float(rng.uniform(0, 360))) @ rotation("y", float(rng.choice([0, 0, 90, 30])))
    whole = joined(parts).moved(turn).scaled((1.015, 1.015, 0.97))
    return _ball_item("exercise_ball", whole, radius * 0.97)


def lacrosse_ball(rng: Random) -> Item:
    """A hard rubber massage ball of 63 mm; now and then two in one (a peanut)."""
    radius = float(rng.uniform(0.030, 0.034))
    colour = _any_colour(rng, 0.75) if rng.random() < 0.8 else (0.93, 0.93, 0.9)
    paint = Paint(colour, float(rng.uniform(0.35, 0.75)), bump=0.08, bump_size=0.004)
    parts = [ball(radius, paint, 20, 28)]
    if rng.random() < 0.45:
        parts.append(_print_on(radius, paint, rng, radius * 0.7, radius * 1.2))
    if rng.random() < 0.12:
        other = parts[0].moved(shift=(radius * 1.75, 0, 0))
        parts = [parts[0], other]
    return _ball_item("lacrosse_ball", joined(parts), radius)


def foam_roller(rng: Random, style: str | None = None) -> Item:
    """Smooth, grid, knobbly or speckled; lies along x."""
    radius = float(rng.uniform(0.06, 0.08))
    length = float(rng.choice([0.30, 0.33, 0.45, 0.60, 0.90]))
    drawn = str(rng.choice(["smooth", "grid", "knobbly", "speckled", "ribs"]))
    style = style or drawn
    colour = _pick(rng, SOBER[:3], 0.02) if style == "speckled" else _any_colour(rng, 0.65)
    speckle = _any_colour(rng, 0.8) if style == "speckled" else None
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
    end_paint = Paint(
        _any_colour(rng, 0.5) if hollow else _faded(colour, 0.1), 0.8, speckle=speckle, speckle_size=0.009
    )
    parts = [shell]
    for sign in (1, -1):
        rim = lathe(np.array([[radius * 0.993, 0], [inner, 0]]), end_paint, around)
        parts.append(rim.moved(shift=(0, 0, sign * length / 2)))
    if hollow:
        bore = np.array([[inner, -length / 2], [inner, length / 2]])
        parts.append(lathe(bore, Paint(_faded(end_paint.colour, 0.0), 0.6), around))
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
        colour = _any_colour(rng, 0.75)
        other = _faded(_any_colour(rng, 0.5), 0.2) if style == "marbled" else None
        paint = Paint(colour, 0.85, speckle=other, speckle_size=0.03, speckle_share=0.4, bump=0.12, bump_size=0.004)
    parts = [box(size, paint, float(rng.uniform(0.004, 0.014)))]
    if style == "two-tone":
        layer = Paint(_any_colour(rng, 0.6), 0.85)
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
