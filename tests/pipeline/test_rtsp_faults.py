"""Real RTSP cameras that fail in every way, beside one that does not, for every engine and both codecs.

DeepStream is there with stand-ins for NVIDIA's elements: what is tried is the graph around them, and our own retries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from pipeline.capture import Feed, open_capture
from pipeline.capture.diagnosis import why_not_open
from spotter.settings import Camera

from .gst import gstreamer
from .rtsp_server import GstCamera

BACK_SECONDS, GAP_SECONDS = 10.0, 1.0
FPS = 15
CODECS = ("h264", "h265")

TOLD_SECONDS = 40.0
"""DeepStream runs with its own waits: a camera that is silent is asked why, and its source built anew after 20 s."""


class Heartbeat:
    """How far this process itself falls behind: what the machine costs is no camera's fault."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(0.05):
            now = time.monotonic()
            self.worst, last = max(self.worst, now - last - 0.05), now


class Steady:
    """A camera that works, and the longest time that it gave no picture."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.since = time.monotonic()
        eventually(lambda: feed.last_frame_at is not None, 30)
        self._stop = threading.Event()
        self.restart()
        threading.Thread(target=self._run, daemon=True).start()

    def restart(self) -> None:
        self.gap, self._began, self.heartbeat = 0.0, time.monotonic(), Heartbeat()

    def check(self) -> None:
        """No more than one second of its pictures was lost, and they are still its own."""
        self.heartbeat.stop()
        assert self.gap <= GAP_SECONDS + 2 * self.heartbeat.worst
        assert self.feed.state.phase == "playing"

    def waits_for(self, condition: Callable[[], object]) -> None:
        """Wait until the other one is back: so long as is promised, and what this process itself fell behind."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < BACK_SECONDS + 2 * self.heartbeat.worst, "it did not come back"
            time.sleep(0.02)

    def stop(self) -> None:
        self._stop.set()
        self.heartbeat.stop()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            last = self.feed.last_frame_at or 0.0
            self.gap = max(self.gap, time.monotonic() - max(last, self._began))


