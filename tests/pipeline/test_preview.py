from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.capture import Frame
from pipeline.preview import WIDTH, make_preview, people_in
from pipeline.tracking import Tracker

from .staging import START, detections, frame


def checkered(width: int, height: int) -> np.ndarray:
    """A fine pattern, which no blurred region keeps."""
    rows, columns = np.indices((height, width))
    return np.repeat(((rows // 8 + columns // 8) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def contrast(image: np.ndarray, box: tuple[int, int, int, int]) -> float:
    left, top, right, bottom = box
    return float(image[top:bottom, left:right].std())


def test_people_are_unrecognisable_and_the_rest_is_sharp() -> None:
    image = make_preview(
        Frame(checkered(1280, 720), START, 0.0), [np.array([200, 100, 400, 700], np.float32)], blur=True
    )
    seen = decoded(image)
    assert seen.shape == (360, 640, 3)
    assert contrast(seen, (100, 50, 200, 350)) < 15
    assert contrast(seen, (400, 50, 600, 350)) > 80


def test_the_blur_reaches_beyond_the_box() -> None:
    image = make_preview(
        Frame(checkered(640, 360), START, 0.0), [np.array([200, 100, 300, 200], np.float32)], blur=True
    )
    assert contrast(decoded(image), (188, 88, 312, 212)) < 40


@pytest.mark.parametrize("box", [(-50, -50, 2000, 2000), (600, 300, 640, 360), (0, 0, 1, 1), (700, 400, 800, 500)])
def test_boxes_anywhere_are_taken(box: tuple[int, int, int, int]) -> None:
    make_preview(Frame(checkered(640, 360), START, 0.0), [np.array(box, np.float32)], blur=True)


def test_without_people_the_frame_itself_is_never_changed() -> None:
    image = checkered(640, 360)
    make_preview(Frame(image, START, 0.0), [np.array([0, 0, 640, 360], np.float32)], blur=True)
    assert np.array_equal(image, checkered(640, 360))


def test_a_portrait_picture_is_made_to_fit() -> None:
    seen = decoded(make_preview(Frame(checkered(404, 1280), START, 0.0), [], blur=True))
    assert max(seen.shape) == WIDTH


def test_faint_people_and_people_just_lost_are_blurred_too() -> None:
    tracker = Tracker(id_prefix="k3f9", confidence=0.3, fps=5)
    for at in (0.0, 0.2):
        tracker.update(frame(at), detections(("person", 0.9, (40, 40, 100, 170))))
    tracker.update(frame(1.4), detections())
    boxes = people_in(detections(("person", 0.11, (200, 10, 240, 80)), ("kettlebell", 0.9, (1, 1, 9, 9))), tracker, 1.4)
    assert sorted(int(box[0]) for box in boxes) == [40, 200]


def test_who_left_through_the_edge_is_blurred_for_longer() -> None:
    tracker = Tracker(id_prefix="k3f9", confidence=0.3, fps=5)
    for at in (0.0, 0.2):
        tracker.update(frame(at), detections(("person", 0.9, (0, 40, 30, 170)), ("person", 0.9, (150, 40, 200, 170))))
    for step in range(3, 30):
        tracker.update(frame(step / 5), detections())
        boxes = people_in(detections(), tracker, step / 5)
        assert (0 in [int(box[0]) for box in boxes]) == (step / 5 - 0.2 <= 5)
        assert (150 in [int(box[0]) for box in boxes]) == (step / 5 - 0.2 <= 2)


def test_at_the_edge_the_blur_reaches_along_it() -> None:
    image = make_preview(Frame(checkered(640, 360), START, 0.0), [np.array([2, 150, 40, 200], np.float32)], blur=True)
    assert contrast(decoded(image), (0, 130, 40, 220)) < 40
