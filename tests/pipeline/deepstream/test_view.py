"""Previews out of the graph, with stand-ins for NVIDIA's elements: the right picture, the right boxes, or none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from ..gst import gstreamer

try:
    gstreamer()
except pytest.skip.Exception as missing:
    pytest.skip(str(missing), allow_module_level=True)
pytest.importorskip("onnx", reason="onnx is not installed")

from pipeline.deepstream import graph, model_file, strict_pyds
from pipeline.deepstream.engine import DeepStreamEngine
from pipeline.deepstream.metadata import PydsBackend
from pipeline.deepstream.view import MOST_WAITING, Views
from pipeline.preview import WIDTH
from pipeline.service import Service
from spotter.events import PreviewRequest
from spotter.settings import Mqtt

from ..broker import Listener, Mosquitto
from ..staging import GREEN_PERSON, RED_KETTLEBELL, write_clip
from ..weights import write_weights
from . import stand_ins
from .rig import PATIENCE, Running, built, looked, settings_of, until

pytestmark = pytest.mark.usefixtures("nvidia")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.deepstream.source.SETTLED_SECONDS", 0.2)


def crossing(at: float) -> list[Any]:
    """A person who is elsewhere in every picture, and in one of three only: too rarely for a tracker."""
    number = round(at * 10)
    left = 10 + 7 * (number % 30)
    person = [(GREEN_PERSON, (left, 20, left + 50, 160))] if number % 3 == 0 else []
    return [(RED_KETTLEBELL, (290, 130, 310, 160)), *person]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "busy.mp4", 60, crossing)


def green(image: np.ndarray) -> tuple[float, float, float, float] | None:
    """Where the person is, in pixels of the camera's picture (320 x 180)."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    rows, columns = np.nonzero((green > 90) & (green > blue + 50) & (green > red + 50))
    if rows.size < 200:
        return None
    scale = 320 / image.shape[1]
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    left, top, right, bottom = (float(edge) * scale for edge in edges)
    return left, top, right, bottom


def shown(running: Running, name: str, count: int) -> list[Any]:
    return until(lambda: len(running.shown[name]) >= count and list(running.shown[name]))  # type: ignore[no-any-return]


def test_a_watched_camera_gives_pictures_with_the_people_that_are_in_them(run: Any, busy: Path) -> None:
    running = run(f"  a: {{uri: {busy}}}\n  b: {{uri: {busy}}}")
    until(lambda: looked(running, "a") > 2 and looked(running, "b") > 2)
    assert [one.converted for one in built(stand_ins.Convert)] == [0], "nothing is done while nobody watches"
    running.source("a").watched = True
    with_people = 0
    for frame, found in shown(running, "a", 25):
        assert frame.image.shape == (360, WIDTH, 3)
        assert frame.size == (320, 180)
        people = found.xyxy[found.data["class_name"] == "person"]
        place = green(frame.image)
        assert len(people) == (place is not None)
        if place is not None:
            np.testing.assert_allclose(people[0], place, atol=4)
            with_people += 1
    assert with_people >= 2
    tracked = {one.label for draft in running.drafts["a"] for one in draft.objects}
    assert "person" not in tracked, "the tracker held back every one of those who had to be blurred"
    assert running.shown["b"] == []


def test_no_picture_is_made_once_nobody_watches_any_more(run: Any, busy: Path) -> None:
    running = run(f"  a: {{uri: {busy}}}")
    until(lambda: looked(running, "a") > 2)
    running.source("a").watched = True
    shown(running, "a", 3)
    running.source("a").watched = False
    before = looked(running, "a")
    until(lambda: looked(running, "a") > before + 5)
    convert, count = built(stand_ins.Convert)[0], len(running.shown["a"])
    converted, before = convert.converted, looked(running, "a")
    until(lambda: looked(running, "a") > before + 10)
    assert (convert.converted, len(running.shown["a"])) == (converted, count)


def test_a_picture_of_another_frame_is_never_shown(run: Any, busy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins.Convert, "loses_frames", True)
    running = run(f"  a: {{uri: {busy}}}")
    until(lambda: looked(running, "a") > 2)
    running.source("a").watched = True
    until(lambda: built(stand_ins.Convert)[0].converted > 3)
    assert running.shown["a"] == []
    assert running.engine.views.came == 0


def test_a_branch_that_fails_is_left_out_and_scenes_go_on(
    run: Any, busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins.Convert, "fails", "can not convert")
    monkeypatch.setattr("pipeline.deepstream.engine._RESTART_SECONDS", 0.5)
    running = run(f"  a: {{uri: {busy}}}")
    until(lambda: looked(running, "a") > 2)
    running.source("a").watched = True
    until(lambda: running.engine.views is None)
    until(lambda: running.engine.error is None)
    before = looked(running, "a")
    until(lambda: looked(running, "a") > before + 3)
    assert len(built(stand_ins.Convert)) == 1, "the graph has been built anew without it"


