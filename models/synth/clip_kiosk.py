"""The demo's front-desk camera: a yoga block, a med ball and a kettlebell are held up to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.synth import balls, holding, items, poses, room
from models.synth.bodies import Look, Person
from models.synth.choreography import Script, keyed, walking
from models.synth.clips import Clip, Prop
from models.synth.meshes import rotation
from models.synth.poses import Standpoint
from models.synth.scenes import Lamp
from models.synth.skeleton import Hand, Pose
from models.synth.stage import Camera

KIOSK_SEEDS = (3, 4, 3)  # looks of the block, the ball and the kettlebell


def kiosk() -> Clip:
    """Somebody holds up a yoga block, a med ball and a kettlebell to the camera at the front desk."""
    camera = Camera((0.0, -1.2, 1.46), (0.0, 0.3, 1.38), 60)
    shell = room.Shell(
        3.2, 3.2, 3.0, 3.4, 3.0, (0.55, 0.42, 0.30), (0.48, 0.36, 0.25), (0.82, 0.80, 0.76), (0.22, 0.45, 0.40)
    )
    scenery = [*room.floor(shell, tiles=False), *room.walls(shell)]
    scenery.append(room.clock().moved(shift=(-1.5, 3.39, 2.0)))
    scenery.append(room.window(1.5, 1.3, 2.0).moved(shift=(1.5, 3.38, 1.85)))
    scenery.append(room.treadmill((0.2, 0.2, 0.21)).moved(rotation("z", 140), (2.1, 2.2, 0)))
    lamps = (
        Lamp((-0.6, -1.6, 2.85), (0, 0.2, 1.2), (1.2, 0.8), 95, (1.0, 0.97, 0.93)),
        Lamp((1.2, 1.6, 2.85), (1.0, 1.7, 0), (1.4, 0.6), 85, (1.0, 0.97, 0.93)),
    )
    person = Person(
        Look(
            0,
            0.62,
            0.6,
            0.45,
            0.46,
            (0.80, 0.60, 0.47),
            (0.10, 0.07, 0.06),
            "short",
            (0.20, 0.32, 0.55),
            0.55,
            (0.1, 0.1, 0.12),
            0.8,
        )
    )
    hip = person.rest.hip_height
    stand, door = Standpoint(0.0, 0.30, 0), (2.4, 0.5)
    block_item = items.yoga_block(np.random.default_rng(KIOSK_SEEDS[0]), "foam")
    ball_item = balls.med_ball(np.random.default_rng(KIOSK_SEEDS[1]), "two-tone")
    bell = items.kettlebell(np.random.default_rng(KIOSK_SEEDS[2]), 0.102, "iron")
    base = poses.stand(hip, width=0.17)

    def low(half: float) -> Pose:
        return poses.hold_between(base, (0, -0.24, 0.80 * hip), half)

    def high(half: float) -> Pose:
        return poses.hold_between(base, (0, -0.42, 1.28), half)

    def bell_pose(z: float, y: float) -> Pose:
        def hand(out: float) -> Hand:
            return Hand((out * 0.035, y, z), 0, (0, -1.0, -0.25), (0, 0.25, -1.0), (out, 0.3, -0.5), 0.95)

        return replace(base, left_hand=hand(1.0), right_hand=hand(-1.0))

    halves = (block_item.half_width + 0.012, ball_item.half_width + 0.006)
    shown = (("yoga_block", 5.0, 8.6), ("med_ball", 11.6, 15.2), ("kettlebell", 18.2, 21.8))
    bell_low, bell_high = bell_pose(0.76 * hip, -0.26), bell_pose(1.42, -0.42)
    keys: list[tuple[float, Pose]] = [(0.0, base)]
    for (_, start, end), down, up in zip(
        shown, (low(halves[0]), low(halves[1]), bell_low), (high(halves[0]), high(halves[1]), bell_high), strict=True
    ):
        keys += [(start - 0.9 - 3.6, down), (start - 3.6, up), (end - 3.6, up), (end + 0.9 - 3.6, down)]
    put_down = 3.6 + keys[-1][0]
    keys.append((keys[-1][0] + 0.6, base))
    begins, ends = 3.6, 3.6 + keys[-1][0]
    beats = [
        walking(
            0.8,
            begins,
            [door, (stand.x, stand.y)],
            hip,
            headings=(None, 0),
            starts_standing=False,
        ),
        keyed(begins, stand, keys),
        walking(
            ends,
            ends + 2.6,
            [(stand.x, stand.y), (-2.4, 0.5)],
            hip,
            headings=(0, None),
            ends_standing=False,
        ),
    ]
    swaps = (10.1, 16.7)
    props = {
        "yoga-block": Prop(block_item, (), ((begins + 0.5, swaps[0], "guest", holding.between_palms),)),
        "med-ball": Prop(ball_item, (), ((swaps[0], swaps[1], "guest", holding.between_palms),)),
        "kettlebell": Prop(bell, (), ((swaps[1], put_down, "guest", holding.by_the_handle),)),
    }
    zones: dict[str, dict[str, object]] = {
        "desk": {"kind": "kiosk", "polygon": [[0.2, 0.12], [0.8, 0.12], [0.8, 1.0], [0.2, 1.0]]}
    }
    return Clip(
        "kiosk",
        32.0,
        camera,
        tuple(scenery),
        lamps,
        {"guest": (person, Script(beats))},
        props,
        zones,
        shown,
        0.4,
        fps=6.0,
    )
