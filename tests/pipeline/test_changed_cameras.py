"""Cameras that change while the service runs, and what is owed of those that are gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.capture import Feed, Frame, open_capture
from pipeline.engine import Engine
from pipeline.scene import Draft
from pipeline.service import Service
from spotter.errors import SettingsError
from spotter.events import Committed, Scene, parse
from spotter.settings import Camera, loads

from .broker import Listener, Mosquitto
from .staging import SIZE, START, ColourDetector

SCENE = "spotter/downtown/floor/scene"
CAMERAS = {name: Camera(uri=f"no-such-{name}.mp4") for name in ("rack", "floor")}


class NoWebcams(Engine):
    """An engine that takes streams and files only, as DeepStream does."""

    def open(self, name: str, camera: Camera, *, wants: Callable[[Frame], bool], loop_since: datetime | None) -> Feed:
        if isinstance(camera.uri, int):
            raise SettingsError(f"webcam {camera.uri}: not with this engine")
        return Feed(name, open_capture(name, camera), detect_fps=camera.detect_fps, wants=wants, on_frame=self.wake)


class Running:
    """A service in a thread of its own."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        text = f"{{site: downtown, mqtt: {{url: 'mqtt://127.0.0.1:{broker.port}'}}}}"
        settings = loads(text, base=folder, environment={}).model_copy(update={"cameras": CAMERAS})
        self.service = Service(settings, broker.settings, NoWebcams(ColourDetector()))
        self.stop = threading.Event()
        self._news: list[dict[str, Camera]] = []
        self._asked = 0
        self.thread = threading.Thread(target=self.service.run, args=(self.stop, self._newest))
        self.thread.start()

    def use(self, cameras: dict[str, Camera]) -> None:
        """As SIGHUP does; returns when the service has done with them."""
        self._news.append(cameras)
        deadline = time.monotonic() + 10
        while self._news:
            assert time.monotonic() < deadline, "nobody reads"
            time.sleep(0.02)
        asked = self._asked
        while self._asked == asked:
            assert time.monotonic() < deadline, "the service has ended"
            time.sleep(0.02)

    def _newest(self) -> dict[str, Camera] | None:
        self._asked += 1
        return self._news.pop() if self._news else None


@pytest.fixture
def running(mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr("pipeline.service._TIDY_SECONDS", 0.3)
    made = Running(mosquitto, tmp_path)
    yield made
    made.stop.set()
    made.thread.join(10)


def test_a_camera_that_the_engine_refuses_changes_nothing(running: Running, listener: Listener) -> None:
    listener.until(lambda topic, _: topic == "spotter/downtown/floor/status", 10)
    before = running.service.watches
    with capture_logs() as told:
        for rack in (Camera(uri="other.mp4"), CAMERAS["rack"]):  # the second time, the service is still there to read
            running.use({"rack": rack, "desk": Camera(uri=0)})
    refused = [entry["problems"] for entry in told if entry["event"] == "settings_refused"]
    assert refused == [["webcam 0: not with this engine"]] * 2
    assert running.service.watches is before
    assert all(not watch.feed._stop.is_set() and watch.feed._thread.is_alive() for watch in before.values())
    assert all(watch.link.connected for watch in before.values())


def test_the_last_scenes_of_a_camera_that_is_gone_are_sent(running: Running, listener: Listener) -> None:
    listener.until(lambda topic, _: topic == SCENE, 10)
    outbox = running.service.outbox
    stream = outbox.stream("downtown", "floor")
    outbox.commit("downtown", "floor", Committed(stream=stream.stream, seq=stream.next_seq - 1))
    running.use({"rack": CAMERAS["rack"]})
    running.service.keeper.put(Draft("downtown", "floor", START, SIZE, True, ()))  # what it had yet to write
    listener.until(lambda topic, payload: topic == SCENE and parse(Scene, payload).time == START, 5)
