"""What a person does over time: beats of walking and keyed poses, as pure functions of the clip's clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.synth import poses
from models.synth.meshes import Floats
from models.synth.poses import Standpoint, blend, ease
from models.synth.skeleton import Pose

Moment = tuple[Standpoint, Pose]
TURN_METRES = 0.35  # walked while turning from one heading to the next
RAMP_METRES = 0.30  # walked while the gait grows from standing


@dataclass(frozen=True)
class Beat:
    """Something done from `start` to `end` seconds; `moment` takes seconds since its start."""

    start: float
    end: float
    moment: Callable[[float], Moment]


class Script:
    """The beats of one person, in order; outside of them the person is not in the room."""

    def __init__(self, beats: Sequence[Beat]) -> None:
        self.beats = tuple(beats)

    def at(self, seconds: float) -> Moment | None:
        """Where the person is and how posed; None while away."""
        for beat in self.beats:
            if beat.start <= seconds < beat.end:
                return beat.moment(seconds - beat.start)
        return None


def keyed(start: float, stand: Standpoint, keys: Sequence[tuple[float, Pose]]) -> Beat:
    """Poses at given seconds after `start`, eased between, on the spot."""
    times = [time for time, _ in keys]

    def moment(seconds: float) -> Moment:
        number = int(np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, len(keys) - 2))
        before, after = keys[number], keys[number + 1]
        return stand, blend(before[1], after[1], ease((seconds - before[0]) / (after[0] - before[0])))

    return Beat(start, start + times[-1], moment)


def heading_towards(step: Floats) -> float:
    """The heading in degrees of somebody who walks along `step` on the floor; 0 is -y."""
    return float(np.degrees(np.arctan2(step[0], -step[1])))


def _turn(first: float, second: float, share: float) -> float:
    """From one heading to another the short way round."""
    return first + ((second - first + 180) % 360 - 180) * share


def walking(
    start: float,
    end: float,
    path: Sequence[tuple[float, float]],
    hip: float,
    *,
    headings: tuple[float | None, float | None] = (None, None),
    starts_standing: bool = True,
    ends_standing: bool = True,
    hands: Callable[[Pose], Pose] | None = None,
) -> Beat:
    """A walk along corner points; `headings` are those before and after, None for the path's own.

    `hands` may replace what the arms do, as when something is carried.
    """
    points = np.asarray(path, dtype=np.float64)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    reached = np.concatenate([[0.0], np.cumsum(lengths)])
    total = float(reached[-1])
    ways = [heading_towards(step) for step in np.diff(points, axis=0)]
    corners = [headings[0] if headings[0] is not None else ways[0], *ways[1:]]

    def moment(seconds: float) -> Moment:
        share = float(np.clip(seconds / (end - start), 0, 1))
        distance = total * _travelled(share, starts_standing, ends_standing)
        leg = int(np.clip(np.searchsorted(reached, distance, side="right") - 1, 0, len(lengths) - 1))
        along = (distance - reached[leg]) / lengths[leg]
        x, y = points[leg] + (points[leg + 1] - points[leg]) * along
        heading = ways[leg]
        if leg > 0:
            heading = _turn(ways[leg - 1], heading, ease((distance - reached[leg]) / TURN_METRES))
        elif headings[0] is not None:
            heading = _turn(corners[0], heading, ease(distance / TURN_METRES))
        if headings[1] is not None:
            heading = _turn(heading, headings[1], ease(1 - (total - distance) / TURN_METRES))
        amount = 1.0
        if starts_standing:
            amount = min(amount, ease(distance / RAMP_METRES))
        if ends_standing:
            amount = min(amount, ease((total - distance) / RAMP_METRES))
        pose = poses.walk(hip, distance, amount=amount)
        return Standpoint(float(x), float(y), heading), hands(pose) if hands else pose

    return Beat(start, end, moment)


def _travelled(share: float, starts_standing: bool, ends_standing: bool) -> float:
    """Share of the way gone after a share of the time: steady, with a soft start and end where one stands."""
    soft = 0.12
    lost = (soft if starts_standing else 0.0) + (soft if ends_standing else 0.0)
    speed = 1 / (1 - lost / 2)
    done = share * speed
    if starts_standing:
        done = speed * share**2 / (2 * soft) if share < soft else speed * (share - soft / 2)
    if ends_standing and share > 1 - soft:
        left = 1 - share
        done = 1 - speed * left**2 / (2 * soft)
    return done


def on_treadmill(start: float, end: float, stand: Standpoint, hip: float, deck: float) -> Beat:
    """Walking, then running, then walking on a belt that moves under the feet."""
    length = end - start

    def moment(seconds: float) -> Moment:
        amount = min(ease(seconds / 0.8), ease((length - seconds) / 0.8))
        run = ease((seconds - 2.5) / 1.5) * ease((length - 2.0 - seconds) / 1.5)
        # Distance on the belt: the integral of a speed that grows with `run`, near enough for a gait.
        steps = np.linspace(0, seconds, 60)
        runs = np.array([ease((s - 2.5) / 1.5) * ease((length - 2.0 - s) / 1.5) for s in steps])
        distance = _area(1.1 + 1.3 * runs, steps)
        pose = poses.walk(hip, distance, amount=0.85 * amount, stride=1.25 + 0.45 * run, run=run)
        return replace(stand, z=deck), pose

    return Beat(start, end, moment)


def _area(values: Floats, places: Floats) -> float:
    return float(((values[1:] + values[:-1]) / 2 * np.diff(places)).sum())


def stepping(start: float, end: float, first: Standpoint, last: Standpoint, hip: float) -> Beat:
    """One or two steps straight from a place to another, perhaps up or down."""

    def moment(seconds: float) -> Moment:
        share = seconds / (end - start)
        way = float(np.hypot(last.x - first.x, last.y - first.y))
        gone = ease(share)
        place = Standpoint(
            first.x + (last.x - first.x) * gone,
            first.y + (last.y - first.y) * gone,
            _turn(first.heading, last.heading, gone),
            first.z + (last.z - first.z) * ease(share * 1.3 - 0.15),
        )
        return place, poses.walk(hip, way * gone, amount=float(np.sin(np.pi * share)) ** 0.5)

    return Beat(start, end, moment)
