"""Order, doubles, gaps and crashes change nothing (property tests)."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.facts import Fact, SessionFact
from consumers.interpreter import Interpreter, StoredState, restore
from consumers.layout import Layout, build
from consumers.order import StreamOrder
from consumers.place import Waiting
from consumers.replay import interpret
from consumers.view import View, view_of
from spotter.events import Scene, SceneObject
from spotter.settings import Rules, Settings, loads

from .scenes import kettlebell, person, scene

RULES = Rules(enter_after=1, leave_after=3, use_after=1, rest_after=4, lost_after=2, camera_gap=6, camera_lost_after=12)


def two_cameras() -> Layout:
    text = "cameras: {a: {uri: a.mp4, zones: {bench-1: &z {kind: station, equipment: bench, polygon: "
    text += "[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}, b: {uri: b.mp4, zones: {bench-1: *z}}}"
    read: Settings = loads(text, base=Path(), environment={})
    return build("gym", 1, {name: dict(camera.zones) for name, camera in read.cameras.items()}, RULES)


LAYOUT = two_cameras()

_people = st.builds(
    lambda n, x, moving: person(f"p{n}", x, 0.9, moving=moving),
    st.integers(0, 2),
    st.sampled_from([0.2, 0.4, 0.7]),
    st.booleans(),
)
_kit = st.builds(
    lambda n, x, moving: kettlebell(f"k{n}", x, 0.85, moving=moving),
    st.integers(0, 3),
    st.sampled_from([0.2, 0.45, 0.7, 0.9]),
    st.booleans(),
)


def _distinct(objects: list[SceneObject]) -> list[SceneObject]:
    return list({one.id: one for one in objects}.values())


_moments = st.lists(
    st.tuples(
        st.sampled_from([0.2, 0.5, 0.5, 1, 2, 5, 9, 20]),
        st.lists(st.one_of(_people, _kit), max_size=4).map(_distinct),
        st.sampled_from([True] * 7 + [False]),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=60,
)


def log_of(moments: list[tuple[float, list[SceneObject], bool, str]]) -> list[Scene]:
    now, seqs, scenes = 0.0, {"a": 0, "b": 0}, []
    for step, objects, picture, camera in moments:
        now += step
        scenes.append(scene(now, objects if picture else [], seq=seqs[camera], camera=camera, picture=picture))
        seqs[camera] += 1
    return scenes


def facts_of(layout: Layout, views: list[View]) -> list[Fact]:
    interpreter = Interpreter(layout)
    facts = [fact for view in views for fact in interpreter.feed(view)]
    return facts + interpreter.flush()


def by_session(facts: list[Fact]) -> dict[tuple[str, int], SessionFact]:
    """The last word on each session, which is what the database keeps."""
    return {(fact.subject, fact.started): fact for fact in facts if isinstance(fact, SessionFact)}


@given(_moments)
@settings(max_examples=150, deadline=None)
def test_a_crash_after_any_scene_equals_one_go(moments: list[Any]) -> None:
    views = [view_of(one) for one in log_of(moments)]
    whole = Interpreter(LAYOUT)
    facts = [fact for view in views for fact in whole.feed(view)]
    broken, pieces = Interpreter(LAYOUT), []
    for view in views:
        pieces += broken.feed(view)
        states = [StoredState(name, 1, place.dump()) for name, place in broken.places.items()]
        waiting = [
            Waiting(entry.view, b"", stored=True)
            for place in broken.places.values()
            for queue in place.queues.values()
            for entry in queue
        ]
        restored = restore(LAYOUT, states, waiting)
        assert restored.facts == []
        assert restored.stale == []
        broken = restored.interpreter
    assert pieces == facts
    assert broken.flush() == whole.flush()
    assert {name: place.dump() for name, place in broken.places.items()} == {
        name: place.dump() for name, place in whole.places.items()
    }


@given(_moments, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_how_the_scenes_of_two_cameras_arrive_makes_no_difference(moments: list[Any], chance: random.Random) -> None:
    views = [view_of(one) for one in log_of(moments)]
    rows = [[view for view in views if view.camera == name] for name in ("a", "b")]
    shuffled = []
    while any(rows):
        row = chance.choice([row for row in rows if row])
        shuffled.append(row.pop(0))
    assert facts_of(LAYOUT, shuffled) == facts_of(LAYOUT, views)


@given(_moments, st.randoms(use_true_random=False), st.data())
@settings(max_examples=100, deadline=None)
def test_chopping_doubling_and_reordering_make_no_difference(
    moments: list[Any], chance: random.Random, data: st.DataObject
) -> None:
    scenes = log_of(moments)
    gym = loads("cameras: {a: {uri: a.mp4}, b: {uri: b.mp4}}", base=Path(), environment={})
    noisy = scenes + [scenes[i] for i in data.draw(st.lists(st.integers(0, len(scenes) - 1), max_size=20))]
    noisy.sort(key=lambda one: one.time.timestamp() + chance.uniform(0, 10))
    assert interpret(noisy, gym).sessions == interpret(scenes, gym).sessions


@given(_moments)
@settings(max_examples=150, deadline=None)
def test_sessions_of_a_unit_never_overlap_and_never_count_more_than_their_length(moments: list[Any]) -> None:
    last = by_session(facts_of(LAYOUT, [view_of(one) for one in log_of(moments)]))
    of_unit = sorted((f for f in last.values() if f.unit), key=lambda fact: fact.started)
    for earlier, later in itertools.pairwise(of_unit):
        assert earlier.ended is not None
        assert earlier.ended <= later.started
    for fact in last.values():
        if fact.ended is not None:
            assert 0 <= fact.active <= fact.ended - fact.started


@given(st.permutations(range(30)), st.lists(st.integers(0, 29), max_size=15), st.sets(st.integers(0, 29), max_size=8))
def test_order_gives_every_scene_once_and_in_order(arrival: list[int], doubles: list[int], lost: set[int]) -> None:
    order: StreamOrder[int] = StreamOrder()
    given_out: list[int] = []
    for seq in [*arrival, *doubles]:
        if seq in lost:
            continue
        order.offer(seq, 0, seq)
        given_out += [seq for seq, _ in order.ready()]
    assert given_out == list(range(min(lost, default=30)))
    order.offer(31, 30, 31)  # floor: what is missing below 30 will not come any more
    given_out += [seq for seq, _ in order.ready()]
    assert given_out == [seq for seq in range(30) if seq not in lost]
    order.offer(30, 30, 30)
    assert [seq for seq, _ in order.ready()] == [30, 31]


def test_a_stream_begins_at_its_floor() -> None:
    order: StreamOrder[str] = StreamOrder()
    order.offer(1002, 1000, "c")
    assert order.ready() == []
    order.offer(1000, 1000, "a")
    order.offer(1001, 1000, "b")
    assert [seq for seq, _ in order.ready()] == [1000, 1001, 1002]


def test_a_position_is_never_gone_back_on() -> None:
    order: StreamOrder[str] = StreamOrder(next_seq=10)
    assert not order.offer(9, 0, "old")
    assert order.offer(12, 0, "early")
    assert not order.offer(12, 0, "again")
    assert order.give_up_gaps() == [(12, "early")]
    assert not order.offer(11, 0, "too late")
