"""Poses and movements: standing, walking, squats, swings, lunges, reaching, holding; all pure functions.

Poses are in the body's ground frame (see `skeleton`) and scale with the body's `hip` height in metres.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar, cast

import numpy as np

from models.synth.meshes import Floats, rotation
from models.synth.skeleton import Foot, Hand, Pose

T = TypeVar("T")
STEP_SHARE = 0.62  # of a stride that a foot stays on the ground, walking


def blend(first: T, second: T, share: float) -> T:
    """A value between two of the same kind: numbers, tuples and dataclasses of them, field by field."""
    if isinstance(first, (int, float)):
        return cast(T, first + (cast(float, second) - first) * share)
    if isinstance(first, tuple):
        return cast(T, tuple(blend(a, b, share) for a, b in zip(first, cast("tuple[float, ...]", second), strict=True)))
    if is_dataclass(first) and not isinstance(first, type):
        mixed = {f.name: blend(getattr(first, f.name), getattr(second, f.name), share) for f in fields(first)}
        return cast(T, replace(first, **mixed))
    raise TypeError(f"cannot blend {type(first).__name__}")


def ease(share: float) -> float:
    """0..1 to 0..1, starting and ending at rest."""
    clipped = min(max(share, 0.0), 1.0)
    return clipped * clipped * (3 - 2 * clipped)


def hanging(side: str, *, forward: float = 0.0, hip: float = 0.87) -> Hand:
    """An arm that hangs beside the body, swung `forward` (share of its length)."""
    out = 1.0 if side == "L" else -1.0
    length = 0.72 * hip
    place = (out * 0.10, -forward * length - 0.03, -length * float(np.sqrt(max(1 - forward**2, 0.2))))
    along = (0.0, -forward - 0.15, -1.0)
    return Hand(place, 1.0, fingers=along, palm=(-out, 0.0, 0.0), elbow=(out * 0.35, 1.0, 0.0), curl=0.35)


def stand(hip: float, *, width: float = 0.2) -> Pose:
    """Upright, arms hanging."""
    half = width / 2
    return Pose(
        hip=(0, 0, hip - 0.012),
        left_foot=Foot((half, 0, 0), yaw=8),
        right_foot=Foot((-half, 0, 0), yaw=8),
        left_hand=hanging("L", hip=hip),
        right_hand=hanging("R", hip=hip),
        spine_turn=(3, 0, 0),
    )


def walk(hip: float, distance: float, *, amount: float = 1.0, stride: float = 1.25, run: float = 0.0) -> Pose:
    """The pose after walking `distance` metres; feet on the ground stand still against the floor.

    `amount` shrinks the gait to standing, `stride` is two steps in metres, `run` in 0..1 leans and bends more.
    """
    phase = distance / stride
    ground = STEP_SHARE - 0.22 * run
    left, left_swing = _step(phase, stride, ground, amount, run)
    right, right_swing = _step(phase + 0.5, stride, ground, amount, run)
    swing = 0.28 * amount * float(np.sin(2 * np.pi * phase))
    bob = 0.018 * amount * float(np.cos(4 * np.pi * phase)) + 0.02 * run
    lift = hip * (1 - 0.030 * amount) - 0.012 + bob
    arms = {}
    for side, sign in (("L", -1.0), ("R", 1.0)):
        arm = hanging(side, forward=sign * swing + 0.05 * amount, hip=hip)
        out = 1.0 if side == "L" else -1.0
        bent = replace(
            arm, place=(out * 0.06, -0.17 * hip - 0.3 * sign * swing, -0.42 * hip), fingers=(-out * 0.2, -1.0, 0.25)
        )
        arms[side] = blend(arm, replace(bent, curl=0.8), run)
    return Pose(
        hip=(0, -0.03 * run, lift),
        left_foot=Foot((0.085, left[0], left[1]), pitch=left_swing, yaw=6, knee_out=0.05),
        right_foot=Foot((-0.085, right[0], right[1]), pitch=right_swing, yaw=6, knee_out=0.05),
        left_hand=arms["L"],
        right_hand=arms["R"],
        hip_turn=(2 + 3 * run, 0, 4 * amount * float(np.sin(2 * np.pi * phase))),
        spine_turn=(3 + 5 * run, 0, -9 * amount * float(np.sin(2 * np.pi * phase))),
    )


def _step(phase: float, stride: float, ground: float, amount: float, run: float) -> tuple[tuple[float, float], float]:
    """(y, z) of a foot and its pitch at a phase; -y is forward."""
    part = phase % 1.0
    half = ground * stride / 2
    if part < ground:
        share = part / ground
        heel = -12 * (1 - share / 0.15) if share < 0.15 else 0.0
        toe = 28 * ((share - 0.75) / 0.25) if share > 0.75 else 0.0
        return (amount * (-half + 2 * half * share), 0.0), amount * (heel + toe)
    share = (part - ground) / (1 - ground)
    lift = (0.07 + 0.12 * run) * float(np.sin(np.pi * share)) ** 1.0
    pitch = 28 + 18 * run - (40 + 18 * run) * ease(share)
    return (amount * (half - 2 * half * ease(share)), amount * lift), amount * pitch


def squat(hip: float, depth: float, *, reach: float = 0.35) -> Pose:
    """Feet apart, sitting back; `depth` 0 is standing, 1 thighs level. Hands together ahead by `reach` metres."""
    drop = ease(depth)
    height = hip * (0.985 - 0.42 * drop) - 0.01
    back = 0.20 * drop * hip
    hand_height = hip * (1.30 - 0.42 * drop)
    return Pose(
        hip=(0, back, height),
        left_foot=Foot((0.19, 0, 0), yaw=18, knee_out=0.45),
        right_foot=Foot((-0.19, 0, 0), yaw=18, knee_out=0.45),
        left_hand=Hand((0.07, back - reach, hand_height), 0, (0.0, -0.6, 1.0), (-1.0, 0.0, 0.0), (0.6, 0.3, -1), 0.8),
        right_hand=Hand((-0.07, back - reach, hand_height), 0, (0.0, -0.6, 1.0), (1.0, 0, 0), (-0.6, 0.3, -1), 0.8),
        hip_turn=(26 * drop, 0, 0),
        spine_turn=(8 * drop + 2, 0, 0),
        head_turn=(-22 * drop, 0, 0),
    )


def swing(hip: float, phase: float) -> Pose:
    """A two-handed kettlebell swing; phase 0 (and 1) is the bottom, 0.5 the top at chest height."""
    up = 0.5 - 0.5 * float(np.cos(2 * np.pi * phase))
    fold = 1 - up
    arm = 0.72 * hip
    # The arms' angle from straight down, forward positive.
    angle = np.radians(-32 + 112 * up)
    shoulder_y = -0.36 * hip * float(np.sin(np.radians(62 * fold))) + 0.20 * fold * hip
    shoulder_z = hip * (0.98 - 0.16 * fold) + 0.52 * hip * float(np.cos(np.radians(62 * fold)))
    y = shoulder_y - arm * float(np.sin(angle))
    z = max(shoulder_z - arm * float(np.cos(angle)), 0.42 * hip)
    fingers = (0.0, -float(np.sin(angle)), -float(np.cos(angle)))
    palm = (0.0, float(np.cos(angle)), -float(np.sin(angle)))
    hands = {
        side: Hand((out * 0.035, y, z), 0, fingers, palm, (out, 0.2, -0.2), 0.95)
        for side, out in (("L", 1.0), ("R", -1.0))
    }
    return Pose(
        hip=(0, 0.20 * fold * hip, hip * (0.98 - 0.15 * fold) - 0.01),
        left_foot=Foot((0.20, 0, 0), yaw=14, knee_out=0.3),
        right_foot=Foot((-0.20, 0, 0), yaw=14, knee_out=0.3),
        left_hand=hands["L"],
        right_hand=hands["R"],
        hip_turn=(50 * fold, 0, 0),
        spine_turn=(14 * fold - 2, 0, 0),
        head_turn=(-34 * fold, 0, 0),
    )


def lunge(hip: float, depth: float) -> Pose:
    """One foot ahead, the rear knee towards the floor; hands at the hips' sides."""
    drop = ease(depth)
    base = stand(hip)
    return replace(
        base,
        hip=(0, 0, hip * (0.95 - 0.36 * drop)),
        left_foot=Foot((0.10, -0.42 * hip, 0), yaw=4, knee_out=0.1),
        right_foot=Foot((-0.10, 0.46 * hip, 0), pitch=20 + 32 * drop, yaw=2, knee_out=0.1),
        hip_turn=(4, 0, 0),
    )


