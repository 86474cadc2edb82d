"""The long test of `make soak`: eight real RTSP cameras, one killed every 16 s, and nothing grows or slows.

SOAK_SECONDS (600) and SOAK_ENGINE (gstreamer, opencv, or deepstream with stand-ins for NVIDIA's elements) change it.
It prints a row each time.
"""

# ruff: noqa: T201

from __future__ import annotations

import os
import queue
import statistics
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spotter.events import Committed, Scene, parse

from .broker import Listener, Mosquitto, free_port
from .gst import gstreamer
from .process import Pipeline, settings_for
from .rtsp_server import GstCamera
from .weights import write_weights

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
ENGINE = os.environ.get("SOAK_ENGINE", "gstreamer")
CAMERAS, FPS = 8, 15

WARM_SECONDS = 180.0
"""Until then buffers, pools and caches fill, and every camera has been lost once."""

TURN_SECONDS, AWAY_SECONDS, BACK_SECONDS, LOOK_SECONDS = 16.0, 7.0, 10.0, 2.0
GROWTH_MIB = 32.0
"""By so much the least and the median that are held may rise from the first third to the last. A single look says
little: it may fall on one of the minutes in which tens of MiB more are held."""

LEAST_SHARE = 0.9
"""Of the pictures a camera sends must come, in the median look at all that are not away."""


