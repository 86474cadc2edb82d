"""The mathematics of synthetic pictures, without Blender and without bodies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.synth import items, poses, racks
from models.synth.boxes import outline_area_px, visible_boxes, worth_a_label, yolo_rows
from models.synth.choreography import Script, keyed, walking
from models.synth.meshes import Paint, ball, box, joined, rotation, tube
from models.synth.skeleton import about, bend, frame
from models.synth.stage import Camera

GREY = Paint((0.5, 0.5, 0.5))
HIP = 0.95


def test_what_the_camera_looks_at_is_in_the_middle_of_the_picture() -> None:
    camera = Camera((1.0, -4.0, 2.2), (0.3, 0.5, 0.7), 63, roll=3)
    x, y, depth = camera.project(np.array([[0.3, 0.5, 0.7]]), 16 / 9)[0]
    assert (x, y) == pytest.approx((0.5, 0.5))
    assert depth == pytest.approx(np.linalg.norm([0.7, -4.5, 1.5]))


def test_right_is_right_and_up_is_up() -> None:
    camera = Camera((0, -5, 1), (0, 0, 1), 60)
    right, above = camera.project(np.array([[1.0, 0, 1], [0, 0, 2.0]]), 1.0)
    assert right[0] > 0.5
    assert above[1] < 0.5


def test_the_angle_of_view_reaches_the_edges() -> None:
    camera = Camera((0, -5, 1), (0, 0, 1), 90)
    corner = camera.project(np.array([[5.0, 0, 1 + 5 * 9 / 16]]), 16 / 9)[0]
    assert corner[:2] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("place", [(0.2, 0.8), (0.5, 0.6), (0.9, 0.95)])
def test_a_floor_point_is_seen_where_it_was_asked_for(place: tuple[float, float]) -> None:
    camera = Camera((0.4, -4, 2.5), (0, 0.5, 0.5), 70, roll=-2)
    point = camera.floor_point(*place, 16 / 9)
    assert point[2] == pytest.approx(0)
    assert camera.project(point, 16 / 9)[0, :2] == pytest.approx(place)


def test_a_visible_box_is_tight_and_its_far_edges_are_exclusive() -> None:
    index = np.zeros((20, 30), dtype=np.int32)
    index[4:9, 10:21] = 3
    index[6:9, 10:12] = 7
    found = visible_boxes(index)
    assert found[3].box_px == (10, 4, 21, 9)
    assert found[7].box_px == (10, 6, 12, 9)
    assert found[3].pixels == 5 * 11 - 6
    assert 0 not in found


def test_a_sliver_of_a_hidden_thing_gets_no_label() -> None:
    index = np.zeros((100, 100), dtype=np.int32)
    index[10:60, 10:16] = 1
    seen = visible_boxes(index)[1]
    assert worth_a_label(seen, outline_px=1000)
    assert not worth_a_label(seen, outline_px=5000)
    index[:] = 0
    index[5:8, 5:50] = 1
    assert not worth_a_label(visible_boxes(index)[1], outline_px=135)


def test_the_outline_of_a_ball_has_the_area_of_its_disc() -> None:
    camera = Camera((0, -10, 0), (0, 0, 0), 20)
    places = camera.project(ball(0.5, GREY).vertices, 1.0)
    radius = 0.5 / np.sqrt(100 - 0.25) / (2 * np.tan(np.radians(10))) * 400
    assert outline_area_px(places, 400, 400) == pytest.approx(np.pi * radius**2, rel=0.02)


def test_label_rows_are_relative_centres_and_sizes() -> None:
    assert yolo_rows({2: (10, 20, 30, 60)}, {2: 5}, (100, 200)) == "5 0.200000 0.200000 0.200000 0.200000\n"


def test_a_limb_keeps_its_lengths_and_reaches_its_goal() -> None:
    start, goal, pole = np.zeros(3), np.array([0.2, -0.3, -0.35]), np.array([0.0, 1.0, 0.0])
    joint, end = bend(start, goal, 0.30, 0.27, pole)
    assert np.linalg.norm(joint - start) == pytest.approx(0.30)
    assert np.linalg.norm(end - joint) == pytest.approx(0.27)
    assert end == pytest.approx(goal)
    assert joint[1] > (start + (goal - start) / 2)[1], "the joint bends towards the pole"


def test_a_limb_stretches_towards_what_it_cannot_reach() -> None:
    goal = np.array([0.0, -3.0, 0.0])
    _, end = bend(np.zeros(3), goal, 0.3, 0.3, np.array([0.0, 0.0, -1.0]))
    assert np.linalg.norm(end) == pytest.approx(0.6, rel=0.01)
    assert end[1] < 0


def test_rotations_are_rotations() -> None:
    for turn in (rotation("x", 33), about(np.array([1.0, 2.0, -0.5]), 71), frame(np.array([0, 2.0, 1]), np.ones(3))):
        assert turn @ turn.T == pytest.approx(np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
    assert about(np.array([0, 0, 1.0]), 40) == pytest.approx(rotation("z", 40))


def test_a_blend_begins_and_ends_in_its_poses() -> None:
    first, last = poses.stand(HIP), poses.squat(HIP, 1.0)
    assert poses.blend(first, last, 0.0) == first
    middle, end = poses.blend(first, last, 0.5), poses.blend(first, last, 1.0)
    assert end.hip == pytest.approx(last.hip)
    assert middle.hip[2] == pytest.approx((first.hip[2] + last.hip[2]) / 2)


def test_swing_and_gait_loop_cleanly() -> None:
    assert poses.swing(HIP, 1.0).left_hand.place == pytest.approx(poses.swing(HIP, 0.0).left_hand.place)
    assert poses.swing(HIP, 1.0).hip == pytest.approx(poses.swing(HIP, 0.0).hip)
    first, later = poses.walk(HIP, 0.3, stride=1.25), poses.walk(HIP, 0.3 + 1.25, stride=1.25)
    assert later.left_foot.place == pytest.approx(first.left_foot.place)


def test_a_foot_on_the_ground_does_not_slide() -> None:
    steps = np.linspace(0.05, 0.6, 12)
    # The body has gone `distance` forward (-y); the foot's place in the room stays.
    room = [-distance + poses.walk(HIP, float(distance)).left_foot.place[1] for distance in steps]
    assert np.ptp(room) < 0.01


def test_a_script_is_continuous_from_beat_to_beat_and_empty_outside() -> None:
    standing = poses.stand(HIP, width=0.17)
    walk = walking(1.0, 4.0, [(3.0, 0.0), (0.0, 0.0)], HIP, headings=(None, 0.0), starts_standing=False)
    still = keyed(4.0, poses.Standpoint(0.0, 0.0, 0.0), [(0, standing), (1, poses.squat(HIP, 1))])
    script = Script([walk, still])
    assert script.at(0.9) is None
    assert script.at(5.0) is None
    before, after = script.at(3.999), script.at(4.0)
    assert before is not None
    assert after is not None
    assert (before[0].x, before[0].y, before[0].heading) == pytest.approx((0, 0, 0), abs=0.01)
    assert before[1].hip == pytest.approx(after[1].hip, abs=0.03)


def test_a_walk_moves_evenly_and_never_back() -> None:
    walk = walking(0.0, 3.0, [(0.0, 0.0), (0.0, -3.0)], HIP)
    places = np.array([walk.moment(t)[0].y for t in np.linspace(0, 3, 31)])
    assert np.all(np.diff(places) <= 1e-9)
    assert (places[0], places[-1]) == pytest.approx((0, -3), abs=1e-6)


@pytest.mark.parametrize("label", items.MAKERS)
def test_an_item_stands_on_the_floor_and_has_its_real_size(label: str) -> None:
    pytest.importorskip("cv2", reason="prints on items are drawn with OpenCV")
    sizes = {
        "kettlebell": (0.16, 0.36),
        "dumbbell": (0.15, 0.5),
        "med_ball": (0.18, 0.40),
        "aqua_ball": (0.14, 0.27),
        "exercise_ball": (0.43, 0.78),
        "lacrosse_ball": (0.058, 0.14),
        "foam_roller": (0.28, 0.92),
        "yoga_block": (0.2, 0.25),
    }
    for seed in range(12):
        item = items.make(label, np.random.default_rng(seed))
        extent = np.ptp(item.mesh.vertices, axis=0)
        assert item.label == label
        assert sizes[label][0] <= extent.max() <= sizes[label][1]
        assert item.mesh.vertices[:, 2].min() == pytest.approx(0, abs=0.012)
        assert item.mesh.faces.max() < len(item.mesh.vertices)
        assert item.mesh.face_paint.max() < len(item.mesh.paints)


def test_the_same_seed_makes_the_same_item() -> None:
    pytest.importorskip("cv2", reason="prints on items are drawn with OpenCV")
    first, second = (items.make("yoga_block", np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first.mesh.vertices, second.mesh.vertices)


@pytest.mark.parametrize("label", sorted(racks.HELD))
def test_a_row_on_a_rack_is_of_one_make_side_by_side(label: str) -> None:
    counts = []
    for seed in range(12):
        lying = racks.row(label, 1.8, 0.5, 20, np.random.default_rng(seed))
        counts.append(len(lying))
        spans = [(mesh.vertices[:, 0].min(), mesh.vertices[:, 0].max()) for mesh in lying]
        assert all(left[1] < right[0] for left, right in pairwise(spans))
        assert all(-0.9001 < left < right < 0.9001 for left, right in spans)
        assert all(mesh.vertices[:, 2].min() == pytest.approx(0) for mesh in lying)
        assert len({len(mesh.vertices) for mesh in lying}) <= 1
    assert np.mean(counts) >= 2


def test_what_a_rack_holds_lies_on_its_shelves() -> None:
    for seed in range(1, 7):
        shelves, lying = racks.rack(np.random.default_rng(seed))
        low, high = shelves.vertices.min(axis=0), shelves.vertices.max(axis=0)
        assert lying
        for _, mesh in lying:
            middle = mesh.vertices.mean(axis=0)
            assert (low[:2] < middle[:2]).all()
            assert (middle[:2] < high[:2]).all()
            assert mesh.vertices[:, 2].min() > 0.19


def test_meshes_join_without_mixing_their_faces() -> None:
    parts = [
        box((1, 1, 1), GREY),
        ball(0.5, GREY),
        tube(np.array([[0, 0, 0], [0, 0, 1.0]]), 0.1, GREY),
        box((1, 1, 1), GREY, 0.1),
    ]
    whole = joined(parts)
    assert len(whole.vertices) == sum(len(part.vertices) for part in parts)
    assert whole.face_paint.max() == 3
    start = len(parts[0].vertices)
    second = whole.faces[whole.face_paint == 1]
    assert second[second >= 0].min() == start


def test_a_bevelled_box_keeps_its_size() -> None:
    assert np.ptp(box((0.23, 0.15, 0.08), GREY, 0.01).vertices, axis=0) == pytest.approx((0.23, 0.15, 0.08), rel=0.03)
