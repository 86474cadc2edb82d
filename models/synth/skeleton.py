"""A skinned skeleton posed by where the feet and hands should be (inverse kinematics), in NumPy only.

The body's ground frame has its origin on the floor, z up, the body facing -y and its left side at +x.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.synth.meshes import Floats, Ints, rotation

SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
FINGER_BEND_DEGREES = (62.0, 78.0, 50.0)  # of a fist, at the three joints from the knuckle on
THUMB_BEND_DEGREES = (18.0, 32.0, 38.0)
REACH = 0.995  # share of the stretched limb that inverse kinematics may use: a locked joint has no bend plane


@dataclass(frozen=True, eq=False)
class Rest:
    """A body at rest: vertices [V, 3], bone heads [B, 3], skin weights [V, K], floor height of the soles."""

    vertices: Floats
    heads: Floats
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    weight_bones: Ints
    weights: Floats

    def bone(self, name: str) -> int:
        """The number of the bone of that name."""
        return self.bones.index(name)

    def head(self, name: str) -> Floats:
        """Where the bone begins at rest."""
        point: Floats = self.heads[self.bone(name)]
        return point

    @property
    def hip_height(self) -> float:
        """Metres from the soles to the root of the skeleton, standing."""
        return float(self.heads[0, 2] - self.vertices[:, 2].min())

    @property
    def ankle_height(self) -> float:
        """Metres from the soles to the ankle, standing."""
        return float(self.head("foot.L")[2] - self.vertices[:, 2].min())


@dataclass(frozen=True)
class Hand:
    """Where a palm should be (ground frame, or relative to its shoulder), and how the hand is held."""

    place: tuple[float, float, float]
    from_shoulder: float = 0.0  # 1: `place` is relative to the shoulder; blends in between
    fingers: tuple[float, float, float] = (0.0, 0.0, -1.0)
    palm: tuple[float, float, float] = (0.0, 1.0, 0.0)
    elbow: tuple[float, float, float] = (0.0, 1.0, -0.3)
    curl: float = 0.25


@dataclass(frozen=True)
class Foot:
    """Where the sole below an ankle should be, and how the foot is turned (degrees)."""

    place: tuple[float, float, float]
    pitch: float = 0.0  # toes down is positive
    yaw: float = 0.0  # toes outward is positive
    knee_out: float = 0.15  # how far the knee points outward, 0 is straight ahead


@dataclass(frozen=True)
class Pose:
    """A whole pose. Angles are degrees; `pitch` bends forward, `roll` to the right, `yaw` turns left."""

    hip: tuple[float, float, float]
    left_foot: Foot
    right_foot: Foot
    left_hand: Hand
    right_hand: Hand
    hip_turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spine_turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head_turn: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Posed:
    """A solved pose: bone places [B, 3] and turns [B, 3, 3] in the ground frame, and both palms (point, normal)."""

    rest: Rest
    places: Floats
    turns: Floats
    palms: dict[str, Floats] = field(default_factory=dict)
    palm_normals: dict[str, Floats] = field(default_factory=dict)

    def skin(self, vertices: Floats, weight_bones: Ints, weights: Floats) -> Floats:
        """Vertices [V, 3] that follow the bones by their weights (linear blend skinning)."""
        shift = self.places - np.einsum("bij,bj->bi", self.turns, self.rest.heads)
        blended = np.einsum("vk,vkij->vij", weights, self.turns[weight_bones])
        moved: Floats = np.einsum("vij,vj->vi", blended, vertices)
        moved += np.einsum("vk,vki->vi", weights, shift[weight_bones])
        return moved

    def bone_frame(self, name: str) -> tuple[Floats, Floats]:
        """Turn [3, 3] and shift [3] that carry rest coordinates with a bone."""
        number = self.rest.bone(name)
        turn = self.turns[number]
        return turn, self.places[number] - turn @ self.rest.heads[number]


def unit(vector: Floats) -> Floats:
    """The vector at length one."""
    return vector / (float(np.linalg.norm(vector)) + 1e-12)


def turned(angles: tuple[float, float, float]) -> Floats:
    """Rotation for (pitch, roll, yaw) degrees."""
    return rotation("z", angles[2]) @ rotation("y", angles[1]) @ rotation("x", angles[0])


def frame(first: Floats, second: Floats) -> Floats:
    """Columns of an orthonormal frame whose first axis is `first` and whose second lies towards `second`."""
    one = unit(first)
    two = unit(second - one * (second @ one))
    return np.stack([one, two, np.cross(one, two)], axis=1)


def about(axis: Floats, degrees: float) -> Floats:
    """Rotation about any axis (Rodrigues)."""
    x, y, z = unit(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    result: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return result


def bend(start: Floats, goal: Floats, upper: float, lower: float, pole: Floats) -> tuple[Floats, Floats]:
    """Middle and end of a two-bone limb from `start` to `goal`, its joint towards `pole`.

    A goal out of reach is pulled back along the line to it.
    """
    line = goal - start
    longest, shortest = (upper + lower) * REACH, abs(upper - lower) * 1.02 + 1e-3
    distance = float(np.clip(np.linalg.norm(line), shortest, longest))
    along = unit(line)
    out = pole - along * (pole @ along)
    out = unit(out) if np.linalg.norm(out) > 1e-6 else unit(np.cross(along, np.array([1.0, 0.1, 0.0])))
    reach = (upper**2 - lower**2 + distance**2) / (2 * distance)
    rise = np.sqrt(max(upper**2 - reach**2, 0.0))
    return start + along * reach + out * rise, start + along * distance


class Solver:
    """Poses one body; keeps what the body's rest shape decides."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self._hands = {side: self._rest_hand(side) for side in "LR"}

    def _rest_hand(self, side: str) -> tuple[Floats, Floats]:
        """Frame (fingers, palm) of the hand at rest and the palm's point relative to the wrist."""
        wrist = self.rest.head(f"wrist.{side}")
        knuckles = np.mean([self.rest.head(f"finger{n}-1.{side}") for n in (2, 3, 4, 5)], axis=0)
        across = self.rest.head(f"finger2-1.{side}") - self.rest.head(f"finger5-1.{side}")
        palm = np.cross(knuckles - wrist, across) * (1.0 if side == "L" else -1.0)
        axes = frame(knuckles - wrist, palm)
        return axes, (knuckles - wrist) * 0.92 + axes[:, 1] * 0.028

    def solve(self, pose: Pose) -> Posed:
        """Bone places and turns for a pose."""
        rest = self.rest
        turns = np.repeat(np.eye(3)[None], len(rest.bones), 0)
        places = rest.heads.copy()
        local: dict[int, Floats] = {0: turned(pose.hip_turn)}
        share = [0.2, 0.25, 0.25, 0.2, 0.1]
        for name, part in zip(SPINE, share, strict=True):
            local[rest.bone(name)] = turned(tuple(part * a for a in pose.spine_turn))  # type: ignore[arg-type]
        for name in NECK:
            local[rest.bone(name)] = turned(tuple(0.25 * a for a in pose.head_turn))  # type: ignore[arg-type]
        fixed: dict[int, Floats] = {}
        places[0] = pose.hip
        limb_starts = {rest.bone(f"upperleg01.{s}"): ("leg", s) for s in "LR"}
        limb_starts |= {rest.bone(f"upperarm01.{s}"): ("arm", s) for s in "LR"}
        palms: dict[str, Floats] = {}
        for number, parent in enumerate(rest.parents):
            if number > 0:
                places[number] = places[parent] + turns[parent] @ (rest.heads[number] - rest.heads[parent])
            if number in limb_starts:
                kind, side = limb_starts[number]
                if kind == "leg":
                    fixed |= self._leg(side, pose.left_foot if side == "L" else pose.right_foot, places[number])
                else:
                    hand = pose.left_hand if side == "L" else pose.right_hand
                    fixed |= self._arm(side, hand, places[number], local)
            if number in fixed:
                turns[number] = fixed[number]
            else:
                above = turns[parent] if number > 0 else np.eye(3)
                turns[number] = above @ local.get(number, np.eye(3))
        posed = Posed(rest, places, turns, palms)
        for side in "LR":
            wrist = rest.bone(f"wrist.{side}")
            palms[side] = places[wrist] + turns[wrist] @ self._hands[side][1]
            posed.palm_normals[side] = turns[wrist] @ self._hands[side][0][:, 1]
        return posed

    def _limb(self, names: tuple[str, str, str], start: Floats, goal: Floats, pole: Floats) -> tuple[Floats, Floats]:
        """Turns of the upper and the lower part of a limb."""
        first, middle, last = (self.rest.head(name) for name in names)
        upper, lower = middle - first, last - middle
        joint, end = bend(start, goal, float(np.linalg.norm(upper)), float(np.linalg.norm(lower)), pole)
        rest_normal, normal = np.cross(upper, lower), np.cross(joint - start, end - joint)
        up = frame(joint - start, normal) @ frame(upper, rest_normal).T
        low = frame(end - joint, normal) @ frame(lower, rest_normal).T
        return up, low

    def _leg(self, side: str, foot: Foot, hip: Floats) -> dict[int, Floats]:
        out = 1.0 if side == "L" else -1.0
        sole = turned((foot.pitch, 0, foot.yaw * out))
        # A foot tipped on its toes lifts the ankle: the sole's point stays, the ankle turns about it.
        ball_of_foot = np.array([0.0, -0.12, -self.rest.ankle_height])
        ankle = np.asarray(foot.place) + np.array([0, 0, self.rest.ankle_height])
        yawed = turned((0, 0, foot.yaw * out))
        ankle = ankle + yawed @ ball_of_foot - sole @ ball_of_foot
        pole = yawed @ np.array([foot.knee_out * out, -1.0, 0.15])
        names = (f"upperleg01.{side}", f"lowerleg01.{side}", f"foot.{side}")
        up, low = self._limb(names, hip, ankle, pole)
        bone = self.rest.bone
        return {
            bone(f"upperleg01.{side}"): up,
            bone(f"upperleg02.{side}"): up,
            bone(f"lowerleg01.{side}"): low,
            bone(f"lowerleg02.{side}"): low,
            bone(f"foot.{side}"): sole,
        }

    def _arm(self, side: str, hand: Hand, shoulder: Floats, local: dict[int, Floats]) -> dict[int, Floats]:
        rest_axes, palm_from_wrist = self._hands[side]
        hold = frame(np.asarray(hand.fingers), np.asarray(hand.palm)) @ rest_axes.T
        palm_goal = np.asarray(hand.place) + hand.from_shoulder * shoulder
        names = (f"upperarm01.{side}", f"lowerarm01.{side}", f"wrist.{side}")
        up, low = self._limb(names, shoulder, palm_goal - hold @ palm_from_wrist, np.asarray(hand.elbow))
        bone = self.rest.bone
        self._curl(side, hand.curl, local)
        return {
            bone(f"upperarm01.{side}"): up,
            bone(f"upperarm02.{side}"): up,
            bone(f"lowerarm01.{side}"): low,
            bone(f"lowerarm02.{side}"): self._half_twist(side, low, hold),
            bone(f"wrist.{side}"): hold,
        }

    def _half_twist(self, side: str, forearm: Floats, hand: Floats) -> Floats:
        """The forearm's far half follows half of the hand's twist about the forearm."""
        axis = unit(self.rest.head(f"wrist.{side}") - self.rest.head(f"lowerarm01.{side}"))
        relative = forearm.T @ hand
        vector = np.array(
            [relative[2, 1] - relative[1, 2], relative[0, 2] - relative[2, 0], relative[1, 0] - relative[0, 1]]
        )
        scalar = max(1 + np.trace(relative), 1e-9)
        twist = 2 * np.degrees(np.arctan2(vector @ axis, scalar))
        result: Floats = forearm @ about(axis, float(np.clip(twist, -150, 150)) / 2)
        return result

    def _curl(self, side: str, curl: float, local: dict[int, Floats]) -> None:
        """Bend the fingers towards the palm; 0 is flat, 1 a fist."""
        palm = self._hands[side][0][:, 1]
        for finger in range(1, 6):
            bends = THUMB_BEND_DEGREES if finger == 1 else FINGER_BEND_DEGREES
            for joint, degrees in enumerate(bends, start=1):
                name = f"finger{finger}-{joint}.{side}"
                following = f"finger{finger}-{min(joint + 1, 3)}.{side}"
                before = f"finger{finger}-{max(joint - 1, 1)}.{side}" if joint == 3 else name
                along = self.rest.head(following) - self.rest.head(before)
                local[self.rest.bone(name)] = about(np.cross(along, palm), degrees * curl)
