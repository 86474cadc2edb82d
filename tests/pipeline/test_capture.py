from __future__ import annotations

import http.server
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.capture import Capture, Feed, Sampler, open_capture
from pipeline.capture.base import VideoInfo
from pipeline.capture.diagnosis import shown, without_credentials
from spotter.errors import CameraError
from spotter.settings import Camera

from .broker import free_port
from .gst import gstreamer
from .rtsp_camera import RtspCamera, encode_h264
from .staging import RED_KETTLEBELL, write_clip

PASSWORD = "s3cret-p@ss/word"


def moving_block(at: float):
    left = 20 + int(at * 40) % 200
    return [(RED_KETTLEBELL, (left, 60, left + 40, 110))]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 2, moving_block)


@pytest.fixture(scope="module")
def h264(clip: Path) -> Path:
    return encode_h264(clip, clip.with_suffix(".h264"))


@pytest.fixture
def rtsp(h264: Path) -> Iterator[RtspCamera]:
    camera = RtspCamera(h264)
    yield camera
    camera.close()


@pytest.fixture(params=["opencv", "gstreamer"])
def opened_by(request: pytest.FixtureRequest) -> Callable[[Camera], Capture]:
    """Each back end in turn."""
    if request.param == "gstreamer":
        gstreamer()
    return lambda camera: open_capture("rack", camera, request.param)


