from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tracking import Track, Tracker

from .staging import detections, frame

PERSON_BOX = (40.0, 40.0, 100.0, 170.0)
KETTLEBELL_BOX = (200.0, 130.0, 230.0, 165.0)


def tracker(fps: float = 5) -> Tracker:
    return Tracker(id_prefix="k3f9", confidence=0.3, fps=fps)


def look(tracker: Tracker, at: float, *found: tuple[str, float, tuple[float, float, float, float]]) -> dict[str, Track]:
    """Tracks by label; tests here have one of a label."""
    return {track.label: track for track in tracker.update(frame(at), detections(*found))}


def shifted(box: tuple[float, ...], x: float = 0, y: float = 0) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left + x, top + y, right + x, bottom + y


def test_an_object_is_believed_at_its_second_look_and_dated_to_the_first() -> None:
    follow = tracker()
    assert look(follow, 0.0, ("kettlebell", 0.8, KETTLEBELL_BOX)) == {}
    seen = look(follow, 0.2, ("kettlebell", 0.8, KETTLEBELL_BOX))["kettlebell"]
    assert seen.since == frame(0.0).captured_at
    assert seen.id == "k3f9-1"


def test_a_single_wrong_detection_is_never_said() -> None:
    follow = tracker()
    assert look(follow, 0.0, ("person", 0.9, PERSON_BOX)) == {}
    assert look(follow, 0.2) == {}
    assert look(follow, 0.4) == {}


def test_a_faint_box_continues_a_track_but_begins_none() -> None:
    follow = tracker()
    for step in range(4):
        assert look(follow, step / 5, ("kettlebell", 0.25, KETTLEBELL_BOX)) == {}
    for step in range(4, 6):
        strong = look(follow, step / 5, ("kettlebell", 0.6, KETTLEBELL_BOX))
    for step in range(6, 16):
        faint = look(follow, step / 5, ("kettlebell", 0.25, KETTLEBELL_BOX))
        assert faint["kettlebell"].id == strong["kettlebell"].id


def test_a_ghost_that_is_only_ever_faint_fades() -> None:
    follow = tracker()
    for step in range(2):
        look(follow, step / 5, ("kettlebell", 0.6, KETTLEBELL_BOX))
    for step in range(2, 20):
        seen = look(follow, step / 5, ("kettlebell", 0.25, KETTLEBELL_BOX))
    assert seen == {}
    again = look(follow, 4.0, ("kettlebell", 0.6, KETTLEBELL_BOX))
    assert again["kettlebell"].id == "k3f9-1"


def test_when_all_is_gone_at_once_nothing_lingers() -> None:
    follow = tracker()
    for step in range(3):
        both = look(follow, step / 5, ("person", 0.9, PERSON_BOX), ("kettlebell", 0.9, KETTLEBELL_BOX))
    assert len(both) == 2
    assert look(follow, 0.6) == {}


def test_a_missed_look_does_not_make_an_object_disappear() -> None:
    follow = tracker()
    look(follow, 0.0, ("kettlebell", 0.8, KETTLEBELL_BOX))
    before = look(follow, 0.2, ("kettlebell", 0.8, KETTLEBELL_BOX))["kettlebell"]
    missed = look(follow, 0.4)["kettlebell"]
    assert missed.box_px == before.box_px
    assert look(follow, 0.6)["kettlebell"].id == before.id
    assert look(follow, 0.8) == {}


def test_an_item_behind_a_hand_for_a_second_keeps_its_id() -> None:
    follow = tracker()
    for step in range(3):
        before = look(follow, step / 5, ("kettlebell", 0.8, KETTLEBELL_BOX))
    for step in range(3, 8):
        look(follow, step / 5)
    after = look(follow, 1.6, ("kettlebell", 0.8, KETTLEBELL_BOX))
    assert after["kettlebell"].id == before["kettlebell"].id


def test_an_item_that_returns_after_long_is_a_new_track() -> None:
    follow = tracker()
    for step in range(3):
        before = look(follow, step / 5, ("kettlebell", 0.8, KETTLEBELL_BOX))
    for step in range(3, 20):
        look(follow, step / 5)
    look(follow, 4.0, ("kettlebell", 0.8, KETTLEBELL_BOX))
    after = look(follow, 4.2, ("kettlebell", 0.8, KETTLEBELL_BOX))
    assert after["kettlebell"].id != before["kettlebell"].id


def test_who_leaves_through_the_edge_of_the_picture_is_gone_at_once() -> None:
    follow = tracker()
    at_edge = (0.0, 40.0, 50.0, 170.0)
    look(follow, 0.0, ("person", 0.8, at_edge))
    assert look(follow, 0.2, ("person", 0.8, at_edge))
    assert look(follow, 0.4) == {}


