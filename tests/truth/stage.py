"""A stage on which people and kit move by script, as the real tracker sees it and as it truly was.

Boxes come from a detector that is played: they tremble, scores vary, things are missed, taken for others, hidden by
who stands in front. The pipeline's own `Watcher` makes tracks and scenes of them, so that tracks break, coast and swap
as they really do. The truth follows from the script by the definitions of design section 5, with no detector at all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import supervision as sv

from consumers.zones import Polygon, centre, feet, grown, overlap
from pipeline.capture import Frame
from pipeline.watcher import Watcher
from spotter.events import Scene
from spotter.settings import RackZone, Settings, StationZone

from ..consumers.scenes import START

Box = tuple[float, float, float, float]
Place = tuple[float, float]
"""Across and down, relative to the picture: a person's feet, an item's lowest point."""

SIZE = (1280, 720)
LOOKS_EACH_SECOND = 5
PERSON_SIZE = (0.11, 0.42)
LABELS = ("person", "kettlebell", "med_ball", "foam_roller", "yoga_block", "dumbbell", "aqua_ball", "exercise_ball")
KIT_SIZES = {
    "kettlebell": (0.034, 0.07),
    "med_ball": (0.04, 0.07),
    "foam_roller": (0.08, 0.05),
    "yoga_block": (0.04, 0.04),
    "dumbbell": (0.045, 0.045),
}
_GRID = 0.1  # seconds between two moments of the truth
_BLANK = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)


@dataclass(frozen=True)
class Noise:
    """How the played detector errs."""

    tremble: float = 0.02
    """Of each edge, as a share of the box, one standard deviation."""
    missed: float = 0.04
    """Of all looks, while the thing is in full view."""
    blurred: float = 0.35
    """Of the looks at an item that moved by more than its size since the one before."""
    held: float = 0.1
    """Of the looks at an item in somebody's hands, beside the others."""
    misnamed: float = 0.03
    """Of the looks at an item."""
    score: float = 0.72
    ghosts: float = 0.01
    """Things that are not there, a look."""


QUIET = Noise(tremble=0.008, missed=0.0, blurred=0.0, held=0.0, misnamed=0.0, ghosts=0.0)


@dataclass
class Person:
    """Somebody whose feet go straight from each place to the next; not there before the first and after the last."""

    name: str
    places: list[tuple[float, Place]]
    size: tuple[float, float] = PERSON_SIZE

    def at(self, t: float) -> Place | None:
        """Where they stand."""
        if not self.places or not self.places[0][0] <= t <= self.places[-1][0]:
            return None
        for (t0, (x0, y0)), (t1, (x1, y1)) in zip(self.places, self.places[1:], strict=False):
            if t <= t1:
                share = (t - t0) / (t1 - t0) if t1 > t0 else 1.0
                return x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        return self.places[-1][1]

    def box(self, t: float) -> Box | None:
        """Their box, by where they stand."""
        place = self.at(t)
        return None if place is None else _standing(place, self.size)


@dataclass
class Held:
    """Somebody has an item in their hands: so high above their feet, swung up and down, and to the sides."""

    start: float
    end: float
    by: Person
    height: float = 0.2
    aside: float = 0.0
    swing: float = 0.1
    period: float = 1.6
    hidden: bool = False
    """The detector can't see it there."""


@dataclass
class Item:
    """A piece of kit: it lies somewhere, is in hands for a while, and then lies where they put it."""

    name: str
    label: str
    lies: list[tuple[float, Place]]
    """From when on it lies where, while nobody holds it."""
    holds: list[Held] = field(default_factory=list)
    covered: list[tuple[float, float]] = field(default_factory=list)
    """When the detector can't see it, wherever it is."""

    def held(self, t: float) -> Held | None:
        """Whose hands it is in."""
        return next((hold for hold in self.holds if hold.start <= t < hold.end), None)

    def at(self, t: float) -> Place | None:
        """Where its lowest point is."""
        hold = self.held(t)
        if hold is not None:
            place = hold.by.at(t)
            if place is None:
                return None
            phase = 2 * math.pi * (t - hold.start) / hold.period
            return place[0] + hold.aside, place[1] - hold.height - hold.swing * (1 - math.cos(phase)) / 2
        there = [place for since, place in self.lies if since <= t]
        return there[-1] if there else None

    def box(self, t: float) -> Box | None:
        """Its box."""
        place = self.at(t)
        return None if place is None else _standing(place, KIT_SIZES[self.label])

    def is_covered(self, t: float) -> bool:
        """Whether the detector can't see it by the script."""
        hold = self.held(t)
        return (hold is not None and hold.hidden) or any(start <= t < end for start, end in self.covered)

    def moves(self, t: float) -> bool:
        """Whether it travels within the second around."""
        before, after = self.at(t - 0.5), self.at(t + 0.5)
        middle = self.at(t)
        if before is None or after is None or middle is None:
            return False
        size = math.sqrt(math.prod(KIT_SIZES[self.label]))
        return max(math.dist(before, middle), math.dist(middle, after)) > 0.25 * size


