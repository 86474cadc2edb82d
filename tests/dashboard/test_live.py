"""What is true now: worked out from real messages in a real Redis, and said when it is not known."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import paho.mqtt.client as paho
import pytest
from flask import Flask
from flask.testing import FlaskClient
from paho.mqtt.enums import CallbackAPIVersion

from dashboard.context import attached
from dashboard.live.cameras import Heard, tile
from dashboard.live.freshness import STALE_SECONDS, Freshness
from spotter import catalog, redis_keys, topics
from spotter.events import PreviewRequest, Scene, SceneObject, Status, parse

from .gym import Gym, Process, wait_for

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
NOW = datetime(2026, 11, 22, 18, tzinfo=timezone.utc)


def camera(client: FlaskClient, name: str) -> dict[str, Any]:
    events = client.get("/live/state").get_json()["events"]
    return next((document for kind, document in events if kind == "camera" and document["camera"] == name), {})


def parts(client: FlaskClient) -> dict[str, dict[str, Any]]:
    events = client.get("/live/state").get_json()["events"]
    return {part["part"]: part for kind, document in events if kind == "health" for part in document["parts"]}


# Freshness: whose clock counts


def test_a_value_from_yesterday_is_old_when_first_seen() -> None:
    assert Freshness().age("camera", "value", 86_400, now=100) == 86_400


def test_a_wrong_clock_elsewhere_does_not_make_a_live_camera_look_dead() -> None:
    freshness = Freshness()
    freshness.age("camera", 1, 3600, now=100)  # its clock is an hour late
    assert freshness.age("camera", 2, 3600, now=101) == 0
    assert freshness.age("camera", 2, 3601, now=105) == 4


def test_a_clock_that_is_ahead_does_not_keep_a_dead_camera_alive() -> None:
    freshness = Freshness()
    assert freshness.age("camera", 1, -3600, now=100) == 0
    assert freshness.age("camera", 1, -3580, now=120) == 20


# Tiles


def a_scene(*labels: str, picture: bool = True) -> Scene:
    return Scene(
        site="downtown",
        camera="free-weights",
        stream="01",
        seq=1,
        floor=0,
        time=NOW,
        frame=(1280, 720),
        picture=picture,
        objects=tuple(
            SceneObject(id=str(n), label=label, score=0.9, box=(0, 0, 1, 1), moving=False, since=NOW)
            for n, label in enumerate(labels)
        ),
    )


ONLINE = Status(state="online", time=NOW)


@pytest.mark.parametrize(
    ("heard", "blind", "state"),
    [
        (Heard(ONLINE, 1, a_scene(), 1), None, "online"),
        (Heard(ONLINE, 20, a_scene(), 1), None, "online"),
        (Heard(ONLINE, 1, a_scene(), 20), None, "degraded"),
        (Heard(ONLINE, 20, a_scene(), 20), None, "offline"),
        (Heard(Status(state="degraded", time=NOW, reason="slow"), 1, a_scene(), 1), None, "degraded"),
        (Heard(Status(state="offline", time=NOW), 1, a_scene(), 1), None, "offline"),
        (Heard(), None, "unknown"),
        (Heard(ONLINE, 1, a_scene(), 1), "Redis is down", "unknown"),
    ],
)
def test_the_state_of_a_camera(heard: Heard, blind: str | None, state: str) -> None:
    shown = tile("free-weights", heard, catalog.load(), blind)
    assert shown.state == state
    assert (shown.reason is None) == (state == "online")


def test_a_silent_camera_is_not_blamed_while_ingest_is_down() -> None:
    silent = Heard(ONLINE, 20, a_scene(), 20)
    assert tile("free-weights", silent, catalog.load(), None, deaf=True).state == "unknown"
    speaking = Heard(ONLINE, 1, a_scene(), 1)
    assert tile("free-weights", speaking, catalog.load(), None, deaf=True).state == "online"


def test_objects_are_counted_by_name_people_first_and_not_shown_when_stale() -> None:
    scene = a_scene("kettlebell", "person", "kettlebell", "squat_rack")
    shown = tile("free-weights", Heard(ONLINE, 1, scene, 1), catalog.load(), None)
    assert [(one["count"], one["name"]) for one in shown.counts] == [
        (1, "Person"),
        (2, "Kettlebells"),
        (1, "Squat rack"),
    ]
    old = tile("free-weights", Heard(ONLINE, 1, scene, STALE_SECONDS + 1), catalog.load(), None)
    assert old.objects == old.counts == ()
    assert old.seen == "2026-11-22T18:00:00.000Z"


# The chain in Redis


def test_a_scene_shows_within_a_second(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    wait_for(lambda: camera(signed_in, "free-weights").get("state") == "online")
    gym.scene("free-weights", "person", "kettlebell", moving=True)
    before = time.monotonic()
    wait_for(lambda: camera(signed_in, "free-weights")["counts"])
    assert time.monotonic() - before < 2
    shown = camera(signed_in, "free-weights")
    assert [item["name"] for item in shown["objects"]] == ["Person", "Kettlebell"]
    assert shown["frame"] == [1280, 720]


def test_cameras_of_another_box_are_shown_and_hostile_names_are_not(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    gym.status("upstairs")
    for name in (b"<script>", b"\xff\xfe", b"a/b"):
        gym.redis.hset(redis_keys.live_status(gym.site), name, b"{}")
    gym.redis.hset(redis_keys.live_scenes(gym.site), "kiosk", b"not json")
    wait_for(lambda: camera(signed_in, "upstairs"))
    events = signed_in.get("/live/state").get_json()["events"]
    names = [document["camera"] for kind, document in events if kind == "camera"]
    assert sorted(names) == ["free-weights", "kiosk", "upstairs"]


def test_a_camera_that_was_removed_long_ago_is_not_shown(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    gym.status("old", time=datetime.now(timezone.utc) - timedelta(hours=3))
    wait_for(lambda: camera(signed_in, "kiosk"))
    assert camera(signed_in, "old") == {}


def test_open_sessions_come_and_go(gym: Gym, signed_in: FlaskClient) -> None:
    def use() -> list[str]:
        events = signed_in.get("/live/state").get_json()["events"]
        return [one["name"] for kind, document in events if kind == "use" for one in document["sessions"]]

    gym.well()
    assert use() == []
    gym.session("kettlebell", datetime.now(timezone.utc), None)
    wait_for(lambda: use() == ["Kettlebell"])


def test_events_are_streamed(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    gym.scene("free-weights", "kettlebell")
    answer = signed_in.get("/live/events", buffered=False)
    assert answer.mimetype == "text/event-stream"
    text = ""
    for chunk in answer.iter_encoded():
        text += chunk.decode()
        if "event: ping" in text and '"kettlebell"' in text and "event: health" in text:
            break
    answer.close()
    for line in re.findall(r"^data: (.*)$", text, re.MULTILINE):
        json.loads(line)
    assert "event: use" in text


# Previews


def test_a_preview_is_private_fresh_and_asked_for_over_mqtt(
    gym: Gym, client: FlaskClient, signed_in: FlaskClient, app: Flask, broker: Process
) -> None:
    gym.well()
    asked: list[PreviewRequest] = []
    listener = paho.Client(CallbackAPIVersion.VERSION2)
    listener.on_message = lambda _, __, message: asked.append(parse(PreviewRequest, message.payload))
    listener.connect("127.0.0.1", broker.port)
    listener.subscribe(topics.preview_request("downtown", "kiosk"))
    listener.loop_start()
    address = "/cameras/downtown/kiosk/preview.jpg"
    try:
        wait_for(lambda: camera(signed_in, "kiosk"))
        time.sleep(0.3)  # the subscription
        assert signed_in.get(address).status_code == 204
        wait_for(lambda: asked)
        for _ in range(5):
            signed_in.get(address)
        assert len(asked) == 1
        assert asked[0].seconds == 10
    finally:
        listener.loop_stop()
    gym.preview("kiosk", JPEG)
    answer = signed_in.get(address)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/jpeg", JPEG)
    assert answer.headers["Cache-Control"] == "no-store"
    assert signed_in.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert app.test_client().get(address).status_code == 401


@pytest.mark.parametrize("path", ["elsewhere/kiosk", "downtown/nothing", "downtown/..", "downtown/%2e%2e%2fx"])
def test_previews_of_what_is_not_there(gym: Gym, signed_in: FlaskClient, path: str) -> None:
    gym.well()
    assert signed_in.get(f"/cameras/{path}/preview.jpg").status_code == 404


# Health


def test_healthy_and_what_strangers_read(gym: Gym, client: FlaskClient) -> None:
    gym.well()
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ok",
        "parts": dict.fromkeys(("database", "redis", "broker", "ingest", "usage", "cameras"), "ok"),
    }
    assert client.get("/livez").status_code == 200


def test_a_degraded_camera_with_a_secret_reason_is_explained_only_to_people(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    gym.status("kiosk", "offline", "no frame from rtsp://10.0.0.11/stream2")
    answer = wait_for(lambda: (got := signed_in.get("/healthz")).status_code == 503 and got)
    assert answer.get_json()["cameras"]["kiosk"]["reason"] == "no frame from rtsp://10.0.0.11/stream2"
    stranger = signed_in.application.test_client().get("/healthz")
    assert stranger.status_code == 503
    assert "10.0.0.11" not in stranger.text
    assert "kiosk" not in stranger.text
    assert stranger.get_json()["parts"]["cameras"] == "degraded"


def test_ingest_and_usage_without_a_sign_of_life(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    gym.redis.delete(redis_keys.heartbeat("ingest"))
    gym.beat("usage", "degraded", "the database is read-only")
    wait_for(lambda: parts(signed_in).get("ingest", {}).get("state") == "degraded", 15)
    wait_for(lambda: parts(signed_in)["usage"]["reason"] == "the database is read-only")
    assert signed_in.get("/healthz").status_code == 503


def test_of_several_usage_workers_that_of_the_sites_shard_counts(gym: Gym, request: pytest.FixtureRequest) -> None:
    gym.settings = gym.settings.model_copy(update={"shards": 4})
    assert redis_keys.shard_of(gym.site, 4) == 1
    signed_in: FlaskClient = request.getfixturevalue("signed_in")
    gym.well()
    wait_for(lambda: parts(signed_in)["ingest"]["state"] == "ok")
    assert parts(signed_in)["usage"]["state"] == "degraded", "only the worker of another shard lives"
    gym.beat("usage", shard=1)
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)


def test_a_heartbeat_that_stands_still_is_none(
    gym: Gym, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.live.redis_watch.STALE_SECONDS", 2.5)
    gym.well()
    gym.redis.persist(redis_keys.heartbeat("ingest"))
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    wait_for(lambda: (gym.beat("usage"), parts(signed_in)["ingest"]["state"] == "degraded")[1], 15)
    assert parts(signed_in)["usage"]["state"] == "ok"


def test_redis_down_and_back(gym: Gym, signed_in: FlaskClient, redis_server: Process) -> None:
    gym.well()
    gym.scene("free-weights", "kettlebell")
    wait_for(lambda: camera(signed_in, "free-weights").get("counts"))
    redis_server.kill()
    try:
        wait_for(lambda: parts(signed_in)["redis"]["state"] == "degraded", 15)
        wait_for(lambda: camera(signed_in, "free-weights")["state"] == "unknown", 15)
        assert camera(signed_in, "free-weights")["objects"] == []
        assert signed_in.get("/healthz").status_code == 503
        assert signed_in.get("/sessions").status_code == 200
        assert signed_in.get("/cameras/downtown/kiosk/preview.jpg").status_code == 204
    finally:
        redis_server.start()
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200, 15)


def test_a_redis_that_hangs_is_noticed(gym: Gym, signed_in: FlaskClient, redis_server: Process) -> None:
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    redis_server.pause()
    try:
        wait_for(lambda: parts(signed_in)["redis"]["state"] == "degraded", 15)
    finally:
        redis_server.resume()


def test_broker_down_and_back(gym: Gym, signed_in: FlaskClient, broker: Process) -> None:
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    broker.kill()
    try:
        wait_for(lambda: parts(signed_in)["broker"]["state"] == "degraded", 15)
        assert str(broker.port) in parts(signed_in)["broker"]["reason"]
    finally:
        broker.start()
    wait_for(lambda: (gym.well(), signed_in.get("/healthz").status_code == 200)[1], 20)


def test_a_database_without_tables_says_how_to_make_them(gym: Gym, signed_in: FlaskClient, app: Flask) -> None:
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    with gym.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE usage_sessions RENAME TO away")
    wait_for(lambda: parts(signed_in)["database"]["state"] == "degraded", 15)
    assert "spotter db upgrade" in parts(signed_in)["database"]["reason"]
    for path in ("/sessions", "/equipment", "/sessions.csv"):
        answer = signed_in.get(path)
        assert answer.status_code == 503
        assert "spotter db upgrade" in answer.text
    assert signed_in.get("/api/v1/sessions").status_code == 503
    with gym.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users RENAME TO away_too")
    assert signed_in.get("/").status_code == 503
    assert app.test_client().get("/healthz").status_code == 503


# Metrics and API


def test_metrics_are_for_this_machine_and_people_signed_in(gym: Gym, signed_in: FlaskClient, app: Flask) -> None:
    gym.well()
    gym.session("kettlebell", datetime.now(timezone.utc), None)
    wait_for(lambda: "spotter_open_sessions 1.0" in signed_in.get("/metrics").text)
    text = signed_in.get("/metrics").text
    assert 'spotter_cameras{state="online"} 2.0' in text
    assert 'spotter_part_up{part="redis"} 1.0' in text
    assert 'spotter_camera_detected_fps{camera="kiosk"} 4.9' in text
    assert 'spotter_http_requests_total{endpoint="auth.login",method="POST",status="302"} 1.0' in text
    stranger = app.test_client()
    assert stranger.get("/metrics").status_code == 200
    assert stranger.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 403
    # Through a proxy on this machine, everybody would look like this machine.
    assert stranger.get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code == 403


def test_the_api_describes_itself_and_refuses_strangers(gym: Gym, signed_in: FlaskClient, app: Flask) -> None:
    gym.well()
    assert "/api/v1/live" in signed_in.get("/api/v1/openapi.json").get_json()["paths"]
    assert app.test_client().get("/api/v1/openapi.json").status_code == 401
    assert app.test_client().get("/api/v1/live").status_code == 401
    wait_for(lambda: signed_in.get("/api/v1/live").get_json()["cameras"][0]["state"] == "online")
    assert signed_in.get("/api/v1/sessions?limit=0").status_code in (400, 422)
    assert signed_in.get("/api/v1/sessions?from=x").status_code == 422


def test_stopping_ends_open_streams_at_once(gym: Gym, signed_in: FlaskClient, app: Flask) -> None:
    gym.well()
    answer = signed_in.get("/live/events", buffered=False)
    chunks = answer.iter_encoded()
    next(chunks)
    before = time.monotonic()
    attached(app).watcher.stop()
    for _ in chunks:
        pass
    assert time.monotonic() - before < 3
