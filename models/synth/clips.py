"""A demo clip as a plain description: room, camera, zones, and what everybody and everything does when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.synth import holding, room
from models.synth.bodies import Person
from models.synth.choreography import Script
from models.synth.makes import Item
from models.synth.meshes import Mesh
from models.synth.poses import Standpoint
from models.synth.scenes import Lamp
from models.synth.skeleton import Posed
from models.synth.stage import Camera

ASPECT = 16 / 9
Place = tuple[float, float, float]
Holding = Callable[[Posed, Item], holding.Placed]


@dataclass(frozen=True, eq=False)
class Prop:
    """An item of a clip: where it rests when, and who holds it when. Times are seconds of the clip."""

    item: Item
    rests: tuple[tuple[float, float, holding.Placed], ...] = ()
    held: tuple[tuple[float, float, str, Holding], ...] = ()


@dataclass(frozen=True, eq=False)
class Clip:
    """One camera's film. `people` and `props` have names; what is not in `props` never moves."""

    name: str
    seconds: float
    camera: Camera
    scenery: tuple[Mesh, ...]
    lamps: tuple[Lamp, ...]
    people: dict[str, tuple[Person, Script]]
    props: dict[str, Prop]
    zones: dict[str, dict[str, object]]
    held_up: tuple[tuple[str, float, float], ...] = ()
    sky: float = 0.35
    fps: float = 8.0

    def posed(self, name: str, seconds: float) -> tuple[Standpoint, Posed] | None:
        """A person's standpoint and bones, or None while away."""
        person, script = self.people[name]
        moment = script.at(seconds)
        return None if moment is None else (moment[0], person.solve(moment[1]))

    def prop_at(self, name: str, seconds: float) -> tuple[holding.Placed, bool] | None:
        """(turn, shift) of a prop in the room and whether it is held; None while it is not in the picture."""
        prop = self.props[name]
        for start, end, placed in prop.rests:
            if start <= seconds < end:
                return placed, False
        for start, end, who, how in prop.held:
            found = self.posed(who, seconds) if start <= seconds < end else None
            if found is not None:
                return in_room(how(found[1], prop.item), found[0]), True
        return None


def in_room(placed: holding.Placed, stand: Standpoint) -> holding.Placed:
    """A placement in the ground frame of a body, in the room."""
    return stand.turn @ placed[0], stand.turn @ placed[1] + stand.shift


def polygon_of(camera: Camera, points: list[Place]) -> list[list[float]]:
    """The convex outline of room points on the camera's picture, relative, cut at its edges."""
    import cv2

    places = camera.project(np.array(points), ASPECT)[:, :2].astype(np.float32)
    outline = cv2.convexHull(places)[:, 0]
    return [[round(float(np.clip(x, 0, 1)), 3), round(float(np.clip(y, 0, 1)), 3)] for x, y in outline]


def block(x1: float, x2: float, y1: float, y2: float, z1: float, z2: float) -> list[Place]:
    """The corners of a cuboid."""
    return [(x, y, z) for x in (x1, x2) for y in (y1, y2) for z in (z1, z2)]


def ceiling_lamps(shell: room.Shell, watts: float) -> tuple[tuple[Lamp, ...], list[Mesh]]:
    """Four lamps under the ceiling and the bright panels that they seem to be."""
    lamps, panels = [], []
    for x in (-2.0, 2.0):
        for y in (-2.2, 1.6):
            lamps.append(Lamp((x, y, shell.height - 0.06), (x, y + 0.01, 0), (1.6, 0.6), watts, (1.0, 0.97, 0.92)))
            panels.append(room.lamp_panel(1.6, 0.6).moved(shift=(x, y, shell.height)))
    return tuple(lamps), panels
