from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, cycle, islice, pairwise

import pytest

from pipeline.scene import SceneBuilder
from pipeline.tracking import Track
from spotter.events import Scene, parse

from .staging import START, frame

ITEM = Track("k3f9-1", "kettlebell", 0.87654, (32.0, 18.0, 64.0, 36.0), False, START)


def builder(*, kiosk: bool = False) -> SceneBuilder:
    return SceneBuilder("downtown", "free-weights", kiosk=kiosk)


def times_of(build: SceneBuilder, tracks, seconds: float, fps: float = 10) -> list[float]:
    return [step / fps for step in range(round(seconds * fps)) if build.seen(frame(step / fps), tracks) is not None]


def test_the_first_frame_makes_a_scene_even_when_nothing_is_there() -> None:
    assert builder().seen(frame(0), ()) is not None


def test_a_still_scene_is_repeated_every_five_seconds() -> None:
    assert times_of(builder(), (ITEM,), 16) == [0, 5, 10, 15]


def test_while_something_moves_there_is_a_scene_every_half_second() -> None:
    assert times_of(builder(), (replace(ITEM, moving=True),), 2) == [0, 0.5, 1, 1.5]


def test_a_kiosk_camera_tells_five_times_a_second() -> None:
    assert times_of(builder(kiosk=True), (replace(ITEM, moving=True),), 1) == [0, 0.2, 0.4, 0.6, 0.8]


def test_a_kiosk_camera_goes_on_for_two_seconds_with_an_item_that_is_held_still() -> None:
    told = times_of(builder(kiosk=True), (ITEM,), 7)
    assert told == pytest.approx([step / 5 for step in range(10)] + [6.8])
    assert times_of(builder(kiosk=True), (replace(ITEM, label="person"),), 4) == [0]


def test_appearing_disappearing_starting_and_stopping_are_told_at_once() -> None:
    build = builder()
    build.seen(frame(0), ())
    story = [(ITEM,), (replace(ITEM, moving=True),), (ITEM,), ()]
    for step, tracks in enumerate(story, start=1):
        assert build.seen(frame(step / 10), tracks) is not None
        assert build.seen(frame(step / 10 + 0.05), tracks) is None


def test_what_creeps_is_told_of_once_it_is_elsewhere_and_trembling_is_not() -> None:
    build = builder()
    build.seen(frame(0), (ITEM,))
    left, top, right, bottom = ITEM.box_px
    trembling = [replace(ITEM, box_px=(left + step % 2, top, right + step % 2, bottom)) for step in range(20)]
    assert not any(build.seen(frame(0.2 + step / 10), (track,)) for step, track in enumerate(trembling))
    away = replace(ITEM, box_px=(left, top, right, bottom + 8))
    assert build.seen(frame(2.4), (away,)) is not None
    assert build.seen(frame(2.5), (away,)) is None


def test_a_swap_of_two_objects_in_one_frame_is_told_at_once() -> None:
    build = builder()
    build.seen(frame(0), (ITEM,))
    assert build.seen(frame(0.2), (replace(ITEM, id="k3f9-2"),)) is not None


def test_no_picture_is_told_at_once_then_every_five_seconds_and_so_is_its_return() -> None:
    build = builder()
    build.seen(frame(0), (ITEM,))
    told = [step / 10 for step in range(10, 140) if build.unseen(frame(step / 10).captured_at, step / 10)]
    assert told == [1, 6, 11]
    assert build.seen(frame(14.1), (ITEM,)) is not None


def test_a_camera_that_never_gave_a_picture_says_so_validly() -> None:
    draft = builder().unseen(START, 0.0)
    assert draft is not None
    scene = draft.numbered("01KAMR3Q8S4Z", 0, 0)
    assert parse(Scene, scene.to_json()) == scene
    assert scene.picture is False


def test_boxes_are_relative_rounded_and_inside_the_frame() -> None:
    build = builder()
    out = replace(ITEM, id="k3f9-2", box_px=(-5.0, 10.0, 330.0, 190.0))
    draft = build.seen(frame(0), (replace(ITEM, box_px=(10.0, 20.0, 33.3, 47.7)), out))
    assert draft is not None
    first, second = draft.objects
    assert first.box == (0.0312, 0.1111, 0.1041, 0.265)
    assert second.box == (0, 0.0556, 1, 1)
    assert first.score == 0.8765


@pytest.mark.parametrize("looks", [(0.125,), (0.2,), (0.19, 0.21), (0.25,), (0.24, 0.26), (0.125, 0.25, 0.25, 0.125)])
def test_on_every_grid_of_looks_a_moving_scene_comes_in_time_and_never_in_a_storm(looks: tuple[float, ...]) -> None:
    build = builder()
    moving = (replace(ITEM, moving=True),)
    told = [at for at in accumulate(islice(cycle(looks), 200)) if build.seen(frame(at), moving) is not None]
    gaps = [after - before for before, after in pairwise(told)]
    assert min(gaps) >= 0.375 - 1e-6
    assert max(gaps) <= 0.51