@dataclass
class Eye:
    """A camera: which part of the world it shows, how wrong its clock is, when it is dark."""

    name: str = "cam"
    shift: float = 0.0
    """By how much its picture lies to the left of the world's."""
    clock: float = 0.0
    dark: list[tuple[float, float]] = field(default_factory=list)
    noise: Noise = field(default_factory=Noise)

    def sees(self, box: Box) -> Box | None:
        """A box as it is on this camera's picture; None for one that is not, or hardly."""
        left, top, right, bottom = box[0] - self.shift, box[1], box[2] - self.shift, box[3]
        inside = max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)
        whole = (right - left) * (bottom - top)
        width, height = inside[2] - inside[0], inside[3] - inside[1]
        return inside if width > 0 and height > 0 and width * height > 0.4 * whole else None


@dataclass
class Stage:
    """People and kit, for so long, as so many cameras see them."""

    seconds: float
    people: list[Person] = field(default_factory=list)
    kit: list[Item] = field(default_factory=list)
    eyes: list[Eye] = field(default_factory=lambda: [Eye()])
    uncertain: list[tuple[float, float]] = field(default_factory=list)
    begins: timedelta = timedelta(0)
    """How long after `START`."""
    reserved: list[str] = field(default_factory=list)
    """Items that lie on a station: nobody uses them, whoever is there."""

    def film(self, settings: Settings, seed: int = 0) -> list[Scene]:
        """The scenes of all cameras, in the order in which they would come."""
        scenes = [scene for number, eye in enumerate(self.eyes) for scene in self._film(settings, eye, seed + number)]
        return sorted(scenes, key=lambda scene: scene.time)

    def _film(self, settings: Settings, eye: Eye, seed: int) -> Iterable[Scene]:
        chance = random.Random(seed)
        watcher = Watcher(settings.site, eye.name, settings.cameras[eye.name], id_prefix=eye.name, confidence=0.25)
        looked = stirred = -10.0
        seq = 0
        for look in range(round(self.seconds * LOOKS_EACH_SECOND) + 1):
            t = look / LOOKS_EACH_SECOND
            time = START + self.begins + timedelta(seconds=t + eye.clock)
            if any(start <= t < end for start, end in eye.dark):
                draft = watcher.see_nothing(time, t)
            else:
                if self._stirs(t):
                    stirred = t
                # The motion gate: a quiet picture is looked at seldom.
                if not (t - stirred < 2 or watcher.tracker.restless or watcher.scenes.still_due(t) or t - looked >= 2):
                    continue
                looked = t
                draft = watcher.see(Frame(_BLANK, time, t), self._detect(t, eye, chance))
            if draft is not None:
                yield draft.numbered("S1", seq, 0)
                seq += 1

    def _stirs(self, t: float) -> bool:
        before = t - 1 / LOOKS_EACH_SECOND
        return any(one.box(t) != one.box(before) for one in (*self.people, *self.kit)) or any(
            one.is_covered(t) != one.is_covered(before) for one in self.kit
        )

    def _detect(self, t: float, eye: Eye, chance: random.Random) -> sv.Detections:
        noise, found = eye.noise, []
        people = [(person, eye.sees(box)) for person in self.people if (box := person.box(t)) is not None]
        for person, box in people:
            if box is None or chance.random() < noise.missed:
                continue
            front = [other for who, other in people if who is not person and other is not None and other[3] > box[3]]
            if any(_share_inside(box, other) > 0.7 for other in front):
                continue
            found.append(("person", min(0.98, chance.gauss(0.85, 0.06)), _trembling(box, noise, chance)))
        for item in self.kit:
            whole = item.box(t)
            box = None if whole is None or item.is_covered(t) else eye.sees(whole)
            if box is None:
                continue
            hold = item.held(t)
            front = [other for _, other in people if other is not None and other[3] > box[3] + 0.03]
            if hold is None and any(_share_inside(box, other) > 0.6 for other in front):
                continue
            if chance.random() < self._miss_share(item, t, hold is not None, noise):
                continue
            label = item.label if chance.random() >= noise.misnamed else chance.choice(LABELS[1:5])
            score = min(0.97, chance.gauss(noise.score, 0.1))
            if score > 0.1:
                found.append((label, score, _trembling(box, noise, chance)))
        if chance.random() < noise.ghosts:
            x, y = chance.uniform(0.1, 0.9), chance.uniform(0.2, 0.9)
            found.append((chance.choice(LABELS[1:5]), chance.uniform(0.2, 0.4), (x, y, x + 0.04, y + 0.06)))
        return _detections(found)

    def _miss_share(self, item: Item, t: float, held: bool, noise: Noise) -> float:
        share = noise.missed + (noise.held if held else 0.0)
        now, before = item.at(t), item.at(t - 1 / LOOKS_EACH_SECOND)
        if now is not None and before is not None and math.dist(now, before) > math.hypot(*KIT_SIZES[item.label]) * 0.7:
            share += noise.blurred
        return share

    # What truly was

    def truth(self, settings: Settings) -> dict[str, object]:
        """A truth file's content: uses of kit and stations, by the definitions of the rules."""
        rules = settings.rules
        zones = settings.cameras[self.eyes[0].name].zones
        sessions = []
        for item in self.kit:
            if item.name in self.reserved:
                continue
            homes = [
                Polygon.of(zone.polygon)
                for zone in zones.values()
                if isinstance(zone, RackZone) and (not zone.holds or item.label in zone.holds)
            ]
            uses = self._stretches(lambda t, item=item, homes=homes: self._is_used(item, t, homes, rules.reach))
            sessions += [
                {"equipment": item.label, "unit": None, "start": start, "end": end}
                for start, end in _joined(uses, rules.rest_after, rules.use_after)
            ]
        for name, zone in zones.items():
            if isinstance(zone, StationZone):
                shape = Polygon.of(zone.polygon)
                there = self._stretches(lambda t, shape=shape: self._is_occupied(shape, t))
                sessions += [
                    {"equipment": zone.equipment, "unit": zone.unit or name, "start": start, "end": end}
                    for start, end in _joined(there, rules.leave_after, rules.enter_after)
                ]
        return {
            "start": (START + self.begins).isoformat().replace("+00:00", "Z"),
            "uncertain": [list(pair) for pair in self.uncertain],
            "sessions": sorted(sessions, key=lambda one: (one["start"], one["equipment"])),
        }

    def _is_used(self, item: Item, t: float, homes: list[Polygon], reach: float) -> bool:
        box = item.box(t)
        if box is None or any(home.contains(centre(box)) for home in homes):
            return False
        if item.moves(t):
            return True
        people = (person.box(t) for person in self.people)
        return any(overlap(grown(one, reach), box) >= 0 for one in people if one is not None)

    def _is_occupied(self, shape: Polygon, t: float) -> bool:
        return any(shape.contains(feet(box)) for person in self.people if (box := person.box(t)) is not None)

    def _stretches(self, holds: Callable[[float], bool]) -> list[tuple[float, float]]:
        found: list[list[float]] = []
        for step in range(round(self.seconds / _GRID) + 1):
            t = round(step * _GRID, 3)
            if holds(t):
                if found and t - found[-1][1] <= _GRID * 1.5:
                    found[-1][1] = t
                else:
                    found.append([t, t])
        return [(start, end) for start, end in found]


