"""`spotter pipeline` as a process, with a real broker and real files."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from spotter.events import Committed, PreviewRequest, Scene, Status, parse

from .broker import Listener, Mosquitto, free_port
from .process import Pipeline, settings_for
from .rtsp_camera import RtspCamera, encode_h264
from .staging import GREEN_PERSON, RED_KETTLEBELL, write_clip
from .weights import write_weights


def busy_room(at: float):
    left = 20 + int(at * 60) % 200
    return [(GREEN_PERSON, (left, 20, left + 50, 160)), (RED_KETTLEBELL, (250, 130, 280, 160))]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 3, busy_room)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "constant.onnx")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    running: list[Pipeline] = []

    def run(settings: dict[str, object], *arguments: str) -> Pipeline:
        pipeline = Pipeline(tmp_path, settings, *arguments)
        running.append(pipeline)
        return pipeline

    yield run
    for pipeline in running:
        pipeline.process.kill()
        pipeline.process.wait()
        pipeline.log.close()


def status_of(camera: str, state: str) -> Callable[[str, bytes], bool]:
    return lambda topic, payload: topic == f"spotter/downtown/{camera}/status" and parse(Status, payload).state == state


def scene_of(camera: str) -> Callable[[str, bytes], bool]:
    return lambda topic, _: topic == f"spotter/downtown/{camera}/scene"


def test_scenes_and_health_are_published_and_a_stop_is_quick_and_told(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    pipeline = start(settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}}))
    listener.until(status_of("rack", "online"), 20)
    scenes = [parse(Scene, listener.until(scene_of("rack"))[1]) for _ in range(1)]
    assert scenes[0].site == "downtown"
    began = time.monotonic()
    pipeline.process.send_signal(signal.SIGTERM)
    code, text = pipeline.ends(5)
    assert code == 0, text
    assert time.monotonic() - began < 3
    _, last = listener.until(status_of("rack", "offline"), 2)
    assert parse(Status, last).reason == "the pipeline was stopped"


def test_a_killed_pipeline_is_offline_for_every_camera_and_goes_on_where_it_was(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    cameras = {name: {"uri": str(clip), "loop": True} for name in ("rack", "floor")}
    settings = settings_for(mosquitto, weights, cameras)
    pipeline = start(settings)
    listener.until(status_of("rack", "online"), 20)
    before = parse(Scene, listener.until(scene_of("rack"))[1])
    pipeline.process.kill()
    offline = set()
    while len(offline) < 2:
        topic, payload = listener.until(lambda topic, _: topic.endswith("/status"))
        if parse(Status, payload).state == "offline":
            offline.add(topic)
    start(settings)
    seqs, ids = [], set()
    while not seqs or max(seqs) < 4:
        scene = parse(Scene, listener.until(scene_of("rack"), 20)[1])
        assert scene.stream == before.stream
        seqs.append(scene.seq)
        ids |= {one.id for one in scene.objects}
    assert sorted(set(seqs)) == list(range(max(seqs) + 1)), "what was not committed comes again, with no hole"
    assert len({one.split("-")[0] for one in ids}) == 2, "a restart begins new tracks"


def test_one_bad_camera_never_stops_the_others(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    cameras = {
        "gone": {"uri": f"rtsp://127.0.0.1:{free_port()}/x", "username": "viewer", "password": "hunter2hunter2"},
        "missing": {"uri": "no-such.mp4"},
        "once": {"uri": str(clip)},
        "good": {"uri": str(clip), "loop": True},
    }
    pipeline = start(settings_for(mosquitto, weights, cameras))
    found: dict[str, Status] = {}
    scenes: dict[str, list[Scene]] = {}

    def collect(topic: str, payload: bytes) -> bool:
        camera, leaf = topic.split("/")[2:4]
        if leaf == "status":
            found[camera] = parse(Status, payload)
        elif leaf == "scene":
            scenes.setdefault(camera, []).append(parse(Scene, payload))
        reasons = {camera: status.reason or "" for camera, status in found.items()}
        return (
            "connection refused" in reasons.get("gone", "")
            and "no such file" in reasons.get("missing", "")
            and "the file has ended" in reasons.get("once", "")
            and found["good"].state == "online"
        )

    listener.until(collect, 30)
    assert all(found[camera].state == "offline" for camera in ("gone", "missing", "once"))
    listener.until(lambda topic, payload: collect(topic, payload) and scenes["once"][-1].picture is False, 10)
    assert any(scene.objects for scene in scenes["good"])
    assert not scenes["gone"][0].picture
    assert "hunter2" not in pipeline.text()


def test_committed_scenes_leave_the_outbox_of_a_running_pipeline(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    start(settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}}))
    scene = parse(Scene, listener.until(scene_of("rack"), 20)[1])
    committed = Committed(stream=scene.stream, seq=scene.seq)
    listener.say("spotter/downtown/rack/committed", committed.to_json(), retain=True)
    _, payload = listener.until(
        lambda topic, payload: scene_of("rack")(topic, payload) and parse(Scene, payload).floor > scene.seq, 10
    )
    assert parse(Scene, payload).seq > scene.seq


def test_previews_come_while_they_are_asked_for(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    start(settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}}))
    listener.until(status_of("rack", "online"), 20)
    listener.say("spotter/downtown/rack/preview/set", PreviewRequest(seconds=2).to_json())
    pictures, began = [], time.monotonic()
    while time.monotonic() - began < 4:
        topic, payload = listener.until(lambda *_: True)
        if topic.endswith("/preview"):
            pictures.append((time.monotonic() - began, payload))
    assert 3 <= len(pictures) <= 13
    assert all(payload.startswith(b"\xff\xd8") for _, payload in pictures)
    assert pictures[-1][0] < 3


def test_metrics_are_served(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    port = free_port()
    settings = settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}})
    start(settings, "--metrics-port", str(port))
    listener.until(status_of("rack", "online"), 20)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'spotter_captured_fps{camera="rack"}' in text
    assert 'spotter_outbox_scenes{camera="rack"}' in text


def test_a_broker_that_refuses_the_password_ends_it_with_one_clear_line(
    tmp_path: Path, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    broker = Mosquitto(folder, password=("gym", "right"))
    try:
        settings = settings_for(broker, weights, {"rack": {"uri": str(clip)}})
        settings["mqtt"] = {"url": f"mqtt://127.0.0.1:{broker.port}", "username": "gym", "password": "wrong-word"}
        code, text = start(settings).ends()
    finally:
        broker.kill()
    assert code == 1
    assert [line for line in text.splitlines() if line.startswith("error:")] == [text.splitlines()[-1]]
    assert "refused the log-in" in text
    assert "wrong-word" not in text


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"model": "missing.onnx"}, 1, "no such file"),
        ({"model": "log"}, 1, "not a readable ONNX model"),
        ({"mqtt": None}, 2, "no MQTT broker"),
        ({"cameras": {}}, 2, "no camera in the settings"),
        ({"cameras": {"rack": {"uri": "x.mp4", "fps": 5}}}, 2, "unknown setting"),
    ],
)
def test_a_mistake_in_the_settings_is_one_line_and_the_right_exit_code(
    weights: Path, start: Callable[..., Pipeline], change: dict[str, object], code: int, reason: str
) -> None:
    settings: dict[str, object] = {
        "model": str(weights),
        "mqtt": {"url": "mqtt://127.0.0.1:1"},
        "cameras": {"rack": {"uri": "x.mp4"}},
    }
    merged = {key: value for key, value in (settings | change).items() if value is not None}
    found, text = start(merged).ends()
    assert found == code, text
    assert len(text.strip().splitlines()) == 1
    assert text.startswith("error: ")
    assert reason in text


def test_a_second_pipeline_on_the_same_data_is_refused(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    settings = settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}})
    start(settings)
    listener.until(status_of("rack", "online"), 20)
    code, text = start(settings).ends()
    assert code == 1
    assert "another pipeline uses it" in text


def test_a_stop_is_quick_while_camera_and_broker_hang(
    weights: Path, clip: Path, tmp_path: Path, start: Callable[..., Pipeline]
) -> None:
    stream = encode_h264(clip, tmp_path / "clip.h264")
    camera = RtspCamera(stream)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        cameras = {"stuck": {"uri": camera.uri}, "mute": {"uri": f"rtsp://127.0.0.1:{port}/x"}}
        pipeline = start(
            {"model": str(weights), "data": "data", "mqtt": {"url": f"mqtt://127.0.0.1:{port}"}, "cameras": cameras}
        )
        deadline = time.monotonic() + 20
        while not camera.opened and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        camera.silence = True
        time.sleep(1)
        began = time.monotonic()
        pipeline.process.send_signal(signal.SIGINT)
        code, text = pipeline.ends(6)
    camera.close()
    assert code == 0, text
    assert time.monotonic() - began < 3
    assert "Traceback" not in text


def test_without_a_broker_scenes_wait_on_disk(
    mosquitto: Mosquitto, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    mosquitto.kill()
    start(settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}}))
    time.sleep(6)
    mosquitto.start()
    hearing = Listener(mosquitto, "spotter/downtown/rack/scene")
    scenes = [json.loads(hearing.next(20)[1]) for _ in range(3)]
    hearing.close()
    assert 0 in [scene["seq"] for scene in scenes]


def test_cameras_come_go_and_change_while_the_others_go_on(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    looping: dict[str, object] = {"uri": str(clip), "loop": True}
    before = settings_for(mosquitto, weights, {"stays": looping, "changes": looping, "goes": looping})
    pipeline = start(before)
    states: dict[str, Status] = {}
    scenes: dict[str, list[Scene]] = {}

    def collect(topic: str, payload: bytes) -> None:
        camera, leaf = topic.split("/")[2:4]
        if leaf == "status":
            states[camera] = parse(Status, payload)
        elif leaf == "scene":
            scenes.setdefault(camera, []).append(parse(Scene, payload))

    def until(condition: Callable[[], bool]) -> None:
        listener.until(lambda topic, payload: collect(topic, payload) or condition(), 30)

    def all_seen(*cameras: str) -> bool:
        online = all(states.get(one) and states[one].state == "online" for one in cameras)
        return online and all(prefixes(scenes.get(one, [])) for one in cameras)  # an object, not just a scene

    until(lambda: all_seen("stays", "changes", "goes"))
    scenes_before = dict(scenes)
    scenes.clear()
    after = settings_for(
        mosquitto, weights, {"stays": looping, "changes": looping | {"detect_fps": 4}, "comes": looping}
    )
    pipeline.read_again(yaml.safe_dump(after))
    until(lambda: all_seen("stays", "changes", "comes") and states["goes"].state == "offline")
    assert states["goes"].reason == "the camera was taken out of the settings"
    until(lambda: prefixes(scenes["changes"]) - prefixes(scenes_before["changes"]) != set())
    until(lambda: len(scenes["stays"]) > 3)
    assert prefixes(scenes["stays"]) == prefixes(scenes_before["stays"]), "who stays is not disturbed"
    assert {one.stream for one in scenes["changes"]} == {one.stream for one in scenes_before["changes"]}
    opened = [line for line in pipeline.text().splitlines() if "camera_playing" in line]
    assert sum("stays" in line for line in opened) == 1
    assert sum("changes" in line for line in opened) == 2


def test_new_settings_with_a_mistake_change_nothing(
    mosquitto: Mosquitto, listener: Listener, weights: Path, clip: Path, start: Callable[..., Pipeline]
) -> None:
    pipeline = start(settings_for(mosquitto, weights, {"rack": {"uri": str(clip), "loop": True}}))
    listener.until(status_of("rack", "online"), 20)
    pipeline.read_again("cameras: {rack: {uri: 7, colour: red}}")
    deadline = time.monotonic() + 20
    while "settings_refused" not in pipeline.text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    first = parse(Scene, listener.until(scene_of("rack"), 10)[1])
    # What nobody has committed comes again meanwhile.
    listener.until(lambda topic, text: scene_of("rack")(topic, text) and parse(Scene, text).seq > first.seq, 15)


def prefixes(scenes: list[Scene]) -> set[str]:
    """What the ids of a run of tracks begin with."""
    return {one.id.split("-")[0] for scene in scenes for one in scene.objects}
