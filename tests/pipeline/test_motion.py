from __future__ import annotations

import numpy as np

from pipeline.motion import LOOK_SECONDS, MotionGate

from .staging import RED_KETTLEBELL, frame, picture


def noisy(seed: int, *blocks) -> np.ndarray:
    image = picture(*blocks, size=(1280, 720)).astype(np.int16)
    image += np.random.default_rng(seed).normal(0, 6, image.shape).astype(np.int16)
    return np.clip(image, 0, 255).astype(np.uint8)


def test_a_quiet_noisy_camera_is_looked_at_every_two_seconds() -> None:
    gate = MotionGate()
    images = [noisy(seed) for seed in range(4)]
    looks = [step / 5 for step in range(150) if gate.passes(frame(step / 5, images[step % 4]))]
    steady = [at for at in looks if at > 3]
    assert 0.8 * 27 / LOOK_SECONDS <= len(steady) <= 1.1 * 27 / LOOK_SECONDS


def test_the_very_frame_in_which_a_small_item_appears_is_looked_at() -> None:
    gate = MotionGate()
    for step in range(52):
        gate.passes(frame(step / 5, noisy(step % 4)))
    assert gate.passes(frame(52 / 5, noisy(9, (RED_KETTLEBELL, (600, 400, 630, 436)))))


def test_change_too_slow_to_see_from_frame_to_frame_adds_up() -> None:
    gate = MotionGate()
    looks = []
    for step in range(300):  # a block creeps by a pixel a look in a picture of 1280
        left = 200 + step
        if gate.passes(frame(step / 5, picture((RED_KETTLEBELL, (left, 300, left + 120, 440)), size=(1280, 720)))):
            looks.append(step)
    assert len(looks) > 1.5 * 60 / LOOK_SECONDS


def test_motion_holds_the_gate_open_for_a_while_so_that_its_end_is_seen() -> None:
    gate = MotionGate()
    for step in range(50):
        gate.passes(frame(step / 5))
    moved = picture((RED_KETTLEBELL, (100, 100, 140, 140)))
    passed = [gate.passes(frame(10 + step / 5, moved)) for step in range(15)]
    assert all(passed[:10])
    assert not all(passed)


def test_an_uncertain_tracker_keeps_the_gate_open() -> None:
    gate = MotionGate()
    gate.awake = True
    assert all(gate.passes(frame(step / 5)) for step in range(50))