def _joined(stretches: list[tuple[float, float]], gap: float, least: float) -> list[tuple[float, float]]:
    """Sessions of stretches: one begins with `least` seconds in a row, and bridges breaks shorter than `gap`."""
    joined: list[tuple[float, float]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], end)
        elif end - start >= least:
            joined.append((start, end))
    return joined


def _standing(place: Place, size: tuple[float, float]) -> Box:
    (x, y), (width, height) = place, size
    return x - width / 2, y - height, x + width / 2, y


def _share_inside(box: Box, other: Box) -> float:
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return max(0.0, overlap(box, other)) / whole


def _trembling(box: Box, noise: Noise, chance: random.Random) -> Box:
    width, height = box[2] - box[0], box[3] - box[1]
    left, top, right, bottom = (
        edge + chance.gauss(0, noise.tremble) * side
        for edge, side in zip(box, (width, height, width, height), strict=True)
    )
    return max(0.0, left), max(0.0, top), min(1.0, max(right, left)), min(1.0, max(bottom, top))


def _detections(found: list[tuple[str, float, Box]]) -> sv.Detections:
    scale = np.array([*SIZE, *SIZE], dtype=np.float32)
    return sv.Detections(
        xyxy=np.array([box for *_, box in found], dtype=np.float32).reshape(-1, 4) * scale,
        confidence=np.array([score for _, score, _ in found], dtype=np.float32),
        class_id=np.array([LABELS.index(label) for label, *_ in found], dtype=int),
        data={"class_name": np.array([label for label, *_ in found], dtype=str)},
    )
