"""What holds for every log of scenes, whatever is in it."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from consumers.facts import HOUR_MS, AlertFact, CountFact, Fact, QueueFact, RackFact, SessionFact, WatchedFact
from consumers.interpreter import Interpreter, StoredState, restore
from consumers.layout import Layout, layout_of_settings
from consumers.order import StreamOrder
from consumers.place import Waiting
from consumers.view import Sighting, View, to_ms
from spotter.settings import loads

from .scenes import START

GYM = """
site: gym
cameras:
  a:
    uri: a.mp4
    zones: &zones
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0, 0.5], [0.25, 0.5], [0.25, 1], [0, 1]]}
      line: {kind: waiting, for: [treadmill-1], polygon: [[0.25, 0.5], [0.5, 0.5], [0.5, 1], [0.25, 1]]}
      mats: {kind: floor, polygon: [[0.5, 0.5], [0.75, 0.5], [0.75, 1], [0.5, 1]]}
      aisle: {kind: walkway, polygon: [[0.75, 0.5], [1, 0.5], [1, 1], [0.75, 1]]}
      rack-a: {kind: rack, holds: {kettlebell: 2}, polygon: [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]}
      desk: {kind: kiosk, polygon: [[0.5, 0], [1, 0], [1, 0.5], [0.5, 0.5]]}
  b: {uri: b.mp4, zones: *zones}
