"""What is GStreamer's own: what it needs, what it does inside, and that nothing of it stays behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.capture import Capture, open_capture
from pipeline.memory import keep_together
from spotter.errors import CameraError
from spotter.settings import Camera

from .gst import gstreamer
from .rtsp_server import GstCamera
from .staging import RED_KETTLEBELL, write_clip


def moving_block(at: float):
    left = 20 + int(at * 40) % 200
    return [(RED_KETTLEBELL, (left, 60, left + 40, 110))]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 2, moving_block)


@pytest.fixture
def rtsp() -> Iterator[GstCamera]:
    gstreamer()
    camera = GstCamera(size="1280x720", fps=10)
    yield camera
    camera.kill()


def test_without_gstreamer_one_line_says_what_to_install(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "gym.yaml").write_text(
        f"engine: gstreamer\nmqtt: {{url: 'mqtt://127.0.0.1:1'}}\ncameras: {{a: {{uri: {clip}}}}}"
    )
    without = "import sys; sys.modules['gi'] = None; from spotter.cli import main; main()"
    config = ["--config", str(tmp_path / "gym.yaml")]
    for command in (["camera", "probe", "--engine", "gstreamer", str(clip)], ["pipeline", *config]):
        ended = subprocess.run([sys.executable, "-c", without, *command], capture_output=True, text=True, check=False)
        assert ended.returncode == 2, ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
        assert "apt install" in ended.stderr
        assert "pip install 'spotter[gstreamer]'" in ended.stderr


def test_probe_tells_what_gstreamer_reads_and_what_decodes_it(clip: Path) -> None:
    gstreamer()
    from pipeline.cli import camera

    told = CliRunner().invoke(camera, ["probe", "--engine", "gstreamer", str(clip)])
    assert told.exit_code == 0, told.output
    assert "320x180, 10 frames a second, 2.0 s, codec avdec_mpeg4" in told.output


def test_size_and_rate_are_reduced_before_pictures_reach_python(rtsp: GstCamera) -> None:
    capture = open_capture("rack", Camera(uri=rtsp.uri, detect_fps=2), "gstreamer", longest=640)
    info = capture.open()
    assert (info.width, info.height) == (1280, 720)
    came, times = 0, []
    for _ in range(4):
        assert capture.grab()
        assert capture.retrieve().shape == (360, 640, 3)
        came += capture.came
        times.append(capture.position)
    capture.close()
    assert times[-1] - times[0] == pytest.approx(1.5, abs=0.2)
    assert came > 10, "the camera's own rate is still known"


def test_full_range_pictures_keep_their_colours(tmp_path: Path) -> None:
    gstreamer()
    levels = {}
    for name, pixels in (("limited", "yuv420p"), ("full", "yuvj420p")):
        clip = tmp_path / f"{name}.avi"
        white, red = "drawbox=x=32:w=32:color=white:t=fill", "drawbox=x=32:y=32:w=32:h=32:color=red:t=fill"
        source = f"color=black:s=64x64:d=1:r=5,{white},{red}"
        codec = ["-c:v", "mjpeg", "-q:v", "2"] if name == "full" else ["-c:v", "libx264", "-qp", "0"]
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", pixels, *codec, str(clip)]
        subprocess.run(command, check=True)
        capture = open_capture("rack", Camera(uri=str(clip)), "gstreamer")
        capture.open()
        capture.grab()
        image = capture.retrieve()
        capture.close()
        levels[name] = [image[place].astype(int) for place in ((16, 8), (16, 56), (48, 56))]
    for dark, bright, coloured in levels.values():
        assert dark == pytest.approx([0, 0, 0], abs=6)
        assert bright == pytest.approx([255, 255, 255], abs=6)
        assert coloured == pytest.approx([0, 0, 255], abs=12)


def test_the_end_of_a_cameras_stream_is_told(clip: Path, rtsp: GstCamera) -> None:
    capture = open_capture("rack", Camera(uri=rtsp.uri), "gstreamer")
    capture.open()
    capture.grab()
    rtsp.kill()
    with pytest.raises(CameraError, match=r"the camera has ended the stream|the stream has broken off|no picture for"):
        while capture.grab():
            pass
    capture.close()


def test_hardware_is_taken_first_and_software_where_it_fails(clip: Path, tmp_path: Path) -> None:
    """In a process of its own: an element can't be unregistered."""
    gstreamer()
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("failing_decoder.py")), str(clip)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["hardware decoding by v4l2standin fails; trying without", "avdec_mpeg4"]


def test_nothing_stays_behind_when_sources_are_added_removed_and_built_again(clip: Path, rtsp: GstCamera) -> None:
    refused = "rtsp://127.0.0.1:9/x"

    def come_and_go() -> None:
        for uri in (str(clip), rtsp.uri, refused):
            capture = open_capture("rack", Camera(uri=uri), "gstreamer")
            look(capture)
            look(capture)

    def look(capture: Capture) -> None:
        try:
            capture.open()
            capture.grab()
            capture.retrieve()
        except CameraError:
            assert capture.camera.uri == refused  # type: ignore[attr-defined]
        finally:
            capture.close()

    def rounds(count: int) -> tuple[float, int, int]:
        for _ in range(count):
            thread = threading.Thread(target=come_and_go)  # each camera has a thread of its own
            thread.start()
            thread.join()
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, held("fd"), held("task")

    def held(what: str) -> int:
        return len(list(Path(f"/proc/self/{what}").iterdir()))

    def settled(files: int, threads: int) -> bool:
        """Threads of GLib's pool end by themselves when they are idle for a while."""
        deadline = time.monotonic() + 40
        while held("fd") > files or held("task") > threads:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    keep_together()
    memory, files, threads = rounds(4)
    memory_after, _, _ = rounds(8)
    assert settled(files + 2, threads + 2)
    assert memory_after < memory + 24