def test_a_person_is_never_taken_for_a_kettlebell_in_the_same_place() -> None:
    follow = tracker()
    for step in range(3):
        person = look(follow, step / 5, ("person", 0.9, PERSON_BOX))
    for step in range(3, 6):
        both = look(follow, step / 5, ("kettlebell", 0.9, PERSON_BOX))
    assert both["kettlebell"].id != person["person"].id


def test_two_labels_on_one_item_are_one_object() -> None:
    follow = tracker()
    for step in range(3):
        seen = follow.update(
            frame(step / 5),
            detections(("kettlebell", 0.7, KETTLEBELL_BOX), ("dumbbell", 0.4, shifted(KETTLEBELL_BOX, 1))),
        )
    assert [track.label for track in seen] == ["kettlebell"]


def test_an_id_has_one_label_for_life() -> None:
    follow = tracker()
    labels: dict[str, set[str]] = {}
    for step in range(60):
        label = "dumbbell" if step < 5 else "kettlebell"
        for track in look(follow, step / 5, (label, 0.7, KETTLEBELL_BOX)).values():
            labels.setdefault(track.id, set()).add(track.label)
    assert list(labels.values()) == [{"dumbbell"}, {"kettlebell"}]


def test_a_flickering_label_changes_nothing() -> None:
    follow = tracker()
    for step in range(40):
        label = "dumbbell" if step % 4 == 3 else "kettlebell"
        seen = follow.update(frame(step / 5), detections((label, 0.7, KETTLEBELL_BOX)))
    assert [(track.id, track.label) for track in seen] == [("k3f9-1", "kettlebell")]


def test_a_resting_kettlebell_does_not_move_although_its_box_jitters() -> None:
    follow = tracker()
    jitter = [0, 1.2, -0.8, 0.5, -1.1, 1.0, -0.3, 0.9]
    for step in range(50):
        box = shifted(KETTLEBELL_BOX, jitter[step % 8], jitter[(step * 3 + 1) % 8])
        seen = look(follow, step / 5, ("kettlebell", 0.8, box))
        assert not (seen and seen["kettlebell"].moving), step


def test_a_swung_kettlebell_moves_all_the_time_though_it_comes_back_again_and_again() -> None:
    follow = tracker()
    ids, moving = set(), []
    for step in range(40):
        height = [0, 40, 70, 40][step % 4]  # a swing of 0.8 s
        seen = look(follow, step / 5, ("kettlebell", 0.8, shifted(KETTLEBELL_BOX, y=-height)))
        if step > 5:
            ids.add(seen["kettlebell"].id)
            moving.append(seen["kettlebell"].moving)
    assert len(ids) == 1
    assert all(moving)


def test_a_lifted_kettlebell_starts_to_move_and_stops_within_about_a_second_of_lying_still() -> None:
    follow = tracker()
    said = []
    for step in range(60):
        height = min(max(step - 20, 0), 10) * 6
        seen = look(follow, step / 5, ("kettlebell", 0.8, shifted(KETTLEBELL_BOX, y=-height)))
        said.append(bool(seen) and seen["kettlebell"].moving)
    started, stopped = said.index(True), len(said) - said[::-1].index(True)
    assert 20 <= started <= 23
    assert 30 <= stopped <= 37
    assert all(said[started:stopped])


def test_a_hand_over_one_side_of_an_item_does_not_make_it_move() -> None:
    follow = tracker()
    left, top, right, bottom = KETTLEBELL_BOX
    for step in range(40):
        box = (left + (12 if step % 10 > 5 else 0), top, right, bottom)
        seen = look(follow, step / 5, ("kettlebell", 0.8, box))
    assert not seen["kettlebell"].moving


@pytest.mark.parametrize("fps", [1, 2, 5, 15, 30])
def test_the_frame_rate_does_not_matter(fps: int) -> None:
    follow = tracker(fps)
    seen: dict[str, Track] = {}
    for step in range(6 * fps):
        seen = look(follow, step / fps, ("person", 0.8, PERSON_BOX), ("kettlebell", 0.8, KETTLEBELL_BOX))
    assert {track.id for track in seen.values()} == {"k3f9-1", "k3f9-2"}
    assert not any(track.moving for track in seen.values())


def test_a_quiet_camera_that_is_looked_at_every_two_seconds_keeps_its_tracks() -> None:
    follow = tracker()
    times = [0.0, 0.2, 0.4, 0.6, *(2.0 * step for step in range(1, 20))]
    ids = {look(follow, at, ("kettlebell", 0.8, KETTLEBELL_BOX)).get("kettlebell") for at in times}
    assert {track.id for track in ids if track} == {"k3f9-1"}