def bend_down(hip: float, share: float, ahead: float = 0.42, floor_reach: float = 0.22, depth: float = 0.95) -> Pose:
    """Reaching `ahead` metres in front, `floor_reach` above the floor, with both hands; `depth` bends the knees."""
    down = ease(share)
    low = squat(hip, depth * down)
    upright = (-0.24, hip * 0.95)
    place_y = upright[0] + (-ahead - upright[0]) * down
    height = upright[1] + (floor_reach - upright[1]) * down
    fold = 0.4 + 0.6 * depth

    def hand(out: float) -> Hand:
        return Hand(
            (out * 0.035, place_y, height), 0, (0, -0.5, -1.0), (0, 0.9, -0.4), (out, 0.4, 0.2), 0.5 + 0.45 * down
        )

    return replace(
        low,
        left_hand=hand(1.0),
        right_hand=hand(-1.0),
        hip_turn=(42 * down * fold, 0, 0),
        spine_turn=(28 * down * fold + 2, 0, 0),
    )


def hold_between(pose: Pose, centre: tuple[float, float, float], half_width: float, *, upright: bool = False) -> Pose:
    """The pose with a palm on each side of a thing at `centre` (ground frame)."""
    x, y, z = centre

    def hand(out: float) -> Hand:
        fingers = (0.0, -0.35, 1.0) if upright else (0.0, -1.0, 0.2)
        return Hand((x + out * half_width, y, z), 0, fingers, (-out, 0, 0), (out * 0.8, 0.5, -0.8), 0.08)

    return replace(pose, left_hand=hand(1.0), right_hand=hand(-1.0))


