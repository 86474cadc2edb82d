"""The demo's cardio camera: two treadmills, two people."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from models.synth import room
from models.synth.bodies import Look, Person
from models.synth.choreography import Script, on_treadmill, stepping, walking
from models.synth.clips import Clip, Place, block, ceiling_lamps, polygon_of
from models.synth.meshes import rotation
from models.synth.poses import Standpoint
from models.synth.stage import Camera

DECK = 0.16  # metres of a treadmill's belt above the floor


def cardio() -> Clip:
    """Two treadmills; one person uses the left, another the right, each walks in and out."""
    camera = Camera((0.0, -4.9, 2.5), (0.0, 0.5, 0.72), 60)
    shell = room.Shell(
        4.6, 4.6, 6.0, 3.4, 3.2, (0.24, 0.25, 0.27), (0.42, 0.45, 0.5), (0.80, 0.79, 0.76), (0.15, 0.42, 0.45)
    )
    lamps, panels = ceiling_lamps(shell, 120)
    spots = {"treadmill-1": Standpoint(-1.35, 0.35, 128), "treadmill-2": Standpoint(1.45, 0.35, -128)}
    scenery = [*room.floor(shell), *room.walls(shell), *panels]
    for number, spot in enumerate(spots.values()):
        scenery.append(room.treadmill(((0.20, 0.20, 0.21), (0.26, 0.27, 0.28))[number]).moved(spot.turn, spot.shift))
    scenery += [room.window(1.7, 1.3, 2.0).moved(shift=(x, 3.38, 2.15)) for x in (-2.6, 2.6)]
    scenery.append(room.clock().moved(shift=(0.0, 3.39, 2.1)))
    scenery.append(room.bench().moved(rotation("z", 90), (0.1, 2.5, 0)))

    looks = (
        Look(0, 0.65, 0.65, 0.45, 0.5, top=(0.75, 0.75, 0.72), bottom=(0.1, 0.12, 0.2), leg=0.8, hair_style="short"),
        Look(
            1,
            0.65,
            0.6,
            0.42,
            0.56,
            (0.56, 0.38, 0.27),
            (0.06, 0.05, 0.05),
            "ponytail",
            (0.72, 0.25, 0.33),
            0.0,
            (0.09, 0.09, 0.11),
            1.95,
            (0.2, 0.45, 0.8),
        ),
    )
    people = {}
    times = {"first": ("treadmill-1", -1.0, 1.0, 5.0), "second": ("treadmill-2", 1.0, 9.0, 12.6)}
    for look, (name, (unit, side, comes, on)) in zip(looks, times.items(), strict=True):
        person = Person(look)
        hip, spot = person.rest.hip_height, spots[unit]
        behind = spot.turn @ np.array([0.0, 1.18, 0.0]) + spot.shift
        rear = Standpoint(float(behind[0]), float(behind[1]), spot.heading)
        deck = replace(spot, z=DECK)
        door = (side * 4.3, -1.7)
        off = on + 12.5
        beats = [
            walking(
                comes, on - 1.0, [door, (rear.x, rear.y)], hip, headings=(None, spot.heading), starts_standing=False
            ),
            stepping(on - 1.0, on, rear, deck, hip),
            on_treadmill(on, off, deck, hip, DECK),
            stepping(off, off + 1.1, deck, rear, hip),
            walking(
                off + 1.1, off + 4.1, [(rear.x, rear.y), door], hip, headings=(spot.heading, None), ends_standing=False
            ),
        ]
        people[name] = (person, Script(beats))
    zones: dict[str, dict[str, object]] = {}
    for unit, spot in spots.items():
        corners = [tuple(spot.turn @ np.array(p) + spot.shift) for p in block(-0.42, 0.42, -0.75, 0.95, 0.02, 0.22)]
        zones[unit] = {
            "kind": "station",
            "equipment": "treadmill",
            "polygon": polygon_of(camera, cast("list[Place]", corners)),
        }
    return Clip("cardio", 32.0, camera, tuple(scenery), lamps, people, {}, zones)