class Looks:
    """What `/proc` and the metrics say of the pipeline."""

    def __init__(self, pipeline: Pipeline, port: int) -> None:
        self._pipeline = pipeline
        self._folder, self._address = Path(f"/proc/{pipeline.process.pid}"), f"http://127.0.0.1:{port}/metrics"

    @property
    def memory_mib(self) -> float:
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def files(self) -> int:
        return len(list((self._folder / "fd").iterdir()))

    @property
    def threads(self) -> int:
        return len(list((self._folder / "task").iterdir()))

    @property
    def processor_seconds(self) -> float:
        fields = (self._folder / "stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fps(self) -> dict[str, float]:
        """For each camera the pictures a second of the last seconds."""
        try:
            with urllib.request.urlopen(self._address, timeout=20) as answer:
                families = text_string_to_metric_families(answer.read().decode())
        except OSError as error:
            code = self._pipeline.process.poll()
            raise AssertionError(f"{error}; exit code {code}; {self._pipeline.text()[-5000:]}") from None
        wanted = next(family for family in families if family.name == "spotter_captured_fps")
        return {sample.labels["camera"]: sample.value for sample in wanted.samples}


@pytest.mark.timeout(SECONDS + 300)
def test_eight_cameras_for_ten_minutes(tmp_path: Path, mosquitto: Mosquitto) -> None:
    gstreamer()
    with ExitStack() as stack:
        cameras = {}
        for index in range(CAMERAS):
            codec, size = ("h265", "320x180") if index % 4 == 3 else ("h264", "640x360")
            cameras[f"camera-{index}"] = GstCamera(codec, size=size, fps=FPS)
            stack.callback(cameras[f"camera-{index}"].kill)
        port = free_port()
        settings = settings_for(mosquitto, Path(), {name: {"uri": one.uri} for name, one in cameras.items()})
        del settings["model"]
        program = "spotter"
        if ENGINE == "deepstream":
            program = "tests.pipeline.deepstream.as_program"
            write_weights(tmp_path / "model.onnx")
            settings |= {"model": str(tmp_path / "model.onnx"), "deepstream": {"max_cameras": CAMERAS}}
        pipeline = Pipeline(tmp_path, settings | {"engine": ENGINE}, "--metrics-port", str(port), program=program)
        stack.callback(pipeline.process.kill)
        database = Listener(mosquitto, "spotter/downtown/+/scene")
        stack.callback(database.close)
        looks = Looks(pipeline, port)
        wait_until_all_play(looks, pipeline)
        print(f"\n| {ENGINE}, second | memory MiB | files | threads | cores | frames a second, least and median |")
        print("| --- | --- | --- | --- | --- | --- |")
        began, turn = time.monotonic(), 0
        warm: tuple[int, int] | None = None
        memory: list[float] = []
        shares: list[float] = []
        away: tuple[str, float] | None = None
        killed_at: dict[str, float] = {}
        worst_back, cpu, cpu_at, rates = 0.0, looks.processor_seconds, began, list[float]()
        while time.monotonic() - began < SECONDS:
            commit(database, LOOK_SECONDS)
            now = time.monotonic()
            fps = looks.fps()
            if away and now - away[1] > AWAY_SECONDS:
                back = cameras[away[0]].start()
                worst_back = max(worst_back, seconds_until_back(looks, away[0], back))
                away = None
            undisturbed = [fps[name] for name in fps if now - killed_at.get(name, began - 99) > TURN_SECONDS]
            if now - began > LOOK_SECONDS * 4:
                rates += undisturbed
                shares.append(min(undisturbed) / FPS)
            if now - began > (turn + 1) * TURN_SECONDS:
                cores = (looks.processor_seconds - cpu) / (now - cpu_at)
                cpu, cpu_at = looks.processor_seconds, now
                print(
                    f"| {now - began:.0f} | {looks.memory_mib:.0f} | {looks.files} | {looks.threads} | {cores:.2f} "
                    f"| {min(rates):.1f}, {statistics.median(rates):.1f} |",
                    flush=True,
                )
                rates.clear()
                name = list(cameras)[turn % CAMERAS]
                cameras[name].kill()
                away, killed_at[name], turn = (name, now), now, turn + 1
            if warm is None and now - began > min(WARM_SECONDS, SECONDS / 2):
                warm = looks.files, looks.threads
            if warm is not None:
                memory.append(looks.memory_mib)
        assert warm is not None
        third = len(memory) // 3
        grown, drift = (of(memory[-third:]) - of(memory[:third]) for of in (min, statistics.median))
        share = statistics.median(shares)
        files, threads = looks.files - warm[0], looks.threads - warm[1]
        print(f"since it was warm: {files} files, {threads} threads; of memory it held {min(memory):.0f} to", end=" ")
        print(
            f"{max(memory):.0f} MiB, from the first third to the last the least {grown:+.1f}, the median {drift:+.1f}"
        )
        print(f"the slowest camera gave {share:.3f} of its frames (median); the lost were back in {worst_back:.1f} s")
        assert max(grown, drift) < GROWTH_MIB
        assert files < CAMERAS
        assert threads < 4 * CAMERAS
        assert share > LEAST_SHARE
        assert worst_back < BACK_SECONDS


def wait_until_all_play(looks: Looks, pipeline: Pipeline) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if (fps := looks.fps()) and len(fps) == CAMERAS and min(fps.values()) > 1:
                return
        except AssertionError:  # not yet there
            assert pipeline.process.poll() is None, pipeline.text()
        time.sleep(0.5)
    raise AssertionError(pipeline.text())


def seconds_until_back(looks: Looks, name: str, began: float) -> float:
    """From its return until its pictures come."""
    while looks.fps()[name] < 0.5:
        if time.monotonic() - began > 2 * BACK_SECONDS:
            break
        time.sleep(0.1)
    return time.monotonic() - began


def commit(database: Listener, seconds: float) -> None:
    """Do as the usage worker does: tell the pipeline what is safely stored."""
    until = time.monotonic() + seconds
    newest: dict[str, Scene] = {}
    while (left := until - time.monotonic()) > 0:
        try:
            scene = parse(Scene, database.next(left)[1])
        except queue.Empty:
            break
        newest[scene.camera] = scene
    for camera, scene in newest.items():
        told = Committed(stream=scene.stream, seq=scene.seq)
        database.say(f"spotter/downtown/{camera}/committed", told.to_json(), retain=True)
