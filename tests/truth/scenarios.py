"""What happens in gyms, written as stages: each function is one scenario, its docstring what happens."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from spotter.events import Scene

from .chance import GYM
from .stage import Eye, Held, Item, Person, Place, Stage

TWO_CAMERAS = (
    GYM
    + """  cam-2:
    uri: none.mp4
    zones:
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.68, 0.2], [0.9, 0.2], [0.9, 0.5], [0.68, 0.5]]}
      mats: {kind: floor, polygon: [[0.2, 0.55], [0.9, 0.55], [0.9, 1.0], [0.2, 1.0]]}
"""
)
RACK: list[Place] = [(0.8, 0.45), (0.85, 0.45), (0.9, 0.45), (0.95, 0.45)]
MAT: Place = (0.5, 0.9)
TREADMILL: Place = (0.08, 0.85)


@dataclass
class Scenario:
    """A stage, the settings that its truth assumes, and what is done to its scenes on their way."""

    stage: Stage
    gym: str = GYM
    disturb: Callable[[list[Scene]], list[Scene]] = field(default=lambda scenes: scenes)


def _resting(count: int = 4, skip: int = 0) -> list[Item]:
    return [Item(f"k{n}", "kettlebell", [(0, RACK[n])]) for n in range(skip, count)]


def _lifting(start: float, end: float, spot: Place = MAT, **how: Any) -> tuple[Person, Item]:
    """Somebody comes, lifts a kettlebell that lies on the mat from `start` to `end`, and goes."""
    x, y = spot
    person = Person("p", [(start - 5, (x, 0.57)), (start - 1, spot), (end + 1, spot), (end + 4, (x, 0.57))])
    item = Item("k", "kettlebell", [(0, (x + 0.02, y - 0.01)), (end, (x + 0.02, y - 0.01))])
    item.holds.append(Held(start, end, person, **how))
    return person, item


def two_people_swap_a_kettlebell() -> Scenario:
    """One lifts it, hands it over to another who stands beside, and walks off; the other goes on and puts it down."""
    one = Person("p", [(2, (0.45, 0.57)), (6, (0.45, 0.9)), (32, (0.45, 0.9)), (37, (0.35, 0.57))])
    other = Person("q", [(12, (0.62, 0.57)), (20, (0.57, 0.9)), (58, (0.57, 0.9)), (62, (0.62, 0.57))])
    item = Item("k", "kettlebell", [(0, (0.47, 0.89)), (56, (0.6, 0.89))])
    item.holds += [Held(7, 30, one, aside=0.02), Held(30, 56, other, aside=-0.02)]
    return Scenario(Stage(100, [one, other], [item, *_resting()]))


def a_hand_covers_it_for_8_s() -> Scenario:
    """A kettlebell is lifted; twice its user's hands and body hide it for eight seconds."""
    person, item = _lifting(8, 60)
    item.covered += [(20, 28), (40, 48)]
    return Scenario(Stage(100, [person], [item, *_resting()]))


def someone_walks_past_a_treadmill() -> Scenario:
    """One walks across both treadmills without a stop; later one trains on the first for a minute."""
    passing = Person("p", [(3, (0.45, 0.8)), (9, (-0.02, 0.8))])
    training = Person("q", [(30, (0.4, 0.6)), (34, TREADMILL), (94, TREADMILL), (99, (0.4, 0.6))])
    return Scenario(Stage(140, [passing, training], _resting()))


def a_towel_reserves_a_bench() -> Scenario:
    """A towel, taken for a yoga block, lies on the treadmill for minutes; then its owner comes back for a while."""
    owner = Person("p", [(1, (0.35, 0.6)), (4, TREADMILL), (30, TREADMILL), (34, (0.45, 0.6))])
    back = Person("q", [(150, (0.45, 0.6)), (154, TREADMILL), (190, TREADMILL), (194, (0.45, 0.6))])
    towel = Item("towel", "yoga_block", [(30, (0.08, 0.72))])
    towel.covered.append((150, 195))  # under whoever trains: hidden, and not used
    scenario = Scenario(Stage(230, [owner, back], [towel]))
    scenario.stage.reserved.append("towel")
    return scenario


def four_identical_kettlebells_in_turn() -> Scenario:
    """One person takes each of four kettlebells from the rack, lifts it, and puts it back before taking the next."""
    person = Person("p", [(1, (0.55, 0.57))])
    kit = _resting()
    t = 4.0
    for number, item in enumerate(kit):
        before = (RACK[number][0] - 0.06, 0.62)
        person.places += [(t, before), (t + 1, before), (t + 5, MAT), (t + 20, MAT), (t + 24, before), (t + 26, before)]
        item.holds += [
            Held(t + 0.8, t + 5, person, height=0.17, swing=0),
            Held(t + 5, t + 20, person, aside=0.02, swing=0.12),
            Held(t + 20, t + 24, person, height=0.17, swing=0),
        ]
        item.lies.append((t + 24, RACK[number]))
        t += 29
    person.places.append((t + 4, (0.55, 0.57)))
    return Scenario(Stage(t + 40, [person], kit))