def test_one_kettlebell_taken_from_a_full_rack_leaves_the_others_their_ids() -> None:
    follow = tracker()
    rack = [shifted((20.0, 130.0, 40.0, 160.0), x=24.0 * place) for place in range(5)]
    before: dict[str, float] = {}
    for step in range(40):
        lifted = max(step - 10, 0)
        taken = shifted(rack[2], x=min(lifted, 15) * 4, y=-min(lifted, 15) * 8)
        now = [*rack[:2], taken, *rack[3:]]
        seen = follow.update(frame(step / 5), detections(*[("kettlebell", 0.8, box) for box in now]))
        places = {track.id: track.box_px[0] for track in seen}
        if step == 9:
            before = places
    still = {track_id for track_id, left in before.items() if abs(left - rack[2][0]) > 1}
    assert len(before) == 5
    assert all(abs(places[track_id] - before[track_id]) < 1 for track_id in still)
    assert places.keys() == before.keys(), "the one that was taken keeps its id, too"


boxes = st.tuples(st.floats(0, 250), st.floats(0, 120), st.floats(8, 60), st.floats(8, 60)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
founds = st.lists(
    st.tuples(st.sampled_from(["person", "kettlebell", "dumbbell"]), st.floats(0.05, 1), boxes), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.03, 3), founds), max_size=25))
def test_whatever_is_seen_ids_are_never_used_twice_and_never_change_their_label(looks) -> None:
    follow = tracker()
    at, labels = 0.0, {}
    for wait, found in looks:
        at += wait
        seen = follow.update(frame(at), detections(*found))
        ids = [track.id for track in seen]
        assert len(ids) == len(set(ids))
        for track in seen:
            assert labels.setdefault(track.id, (track.label, track.since)) == (track.label, track.since)
            assert track.since <= frame(at).captured_at


def swung(at: float, x: float) -> tuple[float, float, float, float]:
    """A box that is swung up and down by three times its height."""
    y = 60 + 30 * math.cos(2 * math.pi * at / 1.6)
    return (x, y, x + 12, y + 20)


def test_what_lies_beside_a_swing_that_is_missed_now_and_then_is_never_taken_for_it() -> None:
    follow = tracker()
    lying = {(150.0, 60.0, 162.0, 80.0), (170.0, 60.0, 182.0, 80.0)}
    ids: dict[tuple[float, ...], set[str]] = {box: set() for box in lying}
    for step in range(60):
        found = [("kettlebell", 0.8, box) for position, box in enumerate(sorted(lying)) if step % 7 != 3 + position]
        if step % 3:
            found.append(("kettlebell", 0.8, swung(step / 5, 132)))
        tracks = follow.update(frame(step / 5), detections(*found))
        for track in tracks:
            for box in lying:
                if max(abs(a - b) for a, b in zip(track.box_px, box, strict=True)) < 1:
                    ids[box].add(track.id)
    assert [len(found) for found in ids.values()] == [1, 1]


def test_where_two_things_cross_their_labels_tell_them_apart() -> None:
    follow = tracker()
    ids: dict[str, set[str]] = {"kettlebell": set(), "dumbbell": set()}
    for step in range(40):
        x = 20 + step * 6
        found = (("kettlebell", 0.8, (x, 60, x + 20, 84)), ("dumbbell", 0.8, (254 - x, 62, 274 - x, 86)))
        for track in follow.update(frame(step / 5), detections(*found)):
            ids[track.label].add(track.id)
    assert [len(found) for found in ids.values()] == [1, 1]


def test_what_comes_to_light_beside_a_swing_that_is_missed_takes_no_track_of_it() -> None:
    follow = tracker()
    shown: list[float] = []
    for step in range(40):
        x, y = 132.0, swung(step / 5, 132)[1]
        found = [("kettlebell", 0.8, (x, y, x + 12, y + 20))]
        if step >= 20:  # missed from now on, and another thing is there
            found = [("dumbbell", 0.8, (x + 20.0, y, x + 32, y + 20))]
        tracks = follow.update(frame(step / 5), detections(*found))
        shown += [track.box_px[0] for track in tracks if track.label == "kettlebell"]
    assert set(shown) == {132.0}, "it never went along"


def test_what_comes_to_light_beside_a_resting_thing_that_it_hides_gets_a_track_of_its_own() -> None:
    follow = tracker()
    shown: dict[str, list[float]] = {"kettlebell": [], "dumbbell": []}
    for step in range(40):
        x = 90.0 - max(0, step - 20) * 6
        kind, box = ("kettlebell", (100.0, 60.0, 120.0, 84.0)) if step < 20 else ("dumbbell", (x, 64.0, x + 22, 86.0))
        for track in follow.update(frame(step / 5), detections((kind, 0.8, box))):
            shown[track.label].append(track.box_px[0])
    assert set(shown["kettlebell"]) == {100.0}, "it never went along"
    assert min(shown["dumbbell"]) < 0


def test_a_thing_that_leaps_between_two_tracks_is_shown_once() -> None:
    follow = tracker()
    shown = []
    for step in range(60):
        x, y = 100.0 + 2 * (step % 4), (47.0 if (step // 4) % 2 else 110.0) + 2 * (step % 4)
        box = (x, y, x + 12, y + 20)
        shown.append(len(follow.update(frame(step / 5), detections(("kettlebell", 0.8, box)))))
    assert max(shown[12:]) <= 1