@pytest.fixture
def impatient(opened_by: Callable[[Camera], Capture], monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts of a test's patience."""
    module = type(opened_by(Camera(uri=0))).__module__
    monkeypatch.setattr(f"{module}.OPEN_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(f"{module}.READ_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr("pipeline.capture.diagnosis.TIMEOUT_SECONDS", 0.5)


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@pytest.fixture
def why_not(opened_by: Callable[[Camera], Capture]) -> Callable[[Camera], str]:
    def reason(camera: Camera) -> str:
        with pytest.raises(CameraError) as caught:
            opened_by(camera).open()
        return str(caught.value)

    return reason


@pytest.fixture
def play(opened_by: Callable[[Camera], Capture]) -> Iterator[Callable[..., Feed]]:
    feeds = []

    def start(camera: Camera, **options: object) -> Feed:
        camera = camera.model_copy(update={"detect_fps": 60})
        feed = Feed("rack", opened_by(camera), detect_fps=60, **options)
        feeds.append(feed)
        feed.start()
        return feed

    yield start
    for feed in feeds:
        feed.stop()
    for feed in feeds:
        feed.join(3)


def test_a_file_plays_in_real_time_and_then_says_that_it_has_ended(clip: Path, play) -> None:
    began = time.monotonic()
    feed = play(Camera(uri=str(clip)))
    frames = []
    while feed.state.phase != "ended":
        if frame := feed.take():
            frames.append(frame)
        time.sleep(0.005)
    assert 1.7 < time.monotonic() - began < 4
    assert feed.state.reason == "the file has ended"
    assert len(frames) > 10
    steps = [later.at - earlier.at for earlier, later in itertools.pairwise(frames)]
    assert all(step > 0.09 for step in steps)
    assert frames[0].size == (320, 180)
    wall = (frames[-1].captured_at - frames[0].captured_at).total_seconds()
    assert wall == pytest.approx(frames[-1].at - frames[0].at, abs=0.01)


def test_a_looping_file_goes_on(clip: Path, play) -> None:
    feed = play(Camera(uri=str(clip)), loop_since=datetime.now(timezone.utc))
    eventually(lambda: feed.take())
    time.sleep(2.3)
    feed.take()
    eventually(lambda: feed.take(), 2)
    assert feed.state.phase == "playing"


def test_a_looping_file_goes_on_where_the_wall_clock_has_it(tmp_path: Path, play) -> None:
    clip = write_clip(
        tmp_path / "clip.mp4", 20, lambda at: [(RED_KETTLEBELL, (round(10 * at), 60, round(10 * at) + 40, 110))]
    )
    for since in (3.0, 7.0, 33.0):
        begun = datetime.now(timezone.utc) - timedelta(seconds=since)
        feed = play(Camera(uri=str(clip)), loop_since=begun)
        eventually(lambda feed=feed: feed.has_frame)
        frame = feed.take()
        feed.stop()
        place = (frame.captured_at - begun).total_seconds() % 20
        red = np.flatnonzero((frame.image[85].astype(int) @ [-1, -1, 2]) > 100)
        assert red[0] / 10 == pytest.approx(place, abs=0.5)


def test_only_the_newest_frame_is_handed_over(clip: Path, play) -> None:
    feed = play(Camera(uri=str(clip)))
    eventually(lambda: feed.has_frame)
    time.sleep(1)
    frame = feed.take()
    assert frame is not None
    assert time.monotonic() - frame.at < 0.3
    assert feed.take() is None


def test_what_the_motion_gate_refuses_is_not_handed_over(clip: Path, play) -> None:
    feed = play(Camera(uri=str(clip)), wants=lambda frame: False)
    eventually(lambda: feed.state.phase == "ended")
    assert feed.take() is None


def test_a_camera_gives_pictures_over_rtsp(rtsp: RtspCamera, play) -> None:
    feed = play(Camera(uri=rtsp.uri))
    frames = []
    deadline = time.monotonic() + 15
    while len(frames) < 5 and time.monotonic() < deadline:
        if frame := feed.take():
            frames.append(frame)
        time.sleep(0.01)
    assert len(frames) == 5
    assert frames[0].size == (320, 180)


def test_a_camera_with_a_password_opens_with_it_and_not_without(
    h264: Path, impatient: None, why_not, opened_by
) -> None:
    camera = RtspCamera(h264, login=("viewer", PASSWORD))
    try:
        right = Camera(uri=camera.uri, username="viewer", password=SecretStr(PASSWORD))
        capture = opened_by(right)
        assert capture.open().width == 320
        assert capture.grab()
        capture.close()
        wrong = why_not(Camera(uri=camera.uri, username="viewer", password=SecretStr("wrong-" + PASSWORD)))
        assert "the log-in is refused" in wrong
        assert PASSWORD not in wrong
        assert "viewer" not in wrong
        assert "it asks for a log-in" in why_not(Camera(uri=camera.uri))
    finally:
        camera.close()


def test_no_password_shows_on_the_process_output(
    h264: Path, impatient: None, capfd: pytest.CaptureFixture[str], why_not
) -> None:
    camera = Camera(uri=f"rtsp://127.0.0.1:{free_port()}/x", username="viewer", password=SecretStr("hunter2hunter2"))
    assert "hunter2" not in why_not(camera)
    assert "hunter2" not in "".join(capfd.readouterr())


def test_a_camera_that_hangs_up_is_opened_again(rtsp: RtspCamera, play, impatient: None) -> None:
    feed = play(Camera(uri=rtsp.uri), first_wait_seconds=0.2)
    eventually(lambda: feed.take())
    rtsp.drop_viewers()
    eventually(lambda: feed.state.phase == "retrying")
    assert feed.state.reason is not None
    eventually(lambda: feed.state.phase == "playing", 20)
    assert rtsp.opened >= 2


def test_a_camera_that_falls_silent_is_noticed(rtsp: RtspCamera, play, impatient: None) -> None:
    feed = play(Camera(uri=rtsp.uri))
    eventually(lambda: feed.take())
    rtsp.silence = True
    eventually(lambda: feed.state.phase == "retrying", 8)
    assert "no picture for" in (feed.state.reason or "")


def test_a_port_that_accepts_and_stays_silent_does_not_hang(impatient: None, why_not) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        reason = why_not(Camera(uri=f"rtsp://127.0.0.1:{silent.getsockname()[1]}/stream"))
        assert time.monotonic() - began < 6
    assert "no answer" in reason


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("rtsp://127.0.0.1:{port}/x", "connection refused"),
        ("http://127.0.0.1:{port}/x", "connection refused"),
        ("rtsp://no-such-host.invalid/x", "no device is called no-such-host.invalid"),
        ("gopher://127.0.0.1/x", "not one that can be opened"),
        ("rtsp://cam..lan/stream", "no device is called cam..lan"),
    ],
)
def test_an_address_that_does_not_open_says_why(uri: str, reason: str, impatient: None, why_not) -> None:
    assert reason in why_not(Camera(uri=uri.format(port=free_port())))