def two_cameras_on_one_rack() -> Scenario:
    """Two cameras see rack and mats, one a third of a second behind; a kettlebell is taken, lifted and put back."""
    scenario = four_identical_kettlebells_in_turn()
    scenario.stage.eyes = [Eye(), Eye("cam-2", shift=0.1, clock=0.3)]
    scenario.gym = TWO_CAMERAS
    return scenario


def a_camera_dies_in_mid_session() -> Scenario:
    """A treadmill and a kettlebell are in use when the picture goes, for good; both ended where they were seen last."""
    person, item = _lifting(8, 40)
    runner = Person("q", [(5, (0.3, 0.6)), (8, TREADMILL), (40, TREADMILL)])
    person.places = [place for place in person.places if place[0] <= 41]
    stage = Stage(160, [person, runner], [item, *_resting()], [Eye(dark=[(40, 200)])])
    return Scenario(stage)


def a_clock_steps_back() -> Scenario:
    """The camera's clock is set back by two seconds in mid-session, and forward again by a second later."""
    person, item = _lifting(10, 70)
    runner = Person("q", [(5, (0.3, 0.6)), (8, TREADMILL), (80, TREADMILL), (84, (0.3, 0.6))])

    def step(scenes: list[Scene]) -> list[Scene]:
        origin = scenes[0].time
        late = (30 <= (scene.time - origin).total_seconds() < 50 for scene in scenes)
        return [
            scene.model_copy(update={"time": scene.time - timedelta(seconds=2)}) if is_late else scene
            for scene, is_late in zip(scenes, late, strict=True)
        ]

    return Scenario(Stage(130, [person, runner], [item, *_resting()]), disturb=step)


def a_pipeline_restarts() -> Scenario:
    """The pipeline is away for eight seconds in mid-session; its tracks have other names afterwards."""
    person, item = _lifting(10, 70)
    runner = Person("q", [(5, (0.3, 0.6)), (8, TREADMILL), (80, TREADMILL), (84, (0.3, 0.6))])

    def restart(scenes: list[Scene]) -> list[Scene]:
        kept, origin = [], scenes[0].time
        for scene in scenes:
            at = (scene.time - origin).total_seconds()
            if at >= 38:
                renamed = tuple(one.model_copy(update={"id": f"new-{one.id}"}) for one in scene.objects)
                scene = scene.model_copy(update={"objects": renamed})
            if not 30 <= at < 38:
                kept.append(scene.model_copy(update={"seq": len(kept)}))
        return kept

    return Scenario(Stage(130, [person, runner], [item, *_resting()]), disturb=restart)


def scenes_come_late_twice_and_out_of_order() -> Scenario:
    """What two cameras send arrives shuffled within ten seconds, a third of it twice."""
    scenario = two_cameras_on_one_rack()

    def shuffle(scenes: list[Scene]) -> list[Scene]:
        chance = random.Random(7)
        twice = [*scenes, *chance.sample(scenes, len(scenes) // 3)]
        return sorted(twice, key=lambda scene: scene.time + timedelta(seconds=chance.uniform(0, 10)))

    scenario.disturb = shuffle
    return scenario


def midnight() -> Scenario:
    """All of it happens around midnight, UTC."""
    scenario = a_hand_covers_it_for_8_s()
    runner = Person("q", [(5, (0.3, 0.6)), (8, TREADMILL), (60, TREADMILL), (64, (0.3, 0.6))])
    scenario.stage.people.append(runner)
    scenario.stage.begins = timedelta(hours=23, minutes=59, seconds=30)
    return scenario


def a_set_with_rests() -> Scenario:
    """Three sets with short rests beside the kettlebell, then a long rest away from it and a fourth: two sessions."""
    person = Person("p", [(2, (0.5, 0.57)), (6, MAT), (70, MAT), (73, (0.35, 0.6)), (110, (0.35, 0.6)), (114, MAT)])
    person.places += [(136, MAT), (139, (0.35, 0.6))]
    item = Item("k", "kettlebell", [(0, (0.52, 0.89))])
    item.holds += [Held(start, end, person, swing=0.2) for start, end in ((8, 22), (30, 45), (54, 68), (116, 134))]
    item.lies += [(end, (0.52, 0.89)) for end in (22, 45, 68, 134)]
    return Scenario(Stage(180, [person], [item, *_resting()]))


def two_train_side_by_side() -> Scenario:
    """Two people swing a kettlebell each, a step apart, and a third walks through between them and the camera."""
    one, first = _lifting(8, 50, (0.42, 0.88), swing=0.2)
    other, second = _lifting(12, 60, (0.62, 0.88), swing=0.15, period=1.9)
    second.name = "k-2"
    passing = Person("r", [(25, (0.3, 0.97)), (36, (0.98, 0.97))])
    return Scenario(Stage(105, [one, other, passing], [first, second, *_resting()]))


ALL: dict[str, Callable[[], Scenario]] = {
    scenario.__name__: scenario
    for scenario in (
        two_people_swap_a_kettlebell,
        a_hand_covers_it_for_8_s,
        someone_walks_past_a_treadmill,
        a_towel_reserves_a_bench,
        four_identical_kettlebells_in_turn,
        two_cameras_on_one_rack,
        a_camera_dies_in_mid_session,
        a_clock_steps_back,
        a_pipeline_restarts,
        scenes_come_late_twice_and_out_of_order,
        midnight,
        a_set_with_rests,
        two_train_side_by_side,
    )
}
