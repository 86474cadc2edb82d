"""People doing something with kit: a random activity gives a body mesh and the items it holds (ground frame)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from models.synth import holding, poses
from models.synth.bodies import Person, random_look
from models.synth.items import make
from models.synth.makes import Item
from models.synth.meshes import Floats, Mesh, rotation
from models.synth.skeleton import Hand, Pose, Posed

Place = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Actor:
    """A posed person and what they hold or sit on, as (label, mesh) in the ground frame."""

    body: Mesh
    things: tuple[tuple[str, Mesh], ...]


def _put(item: Item, placed: holding.Placed) -> tuple[str, Mesh]:
    return item.label, item.mesh.moved(placed[0], placed[1])


def carried(posed: Posed, item: Item, side: str) -> holding.Placed:
    """A kettlebell or dumbbell hanging from one hand, its handle along the way ahead."""
    turn = rotation("z", 90)
    return turn, posed.palms[side] + posed.palm_normals[side] * 0.012 - turn @ np.asarray(item.grips[0]) * [0, 0, 1]


def half_between(item: Item) -> float:
    """Metres from an item's middle to a palm that squeezes it."""
    return item.centre[2] if item.label == "kettlebell" else min(item.half_width, 0.24)


def act(rng: np.random.Generator, activity: str, labels: tuple[str, ...], shares: Floats) -> Actor:
    """A random person in an activity; labels are drawn by `shares` where the activity leaves the item open."""
    person = Person(random_look(rng))
    hip = person.rest.hip_height

    def some(*allowed: str) -> Item:
        weights = np.array(
            [share if not allowed or label in allowed else 0.0 for label, share in zip(labels, shares, strict=True)]
        )
        return make(str(rng.choice(labels, p=weights / weights.sum())), rng)

    def finish(pose: Pose, *held: tuple[str, Mesh]) -> Actor:
        return Actor(person.mesh(person.solve(_shaken(pose, rng))), held)

    small = ("yoga_block", "lacrosse_ball", "aqua_ball", "med_ball", "dumbbell")
    balls = ("med_ball", "aqua_ball", "yoga_block", "kettlebell", "exercise_ball", "foam_roller")
    if activity == "swing":
        pose = poses.swing(hip, float(rng.uniform()))
        posed = person.solve(pose)
        item = make("kettlebell", rng)
        return Actor(person.mesh(posed), (_put(item, holding.by_the_handle(posed, item, pose.left_hand.fingers)),))
    if activity == "pick_up":
        item = some("kettlebell", "med_ball", "yoga_block", "aqua_ball", "exercise_ball")
        pose = poses.bend_down(hip, float(rng.uniform(0.5, 1.0)), floor_reach=item.grips[0][2] + 0.02)
        if item.label == "kettlebell":
            posed = person.solve(pose)
            return Actor(person.mesh(posed), (_put(item, holding.by_the_handle(posed, item)),))
        left = pose.left_hand.place
        pose = poses.hold_between(pose, (0, left[1], left[2]), half_between(item) + 0.01)
        posed = person.solve(pose)
        return Actor(person.mesh(posed), (_put(item, holding.between_palms(posed, item)),))
    if activity in ("chest", "overhead", "squat", "present"):
        item = some(*balls)
        base = poses.squat(hip, float(rng.uniform(0.3, 1))) if activity == "squat" else poses.stand(hip, width=0.3)
        shoulder = base.hip[2] + 0.47 * hip
        ahead = base.hip[1] - half_between(item) - float(rng.uniform(0.18, 0.34)) - 0.1 * (activity == "squat")
        height = {
            "overhead": shoulder + float(rng.uniform(0.3, 0.5)),
            "present": shoulder + float(rng.uniform(-0.12, 0.2)),
        }.get(activity, shoulder + float(rng.uniform(-0.35, -0.05)))
        if activity == "present":
            ahead -= 0.1
        ahead = -0.1 if activity == "overhead" else ahead
        if item.label == "kettlebell" and rng.random() < 0.65:
            posed = person.solve(_by_the_handle(base, ahead + 0.06, height + 0.1))
            return Actor(person.mesh(posed), (_put(item, holding.by_the_handle(posed, item)),))
        pose = poses.hold_between(base, (float(rng.normal(0, 0.03)), ahead, height), half_between(item) + 0.008)
        posed = person.solve(pose)
        tilt = (float(rng.normal(0, 0.5)), float(rng.normal(0, 0.5)), 1.0)
        return Actor(person.mesh(posed), (_put(item, holding.between_palms(posed, item, tilt)),))
    if activity == "present_one":
        item = some(*small)
        side = str(rng.choice(["L", "R"]))
        out = 1.0 if side == "L" else -1.0
        place = (
            out * float(rng.uniform(0.02, 0.25)),
            -float(rng.uniform(0.3, 0.5)),
            hip * float(rng.uniform(1.2, 1.55)),
        )
        towards = cast(
            Place, tuple(np.array([-out * rng.uniform(0.3, 1.2), -rng.uniform(0.2, 1), rng.uniform(0, 0.9)]))
        )
        posed = person.solve(_shaken(poses.reach_out(poses.stand(hip), side, place, towards), rng))
        gap = {"yoga_block": 0.05, "dumbbell": 0.02}.get(item.label, item.half_width) + 0.004
        along = cast(Place, tuple(rng.normal(size=3))) if item.label != "dumbbell" else (1.0, 0.3, 0.1)
        return Actor(person.mesh(posed), (_put(item, holding.in_one_hand(posed, item, side, gap, along)),))
    if activity in ("dumbbells", "lunge"):
        pose = poses.lunge(hip, float(rng.uniform(0.4, 1))) if activity == "lunge" else poses.stand(hip)
        if activity == "dumbbells":
            pose = _curls(pose, hip, float(rng.uniform()))
        posed = person.solve(pose)
        item = make("dumbbell", rng)
        held = tuple(
            _put(
                item,
                holding.in_one_hand(
                    posed, item, side, 0.022, (0.05, 1.0, 0.1) if activity == "lunge" else (1.0, 0.1, 0.1)
                ),
            )
            for side in "LR"
        )
        return Actor(person.mesh(posed), held)
    if activity == "carry":
        posed = person.solve(poses.walk(hip, float(rng.uniform(0, 1.25)), amount=0.8))
        item = make("kettlebell", rng)
        sides = "LR" if rng.random() < 0.4 else str(rng.choice(["L", "R"]))
        return Actor(person.mesh(posed), tuple(_put(item, carried(posed, item, side)) for side in sides))
    if activity == "sit_on_ball":
        item = make("exercise_ball", rng)
        seat = item.centre[2] * 2 * 0.94
        pose = replace(
            poses.squat(hip, 0.6),
            hip=(0, 0.05, seat + 0.07),
            hip_turn=(0, 0, 0),
            spine_turn=(4, 0, 0),
            head_turn=(0, 0, 0),
        )
        feet = max(0.5 - 0.25 * seat, 0.2)
        pose = replace(
            pose,
            left_foot=replace(pose.left_foot, place=(0.2, -feet, 0)),
            right_foot=replace(pose.right_foot, place=(-0.2, -feet, 0)),
        )
        return finish(pose, (item.label, item.mesh.moved(shift=(0, 0.1, 0))))
    if activity == "roll":
        return finish(*_massaged(rng, make("foam_roller", rng), hip))
    if activity == "press":
        return finish(*_massaged(rng, make("lacrosse_ball", rng), hip))
    if activity in ("walk", "run"):
        return finish(poses.walk(hip, float(rng.uniform(0, 1.25)), run=float(activity == "run")))
    return finish(poses.stand(hip))