rules: {rack_window: 10, left_out_after: 15, missing_after: 30, walkway_after: 8, queue_alert_after: 10, gone_after: 8}
"""
LAYOUT = layout_of_settings(loads(GYM, base=Path(), environment={}))
ALONE = layout_of_settings(loads(GYM.replace("  b: {uri: b.mp4, zones: *zones}\n", ""), base=Path(), environment={}))
SLOT_MS = 600_000
BEGIN = to_ms(START) + HOUR_MS - 60_000  # an hour ends soon

_objects = st.lists(
    st.tuples(
        st.sampled_from(["p1", "p2", "k1", "k2", "m1"]),
        st.sampled_from([(0.1, 0.9), (0.35, 0.9), (0.6, 0.9), (0.62, 0.85), (0.9, 0.9), (0.2, 0.3), (0.8, 0.4)]),
        st.booleans(),
        st.sampled_from([0.2, 0.6, 0.9, 0.9]),
    ),
    max_size=5,
    unique_by=lambda found: found[0],
)
_moments = st.lists(
    st.tuples(
        st.sampled_from([500, 500, 500, 1000, 5000, 70_000]),
        st.sampled_from(["a", "b", "ab", "ab"]),
        st.sampled_from([True, True, True, True, False]),
        st.none() | _objects | _objects,  # none: what the cameras saw before
        st.integers(1, 20),
    ),
    min_size=1,
    max_size=12,
)
_LABELS = {"p": "person", "k": "kettlebell", "m": "med_ball"}


def views_of(moments: list[Any]) -> list[View]:
    """The scenes of two cameras; each moment lasts for some of them, so that thresholds are passed."""
    views: list[View] = []
    now = BEGIN
    seen: dict[str, tuple[Sighting, ...]] = {"a": (), "b": ()}
    for step, cameras, picture, objects, times in moments:
        if objects is not None:
            for camera in cameras:
                seen[camera] = tuple(
                    Sighting(f"{camera}{name}", _LABELS[name[0]], score, (x - 0.03, y - 0.05, x + 0.03, y), moving)
                    for name, (x, y), moving, score in objects
                )
        for _ in range(times):
            now += step
            for camera in cameras:
                found = seen[camera] if picture else ()
                people = tuple(one for one in found if one.label == "person")
                kit = tuple(one for one in found if one.label != "person")
                views.append(View(camera, "S", len(views), now, picture, people, kit))
    return views


def facts_of(views: list[View], layout: Layout = LAYOUT) -> list[Fact]:
    interpreter = Interpreter(layout)
    facts = [fact for view in views for fact in interpreter.feed(view)]
    return facts + interpreter.flush()


@given(_moments)
@hypothesis_settings(max_examples=100, deadline=None)
def test_facts_are_the_same_with_a_restart_after_every_scene(moments: list[Any]) -> None:
    views = views_of(moments)
    broken, pieces = Interpreter(LAYOUT), []
    for view in views:
        pieces += broken.feed(view)
        broken = restarted(broken)
    assert pieces + broken.flush() == facts_of(views)


@given(_moments, st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=60, deadline=None)
def test_sessions_are_the_same_however_scenes_come(moments: list[Any], chance: random.Random) -> None:
    """Doubled, out of order within ten seconds, and with a worker that is killed now and then in between."""
    numbers: dict[str, int] = defaultdict(int)
    views = []
    for view in views_of(moments):
        views.append(replace(view, seq=numbers[view.camera]))
        numbers[view.camera] += 1
    arrivals = sorted(
        [*views, *chance.sample(views, len(views) // 3)], key=lambda v: v.time + chance.uniform(0, 10_000)
    )
    orders: dict[str, StreamOrder[View]] = defaultdict(StreamOrder)
    interpreter, facts = Interpreter(LAYOUT), []
    for view in arrivals:
        if orders[view.camera].offer(view.seq, 0, view):
            for _, due in orders[view.camera].ready():
                facts += interpreter.feed(due)
        if chance.random() < 0.05:
            interpreter = restarted(interpreter)
    facts += interpreter.flush()
    assert sessions_of(facts) == sessions_of(facts_of(views))


def restarted(interpreter: Interpreter) -> Interpreter:
    """What another worker makes of what the database has."""
    states = [StoredState(name, 1, place.dump()) for name, place in interpreter.places.items()]
    waiting = [
        Waiting(entry.view, b"", stored=True)
        for place in interpreter.places.values()
        for queue in place.queues.values()
        for entry in queue
    ]
    return restore(LAYOUT, states, waiting).interpreter


def sessions_of(facts: list[Fact]) -> dict[tuple[str, int], SessionFact]:
    """Each session as it was told of last."""
    return {(fact.subject, fact.started): fact for fact in facts if isinstance(fact, SessionFact)}


@given(_moments)
@hypothesis_settings(max_examples=200, deadline=None)
def test_alerts_are_raised_then_cleared_and_never_repeated(moments: list[Any]) -> None:
    open_alerts: dict[tuple[str, str], AlertFact] = {}
    ids = set()
    for fact in facts_of(views_of(moments)):
        if not isinstance(fact, AlertFact):
            continue
        key = fact.kind, fact.subject
        if fact.type == "raised":
            assert key not in open_alerts
            assert (*key, fact.raised) not in ids
            assert fact.time == fact.raised
            ids.add((*key, fact.raised))
            open_alerts[key] = fact
        else:
            assert open_alerts.pop(key).raised == fact.raised <= fact.time


@given(_moments)
@hypothesis_settings(max_examples=200, deadline=None)
def test_counts_are_never_negative_and_told_only_when_they_changed(moments: list[Any]) -> None:
    told: dict[tuple[str, str], int] = {}
    for fact in facts_of(views_of(moments)):
        if isinstance(fact, CountFact):
            assert fact.count >= 0
            assert told.get((fact.zone, fact.label)) != fact.count
            told[fact.zone, fact.label] = fact.count
        elif isinstance(fact, RackFact):
            assert 0 <= fact.missing <= fact.taken <= fact.expected


@given(_moments)
@hypothesis_settings(max_examples=200, deadline=None)
def test_sessions_of_one_unit_never_overlap_and_never_count_more_than_they_last(moments: list[Any]) -> None:
    ended = [fact for fact in facts_of(views_of(moments)) if isinstance(fact, SessionFact) and fact.type == "ended"]
    units: dict[str, list[SessionFact]] = defaultdict(list)
    for fact in ended:
        assert fact.ended is not None
        assert 0 <= fact.active <= fact.ended - fact.started
        if fact.unit is not None:
            units[fact.unit].append(fact)
    for sessions in units.values():
        for one, other in itertools.pairwise(sorted(sessions, key=lambda fact: fact.started)):
            assert one.ended is not None
            assert one.ended <= other.started
        for slot in range(BEGIN - BEGIN % SLOT_MS, max(one.ended or 0 for one in sessions), SLOT_MS):
            used = sum(max(0, min(one.ended or 0, slot + SLOT_MS) - max(one.started, slot)) for one in sessions)
            assert used <= SLOT_MS


@given(_moments)
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_session_is_started_once_and_ended_at_most_once(moments: list[Any]) -> None:
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    for fact in facts_of(views_of(moments)):
        if isinstance(fact, SessionFact):
            told[fact.subject, fact.started].append(fact.type)
    for kinds in told.values():
        assert kinds[0] == "started"
        assert kinds.count("started") == 1
        assert "ended" not in kinds[:-1]


@given(_moments)
@hypothesis_settings(max_examples=200, deadline=None)
def test_what_is_summed_by_the_hour_stays_in_it_and_counts_no_moment_twice(moments: list[Any]) -> None:
    views = views_of(moments)
    rows: dict[str, list[WatchedFact | QueueFact]] = defaultdict(list)
    for fact in facts_of(views):
        if isinstance(fact, WatchedFact):
            rows[fact.camera].append(fact)
        elif isinstance(fact, QueueFact):
            assert 0 < fact.person_ms <= 2 * (fact.end - fact.begin)
            rows[fact.zone].append(fact)
    for facts in rows.values():
        assert all(fact.begin < fact.end for fact in facts)
        assert all(fact.begin // HOUR_MS == (fact.end - 1) // HOUR_MS for fact in facts)
        assert all(one.end <= other.begin for one, other in itertools.pairwise(facts))


def test_a_resting_kettlebell_watched_for_a_week_is_no_session_and_one_alert() -> None:
    resting = View("a", "S", 0, BEGIN, kit=(Sighting("k", "kettlebell", 0.8, (0.6, 0.8, 0.65, 0.9), moving=False),))
    week = range(0, 7 * 24 * HOUR_MS, 5000)
    facts = facts_of([replace(resting, time=BEGIN + ms, seq=seq) for seq, ms in enumerate(week)], ALONE)
    assert [fact for fact in facts if isinstance(fact, SessionFact)] == []
    assert [(fact.kind, fact.type) for fact in facts if isinstance(fact, AlertFact) and fact.kind != "missing"] == [
        ("left_out", "raised")
    ]
    watched = sum(fact.end - fact.begin for fact in facts if isinstance(fact, WatchedFact))
    assert watched == pytest.approx(7 * 24 * HOUR_MS, abs=10_000)


def test_a_person_who_stands_still_on_a_treadmill_for_an_hour_is_one_session() -> None:
    standing = View("a", "S", 0, BEGIN, people=(Sighting("p", "person", 0.9, (0.05, 0.6, 0.15, 0.9), moving=False),))
    views = [replace(standing, time=BEGIN + ms, seq=ms) for ms in range(0, HOUR_MS, 5000)]
    views += [View("a", "S", HOUR_MS + ms, BEGIN + HOUR_MS + ms) for ms in range(0, 30_000, 5000)]
    ended = [fact for fact in facts_of(views, ALONE) if isinstance(fact, SessionFact) and fact.type == "ended"]
    assert [(fact.started, fact.ended, fact.active) for fact in ended] == [(BEGIN, BEGIN + HOUR_MS, HOUR_MS)]
