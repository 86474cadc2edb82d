"""Random scenes for training: which people and items are where, in which room, seen and lit how."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.synth import clutter, racks, room
from models.synth.actors import act
from models.synth.items import MAKERS, make
from models.synth.makes import Item
from models.synth.meshes import Floats, Mesh, Paint, rotation
from models.synth.stage import Camera

LABELS = tuple(MAKERS)
# How often each label is drawn: what has few photos is drawn more (shared photos hold many kettlebells).
SHARES = np.array([1.0, 1.5, 1.6, 2.0, 1.7, 2.0, 1.2, 0.8])
SHARES = SHARES / SHARES.sum()
VIEWS = ("high", "phone", "kiosk", "items", "rack")
VIEW_SHARES = (0.26, 0.23, 0.18, 0.19, 0.14)
USE, SHOW, FLOOR = "use", "show", "floor"
"""Views to be asked for: a phone's, with kit in use only, most often swung; a kiosk's, of kettlebells only; and the
floor from close by, with somebody who lies or stands on a roller or a small ball."""
ACTIVITIES = {
    "swing": 0.17,
    "pick_up": 0.11,
    "chest": 0.10,
    "overhead": 0.06,
    "squat": 0.10,
    "dumbbells": 0.05,
    "carry": 0.09,
    "present_one": 0.08,
    "sit_on_ball": 0.07,
    "roll": 0.07,
    "lunge": 0.02,
    "stand": 0.02,
    "walk": 0.04,
    "run": 0.02,
}
USING = {"swing": 0.5, "pick_up": 0.1, "chest": 0.1, "overhead": 0.1, "squat": 0.1, "carry": 0.1}
LYING = {"roll": 0.45, "press": 0.45, "sit_on_ball": 0.1}
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Thing:
    """A labelled object in room coordinates."""

    label: str
    mesh: Mesh


@dataclass(frozen=True)
class Lamp:
    """An area light: see `Stage.light`."""

    place: tuple[float, float, float]
    target: tuple[float, float, float]
    size: tuple[float, float]
    watts: float
    colour: tuple[float, float, float]


@dataclass(eq=False)
class Scene:
    """All that a picture needs. Without `scenery` it is meant for a photographed backdrop."""

    camera: Camera
    things: list[Thing] = field(default_factory=list)
    scenery: list[Mesh] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    sky: float = 0.5


def random_scene(rng: Random, *, with_room: bool, view: str | None = None) -> Scene:
    """A scene of one of the `VIEWS`, drawn unless given; or of `USE`, `SHOW` or `FLOOR`."""
    drawn = str(rng.choice(VIEWS, p=VIEW_SHARES))
    view = view or drawn
    like = {USE: "phone", SHOW: "kiosk"}.get(view, view)
    scene = Scene(_camera(rng, like))
    shell = _shell(rng)
    if with_room:
        _furnish(scene, rng, shell, busy=like not in ("kiosk", "rack"))
    _light(scene, rng, shell)
    taken: list[tuple[float, float, float]] = []
    if view == "rack":
        _add_rack(scene, rng, taken)
    people = {
        "high": int(rng.integers(1, 4)),
        "phone": int(rng.integers(1, 3)),
        "kiosk": 1,
        "items": 0,
        "rack": int(rng.integers(0, 2)),
        FLOOR: int(rng.random() < 0.75),
    }[like]
    for _ in range(people):
        _add_person(scene, rng, view, taken)
    if view == "items" and rng.random() < 0.3:
        _add_person(scene, rng, view, taken)
    count = {
        "high": rng.integers(4, 9),
        "phone": rng.integers(3, 8),
        "kiosk": rng.integers(0, 4),
        "items": rng.integers(5, 11),
        "rack": rng.integers(0, 3),
        FLOOR: rng.integers(2, 6),
    }
    for _ in range(int(count[like])):
        _add_item(scene, rng, view, taken)
    for _ in range(int(rng.integers(0, 4))):
        spot = _free_spot(scene, rng, 0.25, taken, 0.2)
        if spot is not None:
            scene.scenery.append(clutter.make(rng).moved(shift=(float(spot[0]), float(spot[1]), 0.0)))
    return scene


def _camera(rng: Random, view: str) -> Camera:
    roll = float(rng.normal(0, 2))
    aside = float(rng.uniform(-1.5, 1.5))
    if view == "high":
        away, high = float(rng.uniform(2.8, 5.5)), float(rng.uniform(2.0, 3.1))
        return Camera((aside, -away, high), (float(rng.uniform(-0.5, 0.5)), 0.5, 0.7), float(rng.uniform(55, 85)), roll)
    if view == "phone":
        away, high = float(rng.uniform(2.0, 4.2)), float(rng.uniform(0.8, 1.7))
        target = (float(rng.uniform(-0.3, 0.3)), 0.3, float(rng.uniform(0.5, 0.9)))
        return Camera((aside * 0.7, -away, high), target, float(rng.uniform(45, 68)), roll * 1.5)
    if view == "kiosk":
        high = float(rng.uniform(1.2, 1.6))
        return Camera(
            (aside * 0.2, -float(rng.uniform(1.0, 1.6)), high), (0, 0, float(rng.uniform(1.15, 1.4))), 60, roll
        )
    if view == "rack":
        target = (float(rng.uniform(-0.4, 0.4)), 0.8, float(rng.uniform(0.4, 0.8)))
        away, high = float(rng.uniform(0.6, 3.6)), float(rng.uniform(0.9, 2.7))
        return Camera((aside * 1.2, -away, high), target, float(rng.uniform(45, 70)), roll * 1.5)
    if view == FLOOR:
        away, high = float(rng.uniform(0.9, 2.8)), float(rng.uniform(0.35, 1.4))
        return Camera((aside * 0.4, -away, high), (0, 0.1, float(rng.uniform(0.1, 0.4))), 58, roll * 1.5)
    high, away = float(rng.uniform(0.5, 1.7)), float(rng.uniform(0.9, 2.2))
    return Camera((aside * 0.5, -away, high), (0, 0.1, 0.12), float(rng.uniform(45, 65)), roll * 2)


def _free_spot(
    scene: Scene, rng: Random, size: float, taken: list[tuple[float, float, float]], low: float
) -> Floats | None:
    """A floor place in view, `size` metres clear of what is there; None when there is no room."""
    for _ in range(25):
        spot = scene.camera.floor_point(float(rng.uniform(0.04, 0.96)), float(rng.uniform(low, 0.95)), 1.0)
        away = float(np.linalg.norm(spot[:2] - np.asarray(scene.camera.place)[:2]))
        behind = spot[1] < scene.camera.place[1] + 0.3
        if away > 7.5 or behind or spot[1] > 3.6 or abs(spot[0]) > 4.6:
            continue
        if all(np.hypot(spot[0] - x, spot[1] - y) > 0.75 * (size + other) for x, y, other in taken):
            taken.append((float(spot[0]), float(spot[1]), size))
            return spot
    return None


def _add_person(scene: Scene, rng: Random, view: str, taken: list[tuple[float, float, float]]) -> None:
    shares = SHARES
    if view in ("kiosk", SHOW):
        activity = str(rng.choice(["present", "present_one", "chest"], p=[0.5, 0.35, 0.15]))
        if view == SHOW:
            activity = "chest" if activity == "chest" else "present"
            shares = np.array([float(label == "kettlebell") for label in LABELS])
        spot, heading = np.array([float(rng.normal(0, 0.1)), float(rng.uniform(0, 0.4)), 0]), float(rng.normal(0, 14))
        taken.append((float(spot[0]), float(spot[1]), 0.4))
    elif view == FLOOR:
        activity = str(rng.choice(list(LYING), p=list(LYING.values())))
        spot = np.array([float(rng.normal(0, 0.15)), float(rng.uniform(0.1, 0.9)), 0])
        heading = float(rng.choice([-90, 90]) + rng.normal(0, 35))
        taken.append((float(spot[0]), float(spot[1]), 0.4))
    else:
        chances = USING if view == USE else ACTIVITIES
        activity = str(rng.choice(list(chances), p=list(chances.values())))
        free = _free_spot(scene, rng, 0.55, taken, 0.25)
        if free is None:
            return
        spot, heading = free, float(rng.uniform(-180, 180) if rng.random() < 0.5 else rng.normal(0, 45))
    actor = act(rng, activity, LABELS, shares)
    turn = rotation("z", heading)
    shift = (float(spot[0]), float(spot[1]), 0.0)
    scene.things.append(Thing("person", actor.body.moved(turn, shift)))
    scene.things.extend(Thing(label, mesh.moved(turn, shift)) for label, mesh in actor.things)


def _add_rack(scene: Scene, rng: Random, taken: list[tuple[float, float, float]]) -> None:
    shelves, lying = racks.rack(rng)
    turn, shift = (
        rotation("z", float(rng.normal(0, 15))),
        (float(rng.normal(0, 0.3)), float(rng.uniform(0.6, 1.4)), 0.0),
    )
    scene.scenery.append(shelves.moved(turn, shift))
    scene.things.extend(Thing(label, mesh.moved(turn, shift)) for label, mesh in lying)
    taken.append((shift[0], shift[1], 1.0))


def lying(item: Item, rng: Random) -> Mesh:
    """The item as somebody left it: turned, perhaps on its side, on the floor."""
    mesh = item.mesh
    if item.label == "yoga_block":
        mesh = mesh.moved(rotation("x", 90 * float(rng.integers(0, 4)))).moved(
            rotation("y", 90 * float(rng.random() < 0.3))
        )
    elif item.label == "foam_roller" and rng.random() < 0.3:
        mesh = mesh.moved(rotation("y", 90))
    elif item.label == "kettlebell" and rng.random() < 0.15:
        mesh = mesh.moved(shift=(0, 0, -item.centre[2])).moved(rotation("x", float(rng.choice([-80, 80]))))
    elif item.label in ("med_ball", "aqua_ball", "lacrosse_ball"):
        mesh = mesh.moved(rotation("x", float(rng.normal(0, 25))))
    mesh = mesh.moved(rotation("z", float(rng.uniform(0, 360))))
    return mesh.moved(shift=(0, 0, -float(mesh.vertices[:, 2].min())))


def _add_item(scene: Scene, rng: Random, view: str, taken: list[tuple[float, float, float]]) -> None:
    item = make(str(rng.choice(LABELS, p=SHARES)), rng)
    if view == "items" and item.label == "exercise_ball" and rng.random() < 0.6:
        return
    spot = _free_spot(scene, rng, max(0.12, item.half_width), taken, 0.15 if view in ("items", FLOOR) else 0.4)
    if spot is not None:
        scene.things.append(Thing(item.label, lying(item, rng).moved(shift=(float(spot[0]), float(spot[1]), 0.0))))


def _shell(rng: Random) -> room.Shell:
    def colour(low: float, high: float, spread: float) -> tuple[float, float, float]:
        grey = rng.uniform(low, high)
        red, green, blue = np.clip(grey + rng.normal(0, spread, 3), 0.03, 0.95)
        return float(red), float(green), float(blue)

    floor = colour(0.08, 0.5, 0.03) if rng.random() < 0.75 else (0.55, 0.40, 0.26)
    return room.Shell(
        5,
        5,
        6.5,
        4,
        float(rng.uniform(3, 3.8)),
        floor,
        colour(0.2, 0.7, 0.12),
        colour(0.3, 0.88, 0.06),
        colour(0.1, 0.7, 0.25),
    )


def _furnish(scene: Scene, rng: Random, shell: room.Shell, *, busy: bool) -> None:
    scene.scenery += room.floor(shell, tiles=bool(rng.random() < 0.6)) + room.walls(shell)
    back = shell.back - 0.02
    wall_x = list(rng.permutation([-3.6, -1.8, 0.0, 1.8, 3.6]))
    for _ in range(int(rng.integers(0, 3))):
        scene.scenery.append(room.window(1.5, 1.3, float(rng.uniform(1, 5))).moved(shift=(wall_x.pop(), back, 2.1)))
    for _ in range(int(rng.integers(0, 4))):
        scene.scenery.append(room.poster(rng).moved(shift=(wall_x.pop(), back, 2.0)))
    if wall_x and rng.random() < 0.4:
        dial = room.clock()
        dial = dial.moved(np.eye(3) * float(rng.uniform(0.7, 1.4)), (wall_x.pop(), back, float(rng.uniform(1.8, 2.6))))
        scene.scenery.append(dial)
    if not busy:
        return
    shelf_x = float(rng.uniform(-3, 3))
    if rng.random() < 0.6:
        levels = (0.25, 0.65, 1.05)
        rack_place = (shelf_x, shell.back - 0.5, 0.0)
        scene.scenery.append(room.shelf_rack(1.8, levels).moved(shift=rack_place))
        label = str(rng.choice(["kettlebell", "dumbbell", "med_ball", "yoga_block", "foam_roller", "aqua_ball"]))
        for level in levels:
            if rng.random() < 0.5:
                label = str(
                    rng.choice(["kettlebell", "dumbbell", "med_ball", "yoga_block", "aqua_ball", "lacrosse_ball"])
                )
            if rng.random() < 0.3:
                continue  # an empty shelf is no yoga block
            x = -0.8
            while True:
                item = make(label, rng)
                if x + 2 * item.half_width > 0.85:
                    break
                if item.centre[2] * 2 < 0.36 and rng.random() < 0.8:
                    at = (rack_place[0] + x + item.half_width, rack_place[1] - 0.03, level)
                    scene.things.append(Thing(label, item.mesh.moved(shift=at)))
                x += 2 * item.half_width + float(rng.uniform(0.03, 0.12))
    for x in (-4.0, -2.2, 2.2, 4.0):
        pick = str(
            rng.choice(["treadmill", "power_rack", "bench", "plant", "nothing"], p=[0.27, 0.13, 0.15, 0.2, 0.25])
        )
        where = (x + float(rng.normal(0, 0.2)), float(rng.uniform(1.2, 2.8)), 0.0)
        turn = rotation("z", float(rng.uniform(0, 360)))
        if pick == "treadmill":
            red, green, blue = rng.uniform(0.05, 0.8, 3).tolist()
            scene.scenery.append(room.treadmill((red, green, blue)).moved(turn, where))
        elif pick == "power_rack":
            scene.scenery.append(room.power_rack().moved(turn, where))
        elif pick == "bench":
            scene.scenery.append(room.bench().moved(turn, where))
        elif pick == "plant":
            scene.scenery.append(room.plant().moved(turn, where))
    if rng.random() < 0.5:
        at = (float(rng.uniform(-2, 2)), float(rng.uniform(0, 2)), 0.0)
        red, green, blue = rng.uniform(0.1, 0.7, 3).tolist()
        scene.scenery.append(room.mat((red, green, blue)).moved(rotation("z", float(rng.uniform(0, 180))), at))


def _light(scene: Scene, rng: Random, shell: room.Shell) -> None:
    warm = float(rng.uniform(0.75, 1.0))
    colour = (1.0, 0.5 + 0.5 * warm, warm)
    total = float(rng.uniform(350, 950))
    count = int(rng.integers(1, 4))
    for _ in range(count):
        x, y = float(rng.uniform(-3, 3)), float(rng.uniform(-4, 2))
        size = (float(rng.uniform(0.4, 2.5)), float(rng.uniform(0.3, 1.2)))
        scene.lamps.append(Lamp((x, y, shell.height - 0.08), (x * 0.6, y * 0.6 + 0.1, 0), size, total / count, colour))
    scene.sky = float(rng.uniform(0.25, 0.95))


def shadow_floor() -> Mesh:
    """The ground of a scene over a photograph: seen only by the shadows on it."""
    return room.slab(-12, 12, -12, 12, -0.02, 0.0, Paint((0.4, 0.4, 0.4), 0.9))
