"""What ingest lets in, refuses, keeps and shows, on a real broker and Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from consumers import dead
from consumers.ingest import Ingest
from consumers.refusals import KEPT_BYTES, Refusal, check_scene
from spotter import redis_keys, topics
from spotter.cli import cli
from spotter.events import Status
from spotter.mqtt import MqttClient
from spotter.settings import Settings

from .scenes import START, kettlebell, scene
from .servers import Server

TOPIC = "spotter/gym/cam/scene"
NOW = START + timedelta(seconds=60)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


@pytest.fixture
def config(tmp_path: Path, broker: Server, redis_process: Server) -> Path:
    path = tmp_path / "gym.yaml"
    path.write_text(
        f"site: gym\ncameras: {{cam: {{uri: a.mp4}}}}\nmqtt: {{url: 'mqtt://127.0.0.1:{broker.port}'}}\n"
        f"redis: {{url: 'redis://127.0.0.1:{redis_process.port}/0'}}\n"
    )
    return path


@pytest.fixture
def ingest(config: Path, store: redis.Redis) -> Iterator[Ingest]:
    from spotter.settings import load

    stop = threading.Event()
    part = Ingest(load(config), stop)
    thread = threading.Thread(target=part.run)
    thread.start()
    eventually(lambda: store.exists(redis_keys.heartbeat("ingest")))
    yield part
    stop.set()
    thread.join(10)


@pytest.fixture
def publish(broker: Server, gym: Callable[[str], Settings]) -> Iterator[Callable[..., None]]:
    settings = gym(f"mqtt: {{url: 'mqtt://127.0.0.1:{broker.port}'}}")
    assert settings.mqtt is not None
    client = MqttClient(settings.mqtt, "")
    client.start()
    client.wait_connected(5)

    def send(topic: str, payload: bytes, **options: Any) -> None:
        assert client.publish(topic, payload, **options) is not None

    yield send
    client.stop()


def waiting(store: redis.Redis) -> list[dict[bytes, bytes]]:
    entries: Any = store.xrange(redis_keys.scenes(0))
    return [fields for _, fields in entries]


def raw(**changed: Any) -> bytes:
    values = json.loads(scene(1, [kettlebell("k", 0.5, 0.5)], seq=7).to_json())
    return json.dumps({**values, **changed}).encode()


def with_box(*box: Any) -> bytes:
    objects = json.loads(raw())["objects"]
    objects[0]["box"] = box
    return raw(objects=objects)


BAD = {
    "malformed JSON": (TOPIC, b'{"schema": "spotter.scene/1", "stream": "S1", "seq": 7, ', "malformed", 7),
    "not JSON at all": (TOPIC, b"\x00\xff\xfe", "malformed", None),
    "not UTF-8": (TOPIC, raw().replace(b"gym", b"g\xffm"), "malformed", 7),
    "an array": (TOPIC, b"[1, 2]", "malformed", None),
    "nested without end": (TOPIC, b"[" * 100_000, "malformed", None),
    "nothing": (TOPIC, b"", "malformed", None),
    "wrong type": (TOPIC, raw(objects="none"), "invalid", 7),
    "a seq that is none": (TOPIC, raw(seq="seven"), "invalid", None),
    "a seq below none": (TOPIC, raw(seq=-1), "invalid", None),
    "missing field": (TOPIC, raw(time=None), "invalid", 7),
    "box outside the frame": (TOPIC, with_box(0.5, 0.5, 1.2, 0.6), "invalid", 7),
    "box inside out": (TOPIC, with_box(0.6, 0.5, 0.5, 0.6), "invalid", 7),
    "box of no numbers": (TOPIC, with_box(0.1, 0.2, "a", None), "invalid", 7),
    "an infinite box": (TOPIC, raw().replace(b"0.475", b"1e999"), "invalid", 7),
    "time in 2099": (TOPIC, raw(time="2099-01-01T00:00:00Z"), "time", 7),
    "time in 1970": (TOPIC, raw(time="1970-01-01T00:00:00Z"), "time", 7),
    "no zone": (TOPIC, raw(time="2026-01-01T00:00:00"), "invalid", 7),
    "year 10000": (TOPIC, raw(time="9999-12-31T23:59:59-12:00"), "invalid", 7),
    "unknown major version": (TOPIC, raw(schema="spotter.scene/2"), "version", 7),
    "10 MB": (TOPIC, raw(more="x" * 10_000_000), "too_large", 7),
    "another camera's": (TOPIC, raw(camera="other"), "topic_mismatch", 7),
    "hostile topic": ("spotter/..;drop/cam/scene", raw(), "topic", None),
    "topic with a null's look": ("spotter/gym/ca m/scene", raw(), "topic", None),
    "a very long topic": (f"spotter/{'g' * 500}/cam/scene", raw(), "topic", None),
}


@pytest.mark.parametrize(("topic", "payload", "cause", "seq"), list(BAD.values()), ids=list(BAD))
def test_bad_scenes_are_refused_and_their_place_is_read_where_it_can_be(
    topic: str, payload: bytes, cause: str, seq: int | None
) -> None:
    refusal = check_scene(topic, payload, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.cause, refusal.seq) == (cause, seq)
    assert (refusal.marker() is None) == (seq is None)


def test_a_good_scene_with_fields_of_a_later_minor_version_passes() -> None:
    assert not isinstance(check_scene(TOPIC, raw(weather="fine"), NOW), Refusal)


def test_all_bad_input_at_once_stops_nothing(ingest: Ingest, store: redis.Redis, publish: Callable[..., None]) -> None:
    for topic, payload, _, _ in BAD.values():
        publish(topic, payload)
    publish(TOPIC, raw(seq=8))
    eventually(lambda: any(redis_keys.SCENE_FIELD.encode() in fields for fields in waiting(store)))
    eventually(lambda: store.xlen(redis_keys.DEAD_LETTERS) == len(BAD))
    letters = dead.letters(store, 100)
    assert sorted(letter.cause for letter in letters) == sorted(cause for _, _, cause, _ in BAD.values())
    (large,) = [letter for letter in letters if letter.cause == "too_large"]
    assert (len(large.payload), large.size > 10_000_000, large.whole) == (KEPT_BYTES, True, False)
    markers = [fields for fields in waiting(store) if redis_keys.REFUSED_FIELD.encode() in fields]
    assert len(markers) == sum(seq is not None for *_, seq in BAD.values())
    assert json.loads(markers[0][redis_keys.REFUSED_FIELD.encode()]) == {
        "site": "gym",
        "camera": "cam",
        "stream": "S1",
        "seq": 7,
    }


def test_scenes_go_on_as_received_and_the_newest_is_live(
    ingest: Ingest, store: redis.Redis, publish: Callable[..., None]
) -> None:
    channel = store.pubsub()
    channel.subscribe(redis_keys.changes("gym"))
    newer, older = scene(20, seq=2).to_json(), scene(10, seq=1).to_json()
    publish(TOPIC, newer)
    publish(TOPIC, older)
    eventually(lambda: len(waiting(store)) == 2)
    assert [fields[redis_keys.SCENE_FIELD.encode()] for fields in waiting(store)] == [newer, older]
    assert store.hget(redis_keys.live_scenes("gym"), "cam") == newer
    message = eventually(lambda: channel.get_message(ignore_subscribe_messages=True))
    assert json.loads(message["data"]) == {"kind": "scene", "camera": "cam"}


def test_an_ingest_started_anew_does_not_show_an_older_scene(
    store: redis.Redis, publish: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    newer = scene(20, seq=2).to_json()
    store.hset(redis_keys.live_scenes("gym"), "cam", newer)
    request.getfixturevalue("ingest")
    publish(TOPIC, scene(10, seq=1).to_json())
    eventually(lambda: waiting(store))
    assert store.hget(redis_keys.live_scenes("gym"), "cam") == newer


@pytest.mark.parametrize("stream", ["S1", "S2"], ids=["the same stream", "a new disk"])
def test_a_camera_whose_clock_was_set_back_goes_on_being_shown(
    store: redis.Redis, publish: Callable[..., None], request: pytest.FixtureRequest, stream: str
) -> None:
    now = datetime.now(timezone.utc)
    store.hset(redis_keys.live_scenes("gym"), "cam", raw(seq=7, time=(now + timedelta(hours=9)).isoformat()))
    request.getfixturevalue("ingest")
    first, second = (raw(seq=seq, stream=stream, time=now.isoformat()) for seq in (8, 9))
    publish(TOPIC, first)
    eventually(lambda: store.hget(redis_keys.live_scenes("gym"), "cam") == first)
    publish(TOPIC, second)
    publish(TOPIC, raw(seq=6, time=now.isoformat()))
    eventually(lambda: len(waiting(store)) == 3)
    assert store.hget(redis_keys.live_scenes("gym"), "cam") == second


def test_status_and_previews_are_shown(ingest: Ingest, store: redis.Redis, publish: Callable[..., None]) -> None:
    status = Status(state="online", time=START).to_json()
    publish("spotter/gym/cam/status", status)
    publish("spotter/gym/cam/status", b'{"state": "sleepy"}')
    publish("spotter/gym/cam/preview", b"\xff\xd8 a picture", qos=0)
    publish("spotter/gym/cam/preview", b"<html>", qos=0)
    eventually(lambda: store.xlen(redis_keys.DEAD_LETTERS) == 2)
    assert b"<html>" not in {letter.payload for letter in dead.letters(store, 2)}, "of a picture nothing is kept"
    assert store.hget(redis_keys.live_status("gym"), "cam") == status
    assert store.get(redis_keys.preview("gym", "cam")) == b"\xff\xd8 a picture"
    assert 0 < int(str(store.ttl(redis_keys.preview("gym", "cam")))) <= 10


def test_what_comes_while_ingest_is_away_is_kept_by_the_broker(
    config: Path, store: redis.Redis, publish: Callable[..., None]
) -> None:
    from spotter.settings import load

    for seqs in ((1,), (2, 3)):  # the second time, it was published while nobody listened
        stop = threading.Event()
        thread = threading.Thread(target=Ingest(load(config), stop).run)
        if seqs != (1,):
            for seq in seqs:
                publish(TOPIC, scene(seq, seq=seq).to_json())
        thread.start()
        if seqs == (1,):
            eventually(lambda: store.exists(redis_keys.heartbeat("ingest")))
            publish(TOPIC, scene(1, seq=1).to_json())
        expected = seqs[-1]
        eventually(lambda expected=expected: len(waiting(store)) == expected)
        stop.set()
        thread.join(10)


def test_dead_letters_are_listed_and_sent_again(
    ingest: Ingest, store: redis.Redis, publish: Callable[..., None], config: Path
) -> None:
    publish(TOPIC, raw(schema="spotter.scene/2"))
    eventually(lambda: store.xlen(redis_keys.DEAD_LETTERS) == 1)
    run = CliRunner()
    listed = run.invoke(cli, ["dead", "list", "--json", "--config", str(config)], catch_exceptions=False)
    (letter,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (letter["topic"], letter["cause"]) == (TOPIC, "version")
    assert "version" in run.invoke(cli, ["dead", "list", "--config", str(config)]).output
    again = run.invoke(cli, ["dead", "replay", letter["id"], "--config", str(config)], catch_exceptions=False)
    assert again.stdout == "sent 1 of 1 again\n"
    back = eventually(lambda: [one for one in dead.letters(store, 10) if one.id != letter["id"]])
    assert [one.cause for one in back] == ["version"]
    assert dead.letter(store, letter["id"]) is None


def test_dead_letters_of_old_are_let_go(store: redis.Redis) -> None:
    dead.add(store, TOPIC, b"{}", Refusal("invalid", "no"))
    store.xadd(redis_keys.DEAD_LETTERS, {"topic": "later"})
    old = int((time.time() - 31 * 86400) * 1000)
    store.delete(redis_keys.DEAD_LETTERS)
    store.xadd(redis_keys.DEAD_LETTERS, {"topic": "old"}, id=f"{old}-0")
    store.xadd(redis_keys.DEAD_LETTERS, {"topic": "new"})
    dead.trim(store, keep_days=30)
    assert [letter.topic for letter in dead.letters(store, 10)] == ["new"]


def test_a_subscription_covers_what_cameras_publish() -> None:
    assert topics.parse_camera_topic(TOPIC) == ("gym", "cam", "scene")