def test_on_a_jetson_what_was_mapped_is_unmapped(run: Any, busy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "is_jetson", lambda: True)
    monkeypatch.setattr(stand_ins.Convert, "on_jetson", True)
    strict_pyds.mapped.clear()
    running = run(f"  a: {{uri: {busy}}}")
    until(lambda: looked(running, "a") > 2)
    running.source("a").watched = True
    shown(running, "a", 3)
    running.source("a").watched = False
    until(lambda: not strict_pyds.mapped)
    assert "nvbuf-memory-type" not in built(stand_ins.Convert)[0].own


def test_the_service_sends_previews_while_somebody_watches(
    busy: Path, tmp_path: Path, mosquitto: Mosquitto, listener: Listener
) -> None:
    write_weights(tmp_path / "model.onnx")
    mqtt = Mqtt(url=f"mqtt://127.0.0.1:{mosquitto.port}")
    settings = settings_of(tmp_path, f"  a: {{uri: {busy}}}").model_copy(update={"mqtt": mqtt})
    service, stop = Service(settings, mqtt, DeepStreamEngine(settings)), threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        topic = f"spotter/{settings.site}/a/preview"
        listener.until(lambda name, _: name.endswith("/scene"), PATIENCE)
        listener.say(f"{topic}/set", PreviewRequest(seconds=20).to_json())
        blurred = 0
        while blurred < 2:
            _, jpeg = listener.until(lambda name, _: name == topic, PATIENCE)
            image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image.shape == (180, 320, 3)
            place = green(image)
            if place is not None and place[2] - place[0] > 40:
                blurred += 1
                column = image[90, :, 1].astype(int)
                assert np.abs(np.diff(column)).max() < 60, "the edges of whom it shows are gone"
    finally:
        stop.set()
        thread.join(20)


def frame(pad: int, number: int, *objects: dict[str, Any]) -> dict[str, Any]:
    return {
        "pad_index": pad, "frame_num": number, "buf_pts": number, "ntp_timestamp": 1, "batch_id": 0,
        "source_frame_width": 4, "source_frame_height": 4, "bInferDone": 1, "objects": objects,
    }  # fmt: skip


class Buffer:
    def get_buffer(self) -> Buffer:
        return self


def views_of(opened: list[bool], due: Callable[[int, float], Any] = lambda pad, now: f"camera {pad}") -> Views:
    return Views(PydsBackend(), watched=lambda: True, due=due, let_through=opened.append)


def attached(*frames: dict[str, Any], pictures: Any = None) -> Buffer:
    buffer = Buffer()
    strict_pyds.attach(buffer, frames, pictures=pictures)
    return buffer


def test_the_valve_is_open_for_the_batches_that_were_asked_for_only() -> None:
    opened: list[bool] = []
    views = views_of(opened, lambda pad, now: "camera" if pad == 1 else None)
    views.detected(None, attached(frame(0, 5), frame(1, 5)))
    views.followed(None, attached(frame(0, 4), frame(1, 4)))
    assert opened == []
    views.followed(None, attached(frame(0, 5), frame(1, 5)))
    views.followed(None, attached(frame(0, 6), frame(1, 6)))
    assert opened == [True, False]


def test_a_picture_that_can_not_be_read_is_none_and_told() -> None:
    views = views_of([])
    views.detected(None, attached(frame(0, 5)))
    assert views.converted(None, attached(frame(0, 5))) == 1
    assert views.take() == []
    assert "RGBA" in (views.error or "")
    views.detected(None, attached(frame(0, 6)))
    assert views.converted(None, attached(frame(0, 6), pictures=[np.zeros((4, 4), np.uint8)])) == 1
    assert "of shape (4, 4)" in (views.error or "")
    assert views.converted(None, SimpleNamespace(get_buffer=lambda: 1 / 0)) == 1
    views.detected(None, attached(frame(0, 7)))
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., :3] = (10, 20, 30)
    views.converted(None, attached(frame(0, 7), pictures=[rgba]))
    (picture,) = views.take()
    assert picture.source == "camera 0"
    assert picture.image[0, 0].tolist() == [30, 20, 10]
    assert views.error is None


def test_a_picture_outlives_its_batch() -> None:
    views = views_of([])
    views.detected(None, attached(frame(0, 7)))
    buffer = attached(frame(0, 7), pictures=[np.full((4, 4, 4), 9, np.uint8)])
    views.converted(None, buffer)
    strict_pyds.release(buffer)
    assert views.take()[0].image.max() == 9


def test_what_never_comes_is_forgotten() -> None:
    views = views_of([])
    for number in range(3 * MOST_WAITING):
        views.detected(None, attached(frame(0, number)))
    assert len(views._asked) == MOST_WAITING


def test_a_camera_that_has_just_taken_a_place_is_not_shown() -> None:
    from pipeline.deepstream.source import DeepStreamSource
    from spotter.settings import Camera

    source = DeepStreamSource(None, "a", Camera(uri="a.mp4"))  # type: ignore[arg-type]
    source.watched = True
    now = time.monotonic()
    assert not source.shows(now)
    source.built(0)
    assert not source.shows(now + 0.1)
    assert source.shows(now + 1)
    assert not source.shows(now + 1.1)


def test_the_graphs_width_is_that_of_previews() -> None:
    assert graph.VIEW_WIDTH == WIDTH