def _massaged(rng: np.random.Generator, item: Item, hip: float) -> tuple[Pose, tuple[str, Mesh]]:
    """Somebody's weight on a roller or a small ball, which lies under the part of them that they treat."""
    high = 2 * item.centre[2]
    ways: dict[str, tuple[Pose, float]] = {
        "back": (poses.lie_on_back(hip, high), 0.36 * hip),
        "thighs": (poses.lie_on_front(hip, high), 0.24 * hip),
        "seat": (poses.sit_on(hip, high), 0.03),
        "calves": (poses.sit_on_floor(hip), -0.68 * hip),
        "foot": (poses.step_on(hip, high), -0.26 * hip),
    }
    chances = (0.3, 0.25, 0.2, 0.25, 0.0) if item.label == "foam_roller" else (0.15, 0.1, 0.15, 0.1, 0.5)
    way = str(rng.choice(list(ways), p=chances))
    pose, along = ways[way]
    aside = 0.0 if item.label == "foam_roller" else 0.11
    mesh = item.mesh.moved(rotation("z", float(rng.normal(0, 8))), (aside, along + float(rng.normal(0, 0.02)), 0))
    return pose, (item.label, mesh)


def _by_the_handle(pose: Pose, ahead: float, height: float) -> Pose:
    """Both hands close together over a handle, at a place before the body (metres, ground frame)."""

    def hand(out: float) -> Hand:
        return Hand((out * 0.035, ahead, height), 0, (0, -1.0, -0.25), (0, 0.25, -1.0), (out, 0.3, -0.5), 0.95)

    return replace(pose, left_hand=hand(1.0), right_hand=hand(-1.0))


def _curls(pose: Pose, hip: float, share: float) -> Pose:
    """Both forearms raised by a share, as in a curl."""
    raised = {
        out: Hand(
            (out * 0.03, -0.30 * hip, (-0.45 + 0.42 * share) * hip),
            1,
            (0, -1, 0.2 + share),
            (0, 0.4, 1),
            (out * 0.3, 0.6, -1),
            0.9,
        )
        for out in (1.0, -1.0)
    }
    return replace(pose, left_hand=raised[1.0], right_hand=raised[-1.0])


def _shaken(pose: Pose, rng: np.random.Generator) -> Pose:
    """Small random turns of spine and head."""
    spine = tuple(float(a + n) for a, n in zip(pose.spine_turn, rng.normal(0, 4, 3), strict=True))
    head = tuple(float(a + n) for a, n in zip(pose.head_turn, rng.normal(0, 9, 3), strict=True))
    return replace(pose, spine_turn=cast(Place, spine), head_turn=cast(Place, head))
