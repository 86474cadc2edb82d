"""Balls in many makes. Each stands on z = 0 about the origin."""

from __future__ import annotations

import numpy as np

from models.synth.makes import BRIGHT, SOBER, Item, Random, any_colour, faded, pick, print_on
from models.synth.meshes import Mesh, Paint, ball, face_centres, joined, lathe, repaint, rotation


def med_ball(rng: Random, style: str | None = None) -> Item:
    """Soft wall balls of panels, rubber bouncers with bands, caps or a seam like a tennis ball's, and knobbly ones."""
    drawn = str(rng.choice(["panels", "rubber", "knobbly", "two-tone", "seam"], p=[0.3, 0.12, 0.08, 0.2, 0.3]))
    style = style or drawn
    radius = float(rng.uniform(0.15, 0.18)) if style == "panels" else float(rng.uniform(0.095, 0.145))
    first = any_colour(rng, 0.25 if style == "panels" else 0.55)
    second = any_colour(rng, 0.75)
    if rng.random() < 0.5:  # most have some black
        black = pick(rng, SOBER[:2], 0.02)
        first, second = (black, second) if style in ("panels", "two-tone") else (first, black)
    paint = Paint(first, float(rng.uniform(0.5, 0.9)), bump=0.35, bump_size=0.006)
    mesh = ball(radius, paint, 36, 48)
    centres = face_centres(mesh)
    around = np.degrees(np.arctan2(centres[:, 1], centres[:, 0]))
    level = centres[:, 2] / radius
    if style == "panels":
        seams = np.abs((around + 360) % 60 - 30) > 27.5
        if rng.random() < 0.6:
            band = np.abs(level) < rng.uniform(0.12, 0.5)
            if rng.random() < 0.5:  # a maker's two light panels
                second = pick(rng, SOBER[3:4] + SOBER[5:])
                band &= np.abs((around + 360) % 180 - 90) < rng.uniform(25, 60)
            mesh = repaint(mesh, Paint(second, 0.7), band)
        mesh = repaint(mesh, Paint(faded(first, 0.35), 0.8), seams)
    elif style == "two-tone":
        mesh = repaint(mesh, Paint(second, 0.6), np.abs(level) > rng.uniform(0.25, 0.7))
    elif style == "seam":
        wave = rng.uniform(0.35, 0.65) * np.cos(2 * np.radians(around)) + rng.uniform(0, 0.35)
        mesh = repaint(mesh, Paint(second, 0.6), level > wave)
    elif style == "rubber":
        for height in (0.35, -0.35):
            mesh = repaint(mesh, Paint(second, 0.6), np.abs(level - height) < 0.06)
    else:
        mesh = _studded(mesh, radius, 0.012, 9, 14)
    turn = rotation("x", float(rng.uniform(0, 180))) @ rotation("y", float(rng.uniform(0, 180)))
    parts = [mesh.moved(turn)]
    if style != "knobbly" and rng.random() < 0.7:
        parts.append(print_on(radius, paint, rng, radius * 0.6, radius))
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
    first, second = pick(rng, BRIGHT), pick(rng, (*BRIGHT, (0.95, 0.95, 0.95), (0.95, 0.95, 0.95)))
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
        parts.append(print_on(radius, Paint(first, gloss), rng, radius * 0.6, radius))
    return _ball_item("aqua_ball", joined(parts).moved(turn3), radius)


def exercise_ball(rng: Random) -> Item:
    """A gym ball of 45 to 75 cm, with or without rings, slightly flat under its own weight."""
    radius = float(rng.uniform(0.225, 0.375))
    colour = any_colour(rng, 0.55)
    paint = Paint(colour, float(rng.uniform(0.2, 0.55)))
    count = 56
    angle = np.linspace(-np.pi / 2, np.pi / 2, count)
    ridge = 0.0035 * np.clip(np.cos(angle * rng.integers(24, 40)) * 2, 0, 1) if rng.random() < 0.6 else np.zeros(count)
    profile = np.stack([(radius + ridge) * np.cos(angle), (radius + ridge) * np.sin(angle)], axis=-1)
    mesh = lathe(profile, paint, 56)
    if rng.random() < 0.2:
        level = np.abs(face_centres(mesh)[:, 2]) / radius
        mesh = repaint(mesh, Paint(any_colour(rng), 0.4), level < 0.2)
    parts = [mesh]
    plug = lathe(np.array([[0.012, 0], [0.012, 0.004], [0, 0.005]]), Paint((0.9, 0.9, 0.9), 0.5), 14)
    parts.append(plug.moved(rotation("x", 90), (0, -radius, 0)))
    if rng.random() < 0.6:
        parts.append(print_on(radius * 1.012, paint, rng, radius * 0.45, radius * 0.8).moved(rotation("x", -25)))
    turn = rotation("z", float(rng.uniform(0, 360))) @ rotation("y", float(rng.choice([0, 0, 90, 30])))
    whole = joined(parts).moved(turn).scaled((1.015, 1.015, 0.97))
    return _ball_item("exercise_ball", whole, radius * 0.97)


def lacrosse_ball(rng: Random) -> Item:
    """A hard rubber massage ball of 63 mm; now and then two in one (a peanut)."""
    radius = float(rng.uniform(0.030, 0.034))
    colour = any_colour(rng, 0.75) if rng.random() < 0.8 else (0.93, 0.93, 0.9)
    paint = Paint(colour, float(rng.uniform(0.35, 0.75)), bump=0.08, bump_size=0.004)
    parts = [ball(radius, paint, 20, 28)]
    if rng.random() < 0.45:
        parts.append(print_on(radius, paint, rng, radius * 0.7, radius * 1.2))
    if rng.random() < 0.12:
        other = parts[0].moved(shift=(radius * 1.75, 0, 0))
        parts = [parts[0], other]
    return _ball_item("lacrosse_ball", joined(parts), radius)