def test_a_wrong_path_on_the_camera_says_so(rtsp: RtspCamera, impatient: None, why_not) -> None:
    assert "no stream at this path" in why_not(Camera(uri=f"rtsp://127.0.0.1:{rtsp.port}/other"))


def test_a_missing_empty_or_foreign_file_says_so(tmp_path: Path, why_not) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    assert "no such file" in why_not(Camera(uri=str(tmp_path / "missing.mp4")))
    assert "empty" in why_not(Camera(uri=str(tmp_path / "empty.mp4")))
    assert "not a video" in why_not(Camera(uri=str(tmp_path / "text.mp4")))
    assert "folder" in why_not(Camera(uri=str(tmp_path)))


def test_a_webcam_that_is_not_there_says_so(why_not) -> None:
    assert "there is no /dev/video97" in why_not(Camera(uri=97))


def test_a_missing_camera_is_retried_with_growing_waits(tmp_path: Path, clip: Path, play) -> None:
    path = tmp_path / "later.mp4"
    feed = play(Camera(uri=str(path)), first_wait_seconds=0.1)
    eventually(lambda: feed.state.phase == "retrying")
    assert "no such file" in (feed.state.reason or "")
    path.write_bytes(clip.read_bytes())
    eventually(lambda: feed.state.phase == "playing")


@pytest.fixture
def web(clip: Path) -> Iterator[str]:
    """The address of a web server that has the clip."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(clip.parent))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_stream_over_http_plays(web: str, play) -> None:
    feed = play(Camera(uri=f"{web}/clip.mp4"))
    eventually(lambda: feed.take())


def test_a_path_in_any_script_that_is_not_there_says_so(web: str, impatient: None, why_not) -> None:
    assert "nothing is at this path (404)" in why_not(Camera(uri=f"{web}/카메라/1 2?이름=%41"))


def test_a_camera_is_tried_again_whatever_its_capture_meets() -> None:
    class Defective(Capture):
        opened = 0
        position = 0.0

        def open(self) -> VideoInfo:
            self.opened += 1
            raise ValueError("rtsp://viewer:hunter2@10.0.0.11/x\nis odd")

        def grab(self) -> bool:
            raise AssertionError

        def close(self) -> None:
            pass

        seek = retrieve = close  # type: ignore[assignment]

    capture = Defective()
    feed = Feed("rack", capture, detect_fps=5, first_wait_seconds=0.01)
    feed.start()
    eventually(lambda: capture.opened >= 3)
    assert (feed.state.phase, feed.state.reason) == ("retrying", "ValueError: rtsp://10.0.0.11/x")
    feed.stop()
    feed.join(3)


@given(st.floats(0.2, 60), st.lists(st.floats(0, 0.2), max_size=200))
def test_never_more_than_the_wanted_frames_are_chosen(fps: float, waits: list[float]) -> None:
    sampler, at, taken = Sampler(fps), 0.0, 0
    for wait in waits:
        at += wait
        taken += sampler.takes(at)
    assert taken <= at * fps + 2


@pytest.mark.parametrize(("camera_fps", "wanted"), [(30, 5), (25, 5), (15, 5), (29.97, 5), (10, 5), (30, 4), (25, 10)])
def test_frames_are_chosen_evenly_and_without_drift(camera_fps: float, wanted: float) -> None:
    sampler = Sampler(wanted)
    chosen = [index / camera_fps for index in range(round(60 * camera_fps)) if sampler.takes(index / camera_fps)]
    assert len(chosen) == pytest.approx(60 * wanted, abs=1)
    steps = [later - earlier for earlier, later in itertools.pairwise(chosen)]
    assert max(steps) - min(steps) < 1.1 / camera_fps


def test_the_query_of_an_address_is_never_shown() -> None:
    address = "http://192.0.2.1/x?user=a&pwd=SECRET"
    assert shown(Camera(uri=address)) == "http://192.0.2.1/x?…"
    assert without_credentials(f"{address} and rtsp://a:b@h/y?k=SECRET") == "http://192.0.2.1/x?… and rtsp://h/y?…"