@dataclass(frozen=True)
class Standpoint:
    """A body's place in the room: metres, heading in degrees (0 faces -y, turning left), height of its floor."""

    x: float
    y: float
    heading: float
    z: float = 0.0

    @property
    def turn(self) -> Floats:
        """Rotation from the ground frame to the room."""
        return rotation("z", self.heading)

    @property
    def shift(self) -> Floats:
        """Shift from the ground frame to the room."""
        return np.array([self.x, self.y, self.z])


def sit_on_floor(hip: float, forward: float = 0.0) -> Pose:
    """Sitting with straight legs ahead, calves raised as if on a roller, hands on the floor behind."""

    def hand(out: float) -> Hand:
        place = (out * 0.24, 0.30 + forward, 0.035)
        return Hand(place, 0, (out * 0.5, 1.0, -0.1), (0, 0, -1.0), (out * 0.3, 1.0, 0.3), 0.05)

    return Pose(
        hip=(0, forward, 0.16),
        left_foot=Foot((0.09, -0.93 * hip + forward, 0.10), pitch=-68, knee_out=0.1),
        right_foot=Foot((-0.09, -0.93 * hip + forward, 0.10), pitch=-68, knee_out=0.1),
        left_hand=hand(1.0),
        right_hand=hand(-1.0),
        hip_turn=(-22, 0, 0),
        spine_turn=(12, 0, 0),
        head_turn=(12, 0, 0),
    )


def lie_on_back(hip: float, height: float) -> Pose:
    """On the back over a thing `height` metres high under the shoulder blades, knees bent, hands behind the head."""

    def hand(out: float) -> Hand:
        return Hand((out * 0.1, 0.72 * hip, height + 0.1), 0, (-out, 0.3, 0.2), (0, -0.3, 1.0), (out, 0.6, 0.1), 0.3)

    return Pose(
        hip=(0, 0, height + 0.03),
        left_foot=Foot((0.12, -0.5 * hip, 0), yaw=5),
        right_foot=Foot((-0.12, -0.5 * hip, 0), yaw=5),
        left_hand=hand(1.0),
        right_hand=hand(-1.0),
        hip_turn=(-78, 0, 0),
        spine_turn=(-6, 0, 0),
        head_turn=(25, 0, 0),
    )


def lie_on_front(hip: float, height: float) -> Pose:
    """Face down on the forearms, the thighs over a thing `height` metres high."""

    def hand(out: float) -> Hand:
        return Hand((out * 0.16, -0.82 * hip, 0.03), 0, (0, -1.0, 0), (0, 0, -1.0), (out * 0.2, 1.0, -0.6), 0.1)

    return Pose(
        hip=(0, 0, height + 0.1),
        left_foot=Foot((0.1, 0.93 * hip, 0.09), pitch=75),
        right_foot=Foot((-0.1, 0.93 * hip, 0.09), pitch=75),
        left_hand=hand(1.0),
        right_hand=hand(-1.0),
        hip_turn=(76, 0, 0),
        spine_turn=(-8, 0, 0),
        head_turn=(-25, 0, 0),
    )


def sit_on(hip: float, height: float) -> Pose:
    """Sitting on a thing `height` metres high, leaning back on the hands, one knee bent and one leg straight."""
    back = sit_on_floor(hip)
    return replace(
        back,
        hip=(0, 0, height + 0.08),
        left_foot=Foot((0.12, -0.5 * hip, 0), yaw=8),
        right_foot=Foot((-0.1, -0.88 * hip, 0.05), pitch=-50),
    )


def step_on(hip: float, height: float) -> Pose:
    """Standing with the left foot on a thing `height` metres high, half a step ahead."""
    base = stand(hip)
    return replace(base, hip=(-0.05, 0.03, hip - 0.03), left_foot=Foot((0.11, -0.22 * hip, height), pitch=-4, yaw=6))


def reach_out(pose: Pose, side: str, place: tuple[float, float, float], palm: tuple[float, float, float]) -> Pose:
    """The pose with one palm at `place` (ground frame), fingers pointing ahead and up."""
    out = 1.0 if side == "L" else -1.0
    hand = Hand(place, 0, (0.0, -0.55, 0.85), palm, (out * 0.6, 0.6, -0.8), 0.4)
    return replace(pose, left_hand=hand) if side == "L" else replace(pose, right_hand=hand)
