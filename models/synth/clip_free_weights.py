"""The demo's free-weights camera: a kettlebell swung and returned, a foam roller used, left lying and tidied away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from models.synth import holding, items, poses, room
from models.synth.bodies import Look, Person
from models.synth.choreography import Beat, Script, keyed, walking
from models.synth.clips import Clip, Place, Prop, block, ceiling_lamps, in_room, polygon_of
from models.synth.makes import Item
from models.synth.meshes import rotation
from models.synth.poses import Standpoint
from models.synth.skeleton import Hand, Pose, Posed
from models.synth.stage import Camera

BELLS = ((3, "vinyl"), (8, "iron"), (21, "iron"), (34, "band"))  # seed and make of the four kettlebells
ROLLER_SEED = 14
SWING_SECONDS = 1.5  # of one swing there and back


def _carry_front(hip: float) -> Callable[[Pose], Pose]:
    """Both hands on a handle in front of the thighs."""

    def hands(pose: Pose) -> Pose:
        def hand(out: float) -> Hand:
            return Hand((out * 0.035, -0.24, 0.86 * hip), 0, (0, -0.45, -1.0), (0, 0.9, -0.4), (out, 0.5, 0.1), 0.95)

        return replace(pose, left_hand=hand(1.0), right_hand=hand(-1.0))

    return hands


def _hug(hip: float, half: float) -> Callable[[Pose], Pose]:
    """A wide thing carried level before the belly."""

    def hands(pose: Pose) -> Pose:
        return poses.hold_between(pose, (0, -0.30, 1.08 * hip), half)

    return hands


def free_weights() -> Clip:
    """A kettlebell is taken, swung and returned; a foam roller is taken, used, left lying, and tidied away."""
    camera = Camera((0.0, -4.5, 2.25), (0.0, 0.7, 0.72), 59)
    shell = room.Shell(
        4.4, 4.4, 6.0, 2.6, 3.2, (0.17, 0.17, 0.18), (0.38, 0.40, 0.42), (0.74, 0.74, 0.72), (0.62, 0.30, 0.14)
    )
    lamps, panels = ceiling_lamps(shell, 120)
    shelf, back = 0.62, 1.5
    rack_x, stand_x = 0.95, -1.75
    scenery = [*room.floor(shell), *room.walls(shell), *panels]
    scenery.append(room.shelf_rack(1.7, (0.22, shelf)).moved(shift=(rack_x, back, 0)))
    scenery.append(room.shelf_rack(1.0, (0.22, 0.66)).moved(shift=(stand_x, back, 0)))
    scenery.append(room.clock().moved(shift=(-0.4, 2.59, 2.0)))
    scenery.append(room.window(1.5, 1.1, 2.0).moved(shift=(-2.6, 2.58, 2.1)))
    scenery.append(room.window(1.5, 1.1, 2.0).moved(shift=(2.4, 2.58, 2.1)))
    scenery.append(room.power_rack((0.14, 0.14, 0.15)).moved(rotation("z", -25), (3.5, 1.6, 0)))

    bells = [items.kettlebell(np.random.default_rng(seed), 0.102, style) for seed, style in BELLS]
    props: dict[str, Prop] = {}
    swinger = Person(
        Look(0, 0.7, 0.75, 0.45, 0.5, (0.70, 0.50, 0.37), hair_style="cap", top=(0.16, 0.42, 0.30), leg=0.8)
    )
    hip = swinger.rest.hip_height
    taken = 1
    offsets = (-0.57, -0.19, 0.19, 0.57)
    bell = bells[taken]
    grip = bell.grips[0][2]
    at_rack = Standpoint(rack_x + offsets[taken], back - 0.64, 180)
    standing, front = poses.stand(hip, width=0.17), _carry_front(hip)
    reach = poses.bend_down(hip, 1.0, 0.60, shelf + grip, depth=0.30)
    lifted = replace(reach, left_hand=_up(reach.left_hand, 0.10), right_hand=_up(reach.right_hand, 0.10))
    carried = front(standing)
    spot = Standpoint(1.0, -0.75, 62)
    door = (4.0, -0.2)
    take, reps, period = 3.6, 7, SWING_SECONDS
    swing_start = 8.2
    swing_end = swing_start + reps * period
    bottom = poses.swing(hip, 0.0)

    def swings(seconds: float) -> tuple[Standpoint, Pose]:
        return spot, poses.swing(hip, seconds / period)

    beats = [
        walking(
            0.6, take, [door, (1.9, 0.2), (at_rack.x, at_rack.y)], hip, headings=(None, 180), starts_standing=False
        ),
        keyed(take, at_rack, [(0, standing), (1.0, reach), (1.35, reach), (1.8, lifted), (2.4, carried)]),
        walking(
            take + 2.4,
            swing_start - 0.6,
            [(at_rack.x, at_rack.y), (spot.x, spot.y)],
            hip,
            headings=(180, spot.heading),
            hands=front,
        ),
        keyed(swing_start - 0.6, spot, [(0, carried), (0.6, bottom)]),
        Beat(swing_start, swing_end, swings),
        keyed(swing_end, spot, [(0, bottom), (0.7, carried)]),
        walking(
            swing_end + 0.7,
            swing_end + 2.5,
            [(spot.x, spot.y), (at_rack.x, at_rack.y)],
            hip,
            headings=(spot.heading, 180),
            hands=front,
        ),
        keyed(swing_end + 2.5, at_rack, [(0, carried), (0.7, lifted), (1.2, reach), (1.5, reach), (2.3, standing)]),
        walking(
            swing_end + 4.8,
            swing_end + 7.8,
            [(at_rack.x, at_rack.y), (1.9, 0.2), door],
            hip,
            headings=(180, None),
            ends_standing=False,
        ),
    ]
    home = in_room(holding.by_the_handle(swinger.solve(reach), bell), at_rack)
    gone, returned = take + 1.2, swing_end + 3.85
    seconds = 56.0
    for number, (one, offset) in enumerate(zip(bells, offsets, strict=True)):
        resting = (rotation("z", 180 + 14 * number), np.array([rack_x + offset, back, shelf]))
        if number == taken:
            resting = (home[0], np.array([home[1][0], home[1][1], shelf]))
        props[f"kettlebell-{number + 1}"] = (
            Prop(
                one, ((0, gone, resting), (returned, seconds, resting)), ((gone, returned, "swinger", _from_the_arms),)
            )
            if number == taken
            else Prop(one, ((0, seconds, resting),))
        )
    roller_person, roller_beats, roller = _roller_part(stand_x, back, seconds)
    people = {"swinger": (swinger, Script(beats)), "roller": (roller_person, Script(roller_beats))}
    props["foam-roller"] = roller
    rack_box = block(rack_x - 0.92, rack_x + 0.92, back - 0.24, back + 0.22, shelf - 0.1, shelf + 0.44)
    stand_box = block(stand_x - 0.56, stand_x + 0.56, back - 0.24, back + 0.22, 0.56, 1.0)
    zones: dict[str, dict[str, object]] = {
        "kettlebells": {"kind": "rack", "polygon": polygon_of(camera, rack_box), "holds": {"kettlebell": 4}},
        "rollers": {"kind": "rack", "polygon": polygon_of(camera, stand_box), "holds": {"foam_roller": 1}},
        "floor": {"kind": "floor", "polygon": [[0.0, 0.45], [1.0, 0.45], [1.0, 1.0], [0.0, 1.0]]},
    }
    return Clip("free-weights", seconds, camera, tuple(scenery), lamps, people, props, zones)


def _up(hand: Hand, metres: float) -> Hand:
    return replace(hand, place=(hand.place[0], hand.place[1] + 0.06, hand.place[2] + metres))


def _from_the_arms(posed: Posed, item: Item) -> holding.Placed:
    """The kettlebell hangs straight down, but follows the arms when they swing out."""
    shoulders = (posed.places[posed.rest.bone("upperarm01.L")] + posed.places[posed.rest.bone("upperarm01.R")]) / 2
    arms = (posed.palms["L"] + posed.palms["R"]) / 2 - shoulders
    arms = arms / np.linalg.norm(arms)
    lean = min(3 * (max(0.0, -float(arms[1]) - 0.45) + max(0.0, float(arms[1]))), 1.0)
    down = arms * lean + np.array([0, 0, -1]) * (1 - lean)
    return holding.by_the_handle(posed, item, cast(Place, tuple(down)))


def _roller_part(stand_x: float, back: float, seconds: float) -> tuple[Person, list[Beat], Prop]:
    """Somebody takes the foam roller, rolls the calves, leaves it on the floor, comes back and puts it away."""
    person = Person(
        Look(
            1,
            0.65,
            0.55,
            0.5,
            0.55,
            (0.86, 0.67, 0.56),
            (0.28, 0.18, 0.10),
            "bun",
            (0.35, 0.25, 0.55),
            0.55,
            (0.30, 0.31, 0.34),
            1.95,
            (0.9, 0.9, 0.9),
        )
    )
    hip = person.rest.hip_height
    item = items.foam_roller(np.random.default_rng(ROLLER_SEED), "grid")
    radius, half = item.centre[2], min(item.half_width, 0.24) + 0.005
    shelf = 0.66
    at_stand, door = Standpoint(stand_x, back - 0.62, 180), (-4.0, -0.6)
    ahead = 0.62
    spot = Standpoint(-1.5, -0.2, 50)
    standing, hug = poses.stand(hip, width=0.17), _hug(hip, half)
    carried = hug(standing)

    def grasp(height: float, ahead_metres: float, depth: float) -> Pose:
        pose = poses.bend_down(hip, 1.0, ahead_metres, height, depth)
        return poses.hold_between(pose, (0, -ahead_metres, height), half)

    reach = grasp(shelf + radius, ahead, 0.30)
    raised = grasp(shelf + radius + 0.14, ahead - 0.06, 0.22)
    floor_ahead = 0.62
    low = grasp(radius + 0.012, floor_ahead, 0.95)
    open_low = poses.bend_down(hip, 0.55, 0.4, 0.5, 0.95)
    sit_shift = 0.30
    sitting = poses.sit_on_floor(hip, sit_shift)
    take, put = 20.0, 25.0
    laid = put + 1.5
    rolling, rolled = laid + 2.2, laid + 6.2

    def roll(now: float) -> tuple[Standpoint, Pose]:
        move = 0.10 * float(np.sin(2 * np.pi * now / 3.5))
        pose = poses.sit_on_floor(hip, sit_shift)
        return spot, replace(pose, hip=(0, pose.hip[1] + move, pose.hip[2] + 0.02))

    leave = rolled + 2.2
    away = leave + 2.6
    again = away + 5.6
    lift = again + 2.4
    beats = [
        walking(
            take - 2.8,
            take,
            [door, (at_stand.x - 0.4, 0.2), (at_stand.x, at_stand.y)],
            hip,
            headings=(None, 180),
            starts_standing=False,
        ),
        keyed(take, at_stand, [(0, standing), (1.0, reach), (1.3, reach), (1.8, raised), (2.4, carried)]),
        walking(
            take + 2.4, put, [(at_stand.x, at_stand.y), (spot.x, spot.y)], hip, headings=(180, spot.heading), hands=hug
        ),
        keyed(put, spot, [(0, carried), (1.2, low), (1.5, low)]),
        keyed(laid, spot, [(0, low), (0.7, open_low), (1.6, _sinking(sitting)), (2.2, sitting)]),
        Beat(rolling, rolled, roll),
        keyed(rolled, spot, [(0, sitting), (0.6, _sinking(sitting)), (1.5, open_low), (2.2, standing)]),
        walking(leave, away, [(spot.x, spot.y), door], hip, headings=(spot.heading, None), ends_standing=False),
        walking(again, lift, [door, (spot.x, spot.y)], hip, headings=(None, spot.heading), starts_standing=False),
        keyed(lift, spot, [(0, standing), (1.1, low), (1.4, low), (2.4, carried)]),
        walking(
            lift + 2.4,
            lift + 4.4,
            [(spot.x, spot.y), (at_stand.x, at_stand.y)],
            hip,
            headings=(spot.heading, 180),
            hands=hug,
        ),
        keyed(lift + 4.4, at_stand, [(0, carried), (0.6, raised), (1.1, reach), (1.4, reach), (2.0, standing)]),
        walking(
            lift + 6.4,
            lift + 9.0,
            [(at_stand.x, at_stand.y), (at_stand.x - 0.4, 0.2), door],
            hip,
            headings=(180, None),
            ends_standing=False,
        ),
    ]

    def rest(stand: Standpoint, pose: Pose, height: float) -> holding.Placed:
        turn, shift = in_room(holding.between_palms(person.solve(pose), item), stand)
        return turn, np.array([shift[0], shift[1], height])

    home, floor = rest(at_stand, reach, shelf), rest(spot, low, 0.012)
    out, laid_down, up, in_again = take + 1.15, laid - 0.15, lift + 1.25, lift + 5.65
    prop = Prop(
        item,
        ((0, out, home), (laid_down, up, floor), (in_again, seconds, home)),
        ((out, laid_down, "roller", holding.between_palms), (up, in_again, "roller", holding.between_palms)),
    )
    return person, beats, prop


def _sinking(sitting: Pose) -> Pose:
    """Halfway to sitting: hands already on the floor behind, knees still bent."""
    x, y, z = sitting.hip
    bent = {
        "left_foot": replace(sitting.left_foot, place=(0.12, y - 0.45, 0.0), pitch=0.0),
        "right_foot": replace(sitting.right_foot, place=(-0.12, y - 0.45, 0.0), pitch=0.0),
    }
    return replace(sitting, hip=(x, y, z + 0.12), left_foot=bent["left_foot"], right_foot=bent["right_foot"])