def eventually(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@pytest.fixture(scope="class", params=["opencv", "gstreamer", "deepstream"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    gstreamer()
    if request.param == "deepstream":
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        for timeout, seconds in (("OPEN", 4.0), ("READ", 1.5)):
            patch.setattr(f"pipeline.capture.{request.param}.{timeout}_TIMEOUT_SECONDS", seconds)
        yield request.param


@pytest.fixture(scope="class")
def play(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Camera], Feed]]:
    if engine == "deepstream":
        pytest.importorskip("onnx", reason="onnx is not installed")
        from .deepstream.feeds import DeepStreamFeeds

        with pytest.MonkeyPatch.context() as patch:
            graph = DeepStreamFeeds(tmp_path_factory.mktemp("deepstream"), patch)
            yield graph.play
            graph.stop()
        return
    feeds: list[Feed] = []

    def start(camera: Camera) -> Feed:
        feed = Feed("rack", open_capture("rack", camera, engine), detect_fps=camera.detect_fps)
        feeds.append(feed)
        feed.start()
        return feed

    yield start
    for feed in feeds:
        feed.stop()
    for feed in feeds:
        feed.join(3)


Failing = list[tuple[GstCamera, Feed]]
"""A camera of each codec; they fail together, which saves half of the time."""


@pytest.fixture(scope="class")
def failing(play: Callable[[Camera], Feed]) -> Iterator[Failing]:
    cameras = [GstCamera(codec, fps=FPS) for codec in CODECS]
    yield [(camera, play(Camera(uri=camera.uri, detect_fps=FPS))) for camera in cameras]
    for camera in cameras:
        camera.kill()


@pytest.fixture(scope="class")
def always_steady(play: Callable[[Camera], Feed]) -> Iterator[Steady]:
    camera = GstCamera(fps=FPS)
    steady = Steady(play(Camera(uri=camera.uri, detect_fps=FPS)))
    yield steady
    steady.stop()
    camera.kill()


@pytest.fixture
def steady(always_steady: Steady, failing: Failing) -> Iterator[Steady]:
    eventually(lambda: all(seen_since(feed, time.monotonic() - 1) for _, feed in failing), 30)
    always_steady.restart()
    yield always_steady
    always_steady.check()


def seen_since(feed: Feed, at: float) -> bool:
    return feed.last_frame_at is not None and feed.last_frame_at > at and feed.state.phase == "playing"


def all_retry(failing: Failing, reason: str) -> bool:
    return all(feed.state.phase == "retrying" and reason in (feed.state.reason or "") for _, feed in failing)


def all_are_back(failing: Failing, since: list[float]) -> bool:
    return all(seen_since(feed, at) for (_, feed), at in zip(failing, since, strict=True))


class TestACameraThatFails:
    def test_is_seen_again_after_it_was_killed_and_started(self, failing: Failing, steady: Steady) -> None:
        for camera, _ in failing:
            camera.kill()
        eventually(lambda: all_retry(failing, "connection refused"), TOLD_SECONDS)
        back = [camera.start() for camera, _ in failing]
        steady.waits_for(lambda: all_are_back(failing, back))

    def test_is_seen_again_after_it_froze(self, failing: Failing, steady: Steady) -> None:
        for camera, _ in failing:
            camera.freeze()
        eventually(lambda: all_retry(failing, "no picture for"), TOLD_SECONDS)
        back = [camera.thaw() for camera, _ in failing]
        steady.waits_for(lambda: all_are_back(failing, back))

    def test_is_seen_again_after_it_sent_garbage(self, failing: Failing, steady: Steady) -> None:
        for camera, feed in failing:
            feed.take()
            camera.toggle_garbage()
        eventually(lambda: all(time.monotonic() - (feed.last_frame_at or 0) > 1.5 for _, feed in failing), 15)
        back = [camera.toggle_garbage() for camera, _ in failing]
        steady.waits_for(lambda: all_are_back(failing, back))
        for _, feed in failing:
            steady.waits_for(lambda feed=feed: looks_right(feed))  # type: ignore[misc]

    def test_says_that_its_log_in_is_refused(
        self, steady: Steady, failing: Failing, play: Callable[[Camera], Feed]
    ) -> None:
        cameras = [GstCamera(codec, login="viewer:right") for codec in CODECS]
        try:
            wrong, right = (
                [play(Camera(uri=one.uri, username="viewer", password=SecretStr(word))) for one in cameras]
                for word in ("wrong-word", "right")
            )
            for feed in wrong:
                eventually(lambda feed=feed: "the log-in is refused" in (feed.state.reason or ""), TOLD_SECONDS)  # type: ignore[misc]
                assert "wrong-word" not in (feed.state.reason or "")
            eventually(lambda: all(seen_since(feed, 0) for feed in right), 30)
        finally:
            for camera in cameras:
                camera.kill()

    def test_plays_on_beside_the_others(self, steady: Steady, failing: Failing, engine: str) -> None:
        """A minute in all, with the faults above; OpenCV's capture plays long enough in other tests."""
        left = 0.0 if engine == "opencv" else steady.since + 60 - time.monotonic()
        time.sleep(max(0.0, left))
        lately = time.monotonic() - GAP_SECONDS - 2 * steady.heartbeat.worst
        assert all(seen_since(feed, lately) for _, feed in failing)


class TestACameraWithACertificateThatItSignedItself:
    def test_is_seen(self, play: Callable[[Camera], Feed], certificate: Path) -> None:
        camera = GstCamera(login="viewer:right", certificate=certificate)
        try:
            feed = play(Camera(uri=camera.uri, username="viewer", password=SecretStr("right"), detect_fps=FPS))
            eventually(lambda: seen_since(feed, 0) and looks_right(feed), 30)
        finally:
            camera.kill()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with its key, as a camera makes it for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IPCAM")])
    now = datetime.now(timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    path = tmp_path_factory.mktemp("camera") / "certificate.pem"
    path.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def looks_right(feed: Feed) -> bool:
    """Whether its newest picture is the colour bars that the camera is sent to show: white, yellow, … blue."""
    frame = feed.take()
    if frame is None:
        return False
    bars = frame.image[40, 22:320:46].astype(int)
    return bool((np.abs(bars[:, 1] - [180, 180, 180, 180, 16, 16, 16]) < 40).all())


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_log_in_is_only_called_refused_when_it_was_tried(scheme: str) -> None:
    gstreamer()
    camera = GstCamera(login="viewer:right", scheme=scheme)
    try:
        elsewhere = f"rtsp://127.0.0.1:{camera.port}/elsewhere"
        right, wrong = SecretStr("right"), SecretStr("wrong")
        assert "no stream at this path" in why_not_open(Camera(uri=elsewhere, username="viewer", password=right))
        assert "the log-in is refused" in why_not_open(Camera(uri=camera.uri, username="viewer", password=wrong))
        assert "gives no video" in why_not_open(Camera(uri=camera.uri, username="viewer", password=right))
    finally:
        camera.kill()
