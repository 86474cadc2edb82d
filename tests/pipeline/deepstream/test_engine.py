"""The engine in a real GStreamer, with stand-ins for NVIDIA's elements only."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from ..gst import gstreamer

try:
    gstreamer()
except pytest.skip.Exception as missing:
    pytest.skip(str(missing), allow_module_level=True)
pytest.importorskip("onnx", reason="onnx is not installed")

from pipeline.deepstream.engine import DeepStreamEngine
from pipeline.deepstream.graph import Element
from pipeline.deepstream.running import MainLoop
from pipeline.health import Vitals, judge
from pipeline.service import Service
from spotter.errors import SettingsError, SpotterError
from spotter.events import Scene, Status, parse
from spotter.settings import Camera, Mqtt

from ..broker import Listener, Mosquitto
from ..rtsp_camera import RtspCamera, encode_h264
from ..staging import write_clip
from ..weights import write_weights
from . import stand_ins
from .rig import PATIENCE, built, looked, settings_of, until, visit

pytestmark = pytest.mark.usefixtures("nvidia")


def test_a_timer_outlives_what_it_meets() -> None:
    timers: list[Any] = []
    loop = MainLoop()
    loop._glib = SimpleNamespace(timeout_add_seconds=lambda _, work: timers.append(work))
    met: list[int] = []
    loop.every(1, lambda: met.append(1 // len(met)))
    with capture_logs() as told:
        assert [timers[0]() for _ in range(3)] == [True] * 3, "GLib ends one that gives anything else, or raises"
    assert [entry["error"] for entry in told] == ["ZeroDivisionError: integer division or modulo by zero"]


def test_what_is_found_lies_where_it_is_in_the_camera_picture(run: Any, clip: Path) -> None:
    running = run(f"  clip: {{uri: {clip}}}")
    drafts = running.drafts["clip"]
    found = until(lambda: [one for draft in drafts for one in draft.objects if one.label == "kettlebell"])
    assert drafts[0].frame == (320, 180)
    np.testing.assert_allclose(found[0].box, [250 / 320, 130 / 180, 280 / 320, 160 / 180], atol=0.02)


def test_the_end_of_one_stream_is_not_the_end_of_all(run: Any, clip: Path, tmp_path: Path) -> None:
    short = write_clip(tmp_path / "short.mp4", 1, visit)
    running = run(f"  short: {{uri: {short}}}\n  clip: {{uri: {clip}}}")
    until(lambda: running.source("short").state.phase == "ended")
    before = looked(running, "clip")
    until(lambda: looked(running, "clip") > before + 2)
    assert running.source("clip").state.phase == "playing"
    until(lambda: running.source("clip").state.phase == "ended")


def test_cameras_come_and_go_while_the_others_go_on(run: Any, clip: Path, tmp_path: Path) -> None:
    longer = write_clip(tmp_path / "longer.mp4", 40, visit)
    running = run(f"  a: {{uri: {longer}}}\n  b: {{uri: {longer}}}")
    until(lambda: looked(running, "a") > 2 and looked(running, "b") > 2)
    running.remove("b")
    before = looked(running, "a")
    until(lambda: looked(running, "a") > before + 5)
    running.add("c", settings_of(tmp_path, f"  c: {{uri: {clip}}}"))
    until(lambda: looked(running, "c") > 2)
    before = looked(running, "a")
    until(lambda: looked(running, "a") > before + 5)
    assert running.engine.error is None
    assert {element.own["source-id"] for element in built(stand_ins.Source)} == {0, 1}, "places are used again"


def test_what_was_taken_out_is_let_go(run: Any, clip: Path, tmp_path: Path) -> None:
    """Or a camera that comes and goes fills the memory in days."""
    running = run(f"  a: {{uri: {write_clip(tmp_path / 'longer.mp4', 60, visit)}}}")
    gone: list[int] = []

    def come_and_go(number: int) -> None:
        running.add("b", settings_of(tmp_path, f"  b: {{uri: {clip}}}"))
        until(lambda: looked(running, "b") > 0)
        stand_ins.built.pop().weak_ref(gone.append, number)
        running.remove("b")

    for number in range(3):
        come_and_go(number)
    until(lambda: gc.collect() >= 0 and len(gone) == 3)


def test_a_camera_that_hangs_as_it_is_taken_out_costs_the_others_no_picture(run: Any, tmp_path: Path) -> None:
    longer = write_clip(tmp_path / "longer.mp4", 40, visit)
    running = run(f"  a: {{uri: {longer}}}\n  b: {{uri: {longer}}}")
    until(lambda: looked(running, "a") > 2 and looked(running, "b") > 2)
    hanging = running.source("b")
    try:
        stand_ins.Source.may_end.clear()
        running.remove("b")
        until(lambda: hanging.number is None)
        before = looked(running, "a")
        until(lambda: looked(running, "a") > before + 10)
        assert hanging in running.engine._sources, "it is still being taken out"
    finally:
        stand_ins.Source.may_end.set()
    until(lambda: hanging not in running.engine._sources)


def test_a_source_that_was_taken_out_outlives_the_timers_that_it_leaves_behind(run: Any, clip: Path) -> None:
    running, order = run(f"  clip: {{uri: {clip}}}"), list[str]()
    until(lambda: looked(running, "clip") > 2)

    def come_and_go() -> None:
        graph = running.engine._graph
        graph.add(Element("camera-3", "bin"), 3)  # no Python in it that would keep it
        graph._cameras[3][0].weak_ref(order.append, "freed")
        stand_ins.GLib.timeout_add(20, order.append, "timer")
        graph.remove(3)

    running.engine._loop.call(come_and_go)
    until(lambda: "freed" in order)
    assert order == ["timer", "freed"]


@pytest.fixture
def h264(tmp_path: Path) -> Path:
    return encode_h264(write_clip(tmp_path / "loop.mp4", 3, visit), tmp_path / "loop.h264")


def test_a_killed_camera_comes_back_and_never_touches_another(run: Any, h264: Path) -> None:
    steady, shaky = RtspCamera(h264), RtspCamera(h264)
    with contextlib.closing(steady), contextlib.closing(shaky):
        running = run(f'  steady: {{uri: "{steady.uri}"}}\n  shaky: {{uri: "{shaky.uri}"}}')
        until(lambda: looked(running, "steady") > 3 and looked(running, "shaky") > 3)
        shaky.silence = True
        shaky.drop_viewers()
        until(lambda: time.monotonic() - running.source("shaky").last_frame_at > 4)
        before = running.source("steady").last_frame_at
        until(lambda: running.source("steady").last_frame_at > before + 1)
        shaky.silence = False
        last = running.source("shaky").last_frame_at
        until(lambda: running.source("shaky").last_frame_at > last)
        assert running.source("steady").state.phase == "playing"
        ids = [one.id for draft in running.drafts["shaky"] for one in draft.objects]
        assert ids


def test_a_file_that_is_not_there_costs_the_others_nothing(run: Any, clip: Path, tmp_path: Path) -> None:
    running = run(f'  clip: {{uri: "{clip}", loop: true}}\n  missing: {{uri: "{tmp_path / "gone.mp4"}"}}')
    until(lambda: looked(running, "clip") > 3)
    until(lambda: running.source("missing").state.phase == "retrying")
    assert "DeepStream" not in running.source("missing").state.reason
    assert running.source("clip").state.phase == "playing"


def test_a_camera_that_is_not_there_is_told_with_the_reason(run: Any, h264: Path) -> None:
    camera = RtspCamera(h264)
    with contextlib.closing(camera):
        running = run(f'  there: {{uri: "{camera.uri}"}}\n  missing: {{uri: "rtsp://127.0.0.1:1/nothing"}}')
        until(lambda: looked(running, "there") > 2)
        running.engine._loop.call(lambda: running.engine.camera_failed(running.source("missing").number, "gone"))
        until(lambda: "refused" in (running.source("missing").state.reason or ""))
        assert running.source("there").state.phase == "playing"


def test_the_service_publishes_what_the_engine_sees(
    clip: Path, tmp_path: Path, mosquitto: Mosquitto, listener: Listener
) -> None:
    write_weights(tmp_path / "model.onnx")
    longer = write_clip(tmp_path / "longer.mp4", 60, visit)
    mqtt = {"mqtt": Mqtt(url=f"mqtt://127.0.0.1:{mosquitto.port}")}
    settings = settings_of(tmp_path, f"  a: {{uri: {longer}}}").model_copy(update=mqtt)
    service, stop = Service(settings, mqtt["mqtt"], DeepStreamEngine(settings)), threading.Event()
    news: list[Any] = []
    thread = threading.Thread(target=service.run, args=(stop, lambda: news.pop() if news else None))
    thread.start()
    states: dict[str, Status] = {}
    scenes: dict[str, list[Scene]] = {}

    def collect(topic: str, payload: bytes) -> None:
        camera, leaf = topic.split("/")[2:4]
        if leaf == "status":
            states[camera] = parse(Status, payload)
        elif leaf == "scene":
            scenes.setdefault(camera, []).append(parse(Scene, payload))

    def seen(*cameras: str) -> bool:
        return all(name in states and states[name].state == "online" for name in cameras) and all(
            any(scene.objects for scene in scenes.get(name, ())) for name in cameras
        )

    try:
        listener.until(lambda topic, payload: collect(topic, payload) or seen("a"), PATIENCE)
        news.append({**settings.cameras, "b": Camera(uri=str(longer))})  # as SIGHUP does
        listener.until(lambda topic, payload: collect(topic, payload) or seen("a", "b"), PATIENCE)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    prefixes = {one.id.rsplit("-", 1)[0] for scene in scenes["a"] for one in scene.objects}
    assert len(prefixes) == 1, "who stays is not disturbed"


def test_a_first_build_is_told_as_such(run: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins.Infer, "seconds_to_build", 2.0)
    running = run(f"  clip: {{uri: {clip}}}")
    state = until(
        lambda: "engine is built" in (running.source("clip").state.reason or "") and running.source("clip").state
    )
    vitals = Vitals(state.phase, state.reason, 300.0, None, None)
    assert judge(vitals) == ("degraded", state.reason), "never offline, and no stall"
    until(lambda: looked(running, "clip") > 2)


def test_a_failure_of_what_all_share_is_told_and_tried_again(
    run: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins.Infer, "fails", "failed to build the network")
    monkeypatch.setattr("pipeline.deepstream.engine._RESTART_SECONDS", 0.5)
    running = run(f"  clip: {{uri: {clip}}}")
    until(lambda: "failed to build" in (running.engine.error or ""))
    assert running.source("clip").state.phase == "retrying"
    monkeypatch.setattr(stand_ins.Infer, "fails", None)
    until(lambda: looked(running, "clip") > 2)
    assert running.engine.error is None


def test_a_graph_that_could_not_be_begun_is_begun_again_whatever_the_reason(
    run: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, met = DeepStreamEngine._core, []

    def full_once(self: DeepStreamEngine) -> Any:
        if not met:
            met.append(self)
            raise OSError(28, "No space left on device")
        return core(self)

    monkeypatch.setattr(DeepStreamEngine, "_core", full_once)
    monkeypatch.setattr("pipeline.deepstream.engine._RESTART_SECONDS", 0.5)
    running = run(f"  clip: {{uri: {clip}}}")
    until(lambda: "No space left" in (running.engine.error or ""))
    until(lambda: looked(running, "clip") > 2)
    assert running.engine.error is None


def test_stopping_is_quick_and_leaves_no_thread(run: Any, clip: Path) -> None:
    running = run(f"  clip: {{uri: {clip}}}")
    until(lambda: looked(running, "clip") > 2)
    running.engine.stop(5)
    names = {"glib", "handover", "graph-start"}
    until(lambda: not names & {thread.name for thread in threading.enumerate()})


def test_unknown_properties_are_refused_by_the_stand_ins() -> None:
    from gi.repository import Gst

    mux = Gst.ElementFactory.make("nvstreammux", None)
    with pytest.raises(TypeError, match="does not have property"):
        mux.set_property("config-file-path", "x")


def test_more_cameras_than_the_batch_are_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "model.onnx")
    with pytest.raises(SettingsError, match="max_cameras"):
        DeepStreamEngine(settings_of(tmp_path, "  a: {uri: a.mp4}\n  b: {uri: b.mp4}", max_cameras=1))


def test_without_the_bindings_the_engine_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_weights(tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "pyds", None)
    with pytest.raises(SpotterError, match="pyds"):
        DeepStreamEngine(settings_of(tmp_path, "  a: {uri: a.mp4}"))


def test_another_model_is_told_and_not_taken_up_unasked(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_weights(tmp_path / "model.onnx")
    named = settings_of(tmp_path, f"  a: {{uri: {clip}}}")
    for settings, told in ((named, 0), (named.model_copy(update={"model": None}), 1)):
        engine = DeepStreamEngine(settings)
        engine._tick()
        capsys.readouterr()
        engine._store.pointer.parent.mkdir(parents=True, exist_ok=True)
        engine._store.pointer.write_text("{}")
        engine._tick()
        engine._tick()
        printed = capsys.readouterr()  # where logs go depends on whether a command has run in this process
        assert (printed.out + printed.err).count("model_changed") == told
        engine._store.pointer.unlink()


def test_a_camera_that_is_added_later_and_does_not_answer_is_told(
    run: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.deepstream.source.SILENT_SECONDS", 1.0)
    running = run(f"  a: {{uri: {clip}}}")
    until(lambda: looked(running, "a") > 2)
    running.add("missing", settings_of(tmp_path, '  missing: {uri: "rtsp://127.0.0.1:1/nothing"}'))
    until(lambda: "refused" in (running.source("missing").state.reason or ""))
    assert running.source("missing").state.phase == "retrying"


def test_a_refused_log_in_is_not_tried_again_at_once(run: Any, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = "the log-in is refused; check `username:` and `password:`"
    monkeypatch.setattr("pipeline.deepstream.source.why_not_open", lambda camera: refused)
    running = run(f"  a: {{uri: {clip}}}")
    source = running.source("a")
    source.camera = Camera(uri="rtsp://127.0.0.1:1/x", username="viewer", password="wrong")  # type: ignore[arg-type]
    source.lost("silent")
    until(lambda: source.due_at > time.monotonic() + 30)


def test_why_a_camera_gives_nothing_is_told_while_it_is_still_tried(
    run: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.deepstream.source.ASK_SECONDS", 0.5)
    running = run(f"  a: {{uri: {clip}}}")
    until(lambda: looked(running, "a") > 2)
    running.add("missing", settings_of(tmp_path, '  missing: {uri: "rtsp://127.0.0.1:1/nothing"}'))
    missing = running.source("missing")
    until(lambda: "connection refused" in (missing.state.reason or ""))
    assert missing.state.phase == "connecting"
    refused = "the log-in is refused; check `username:` and `password:`"
    monkeypatch.setattr("pipeline.deepstream.source.why_not_open", lambda camera: refused)
    missing.camera = Camera(uri="rtsp://127.0.0.1:1/x", username="viewer", password="wrong")  # type: ignore[arg-type]
    missing.enter("connecting")
    until(lambda: missing.number is None and missing.due_at > time.monotonic() + 30)
    assert (missing.state.phase, missing.state.reason) == ("retrying", refused)
