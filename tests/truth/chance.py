"""Stages that chance writes: people come, walk about, use stations and kit, rest, swap and leave.

Whatever the seed, the truth is known, because the script that the stage plays is what is compared with.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .stage import Eye, Held, Item, Noise, Person, Place, Stage

GYM = """
site: gym
cameras:
  cam:
    uri: none.mp4
    zones: &zones
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.02, 0.7], [0.14, 0.7], [0.14, 1], [0.02, 1]]}
      treadmill-2: {kind: station, equipment: treadmill, polygon: [[0.16, 0.7], [0.28, 0.7], [0.28, 1], [0.16, 1]]}
      rack-a: {kind: rack, holds: {kettlebell: 4, med_ball: 2}, polygon: [[0.78, 0.2], [1, 0.2], [1, 0.5], [0.78, 0.5]]}
      mats: {kind: floor, polygon: [[0.3, 0.55], [1.0, 0.55], [1.0, 1.0], [0.3, 1.0]]}
"""
DOOR: Place = (0.5, 0.56)
STATIONS: dict[str, Place] = {"treadmill-1": (0.08, 0.85), "treadmill-2": (0.22, 0.85)}
SPOTS: list[Place] = [(0.37, 0.9), (0.52, 0.95), (0.67, 0.9), (0.85, 0.95)]
SPEED = 0.12
"""Of the picture's width a second: somebody who walks."""


@dataclass
class _Writer:
    """Writes one person's way through the gym."""

    chance: random.Random
    person: Person
    t: float
    here: Place
    kit: list[Item]
    taken: list[str] = field(default_factory=list)

    def walk(self, to: Place) -> None:
        """Straight there."""
        distance = abs(to[0] - self.here[0]) + abs(to[1] - self.here[1])
        self.t += max(0.6, distance / SPEED)
        self.here = to
        self.person.places.append((self.t, to))

    def stay(self, seconds: float) -> None:
        """Where they are, with small steps now and then."""
        end = self.t + seconds
        while end - self.t > 6:
            self.t += self.chance.uniform(3, 6)
            x, y = self.here
            self.person.places.append((self.t, (x + self.chance.uniform(-0.006, 0.006), y)))
        self.t = end
        self.person.places.append((self.t, self.here))

    def train(self, station: str) -> None:
        """On a machine for a while."""
        self.walk(STATIONS[station])
        self.stay(self.chance.uniform(20, 70))

    def lift(self, item: Item, spot: Place) -> None:
        """Fetch an item, use it in some sets, and put it back or leave it."""
        chance = self.chance
        lying = item.lies[-1][1]
        self.walk((lying[0] - 0.06, 0.62))
        self.stay(1.0)
        start = self.t
        self.walk(spot)
        self.stay(0.5)
        carried = self.t
        self._hold(item, start, carried, swing=0.0)
        for number in range(chance.randint(1, 3)):
            if number:
                self._hold(item, self.t, self.t, swing=0.0)
            begin = self.t
            self.stay(chance.uniform(8, 35))
            self._hold(item, begin, self.t, swing=chance.choice([0.03, 0.1, 0.18, 0.25]))
            item.lies.append((self.t, (spot[0] + 0.05, spot[1])))
            if chance.random() < 0.4:
                # A rest, beside it or a few steps away, and not nearly as long as rest_after.
                if chance.random() < 0.5:
                    self.walk((spot[0] + 0.0, spot[1] - 0.25))
                    self.stay(chance.uniform(2, 8))
                    self.walk(spot)
                else:
                    self.stay(chance.uniform(3, 30))
        if chance.random() < 0.6:
            start = self.t
            self.walk((lying[0] - 0.06, 0.62))
            self._hold(item, start, self.t, swing=0.0)
            item.lies.append((self.t, lying))
            self.stay(0.6)

    def _hold(self, item: Item, start: float, end: float, *, swing: float) -> None:
        if end > start:
            chance = self.chance
            item.holds.append(
                Held(
                    start,
                    end,
                    self.person,
                    height=chance.uniform(0.12, 0.2),
                    aside=chance.uniform(-0.02, 0.03),
                    swing=swing,
                    period=chance.uniform(1.2, 2.5),
                )
            )
            # Now and then hands hide it for some seconds.
            if swing and end - start > 14 and chance.random() < 0.5:
                hidden = chance.uniform(start + 3, end - 10)
                item.covered.append((hidden, hidden + chance.uniform(1, 7)))


def stage(seed: int, *, seconds: float = 240, two_cameras: bool = False, noise: Noise | None = None) -> Stage:
    """A stage by chance."""
    chance = random.Random(seed)
    kit = [Item(f"k{n}", "kettlebell", [(0, (0.8 + 0.05 * n, 0.45))]) for n in range(4)]
    kit += [Item(f"m{n}", "med_ball", [(0, (0.83 + 0.1 * n, 0.32))]) for n in range(2)]
    people, busy = [], dict.fromkeys(STATIONS, 0.0)
    free_kit, spots = kit[:], SPOTS[:]
    chance.shuffle(free_kit)
    chance.shuffle(spots)
    for number in range(chance.randint(2, 4)):
        begin = chance.uniform(2, 60)
        person = Person(f"p{number}", [(begin, DOOR)])
        writer = _Writer(chance, person, begin, DOOR, kit)
        for _ in range(chance.randint(1, 3)):
            what = chance.random()
            if what < 0.4:
                station = chance.choice(list(STATIONS))
                if busy[station] + 30 < writer.t:
                    writer.train(station)
                    busy[station] = writer.t
                    writer.walk((0.4, 0.6))
            elif what < 0.85 and free_kit and spots:
                writer.lift(free_kit.pop(), spots.pop())
                writer.walk((0.55, 0.6))
            else:
                writer.walk((chance.uniform(0.3, 0.9), chance.uniform(0.6, 0.98)))
                writer.walk((chance.uniform(0.3, 0.9), chance.uniform(0.6, 0.7)))
        writer.walk(DOOR)
        people.append(person)
    eyes = [Eye(noise=noise or Noise())]
    if two_cameras:
        eyes.append(Eye("cam-2", shift=0.05, clock=chance.uniform(-0.6, 0.6), noise=noise or Noise()))
    end = max(person.places[-1][0] for person in people) + 40
    return Stage(min(seconds, end) if seconds else end, people, kit, eyes)
