"""What a dashboard is measured in: a Redis, a broker, and what ingest and the usage worker leave for it."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from spotter import redis_keys
from spotter.embedded import servers
from spotter.embedded.servers import EmbeddedServers
from spotter.errors import ServerError
from spotter.events import FramesPerSecond, Scene, SceneObject, Status
from spotter.thoughts import ANSWER_SECONDS, Thought, Thoughts, Zone

START_SECONDS = 30.0
BEAT_SECONDS = 1.0
LASTS_SECONDS = 15


def redis_client(embedded: EmbeddedServers) -> redis.Redis:
    """A client that waits some seconds for a Redis that starts."""
    return redis.Redis.from_url(embedded.redis_url, retry=Retry(ConstantBackoff(0.1), 50))


@contextmanager
def running(folder: Path) -> Iterator[EmbeddedServers]:
    """The embedded servers, as `spotter up` starts them, with their data below `folder`. Raises ServerError."""
    embedded = servers.prepare(folder)
    commands = (
        [servers.redis_server_path(), str(servers.write_redis_configuration(folder, embedded))],
        [sys.executable, "-m", "spotter.embedded.broker"],
    )
    environment = {
        **os.environ,
        servers.BROKER_PASSWORD_VARIABLE: embedded.mqtt_password,
        servers.BROKER_PORT_VARIABLE: str(embedded.mqtt_port),
    }
    with (folder / "servers.log").open("w") as log:
        started = [subprocess.Popen(one, env=environment, stdout=log, stderr=log) for one in commands]
    try:
        deadline = time.monotonic() + START_SECONDS
        while any(servers.port_is_free(servers.HOST, port) for port in (embedded.mqtt_port, embedded.redis_port)):
            if time.monotonic() > deadline or any(process.poll() is not None for process in started):
                raise ServerError(f"the servers did not start: {(folder / 'servers.log').read_text()[-500:]}")
            time.sleep(0.05)
        yield embedded
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


@contextmanager
def life(embedded: EmbeddedServers, site: str, cameras: Sequence[str]) -> Iterator[None]:
    """A gym in which everything works: statuses, moving scenes, thoughts and proofs of life, once a second.

    They come from a process of their own, as those of ingest and the usage worker do.
    """
    _live_on(redis_client(embedded), site, cameras, 0)
    process = multiprocessing.get_context("spawn").Process(target=_live, args=(embedded, site, cameras), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def change(commands: Any, site: str, camera: str, number: int) -> None:
    """What ingest writes of a scene: ten people and things, of which one tells the change's number."""
    now = datetime.now(timezone.utc)
    shown: dict[str, Any] = {"score": 0.8, "box": (0.1, 0.1, 0.2, 0.4), "moving": True, "since": now}
    objects = (
        SceneObject(id=f"n{number}", label="kettlebell", **shown),
        *(SceneObject(id=f"p{other}", label="person", **shown) for other in range(9)),
    )
    scene = Scene(
        site=site, camera=camera, stream="B", seq=number, floor=0, time=now, frame=(1280, 720), objects=objects
    )
    status = Status(state="online", time=now, fps=FramesPerSecond(captured=15, detected=5))
    commands.hset(redis_keys.live_status(site), camera, status.to_json())
    commands.hset(redis_keys.live_scenes(site), camera, scene.to_json())
    commands.publish(redis_keys.changes(site), json.dumps({"kind": "scene", "camera": camera}))


def _live(embedded: EmbeddedServers, site: str, cameras: Sequence[str]) -> None:
    client = redis_client(embedded)
    for number in itertools.count(1):
        _live_on(client, site, cameras, number)
        time.sleep(BEAT_SECONDS)


def _live_on(client: redis.Redis, site: str, cameras: Sequence[str], number: int) -> None:
    with client.pipeline(transaction=False) as commands:
        for part in ("ingest", "usage"):
            commands.set(redis_keys.heartbeat(part), json.dumps({"state": "ok", "number": number}), ex=LASTS_SECONDS)
        for camera in cameras:
            change(commands, site, camera, number)
            thoughts = _thoughts(site, camera, number).model_dump_json()
            commands.set(redis_keys.thoughts(site, camera), thoughts, ex=ANSWER_SECONDS)
        commands.execute()


def _thoughts(site: str, camera: str, number: int) -> Thoughts:
    corners = ((0.1, 0.2), (0.4, 0.2), (0.4, 0.6), (0.1, 0.6))
    held = Thought(rule="kit", why="held", track=f"n{number}", holder="p0", label="kettlebell", session=True, seconds=9)
    inside = (Thought(rule="station", why="inside", track=f"p{one}", zone="mat", session=True) for one in range(9))
    return Thoughts(
        site=site,
        camera=camera,
        time=datetime.now(timezone.utc),
        layout_version=1,
        zones={"mat": Zone(kind="station", polygon=corners)},
        thoughts=(held, *inside),
    )
