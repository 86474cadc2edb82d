"""What a usage worker says of itself, beside others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from consumers.usage import Usage
from spotter import redis_keys
from spotter.settings import Settings, loads

from .servers import Server
from .test_ingest import eventually


@pytest.fixture
def settings(tmp_path: Path, broker: Server, redis_process: Server) -> Callable[[str], Settings]:
    """Settings with two shards and some database."""

    def make(database: str) -> Settings:
        text = (
            f"shards: 2\nmqtt: {{url: 'mqtt://127.0.0.1:{broker.port}'}}\n"
            f"redis: {{url: 'redis://127.0.0.1:{redis_process.port}/0'}}\ndatabase: {{url: '{database}'}}\n"
        )
        return loads(text, base=tmp_path, environment={})

    return make


@pytest.fixture
def run(settings: Callable[[str], Settings]) -> Iterator[Callable[[str, list[int]], None]]:
    """Start a worker on a database for some shards."""
    stop = threading.Event()
    threads = []

    def start(database: str, shards: list[int]) -> None:
        threads.append(threading.Thread(target=Usage(settings(database), shards, 2, stop).run))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)


def test_each_shard_has_its_own_sign_of_life(
    run: Callable[[str, list[int]], None], redis_process: Server, tmp_path: Path
) -> None:
    store = redis.Redis(host="127.0.0.1", port=redis_process.port)

    def state(shard: int) -> tuple[str, str | None] | None:
        proof = store.get(redis_keys.heartbeat("usage", shard))
        return None if proof is None else (json.loads(str(proof, "utf-8")))["state"]

    run(f"sqlite:///{tmp_path}/spotter.db", [1])
    eventually(lambda: state(1) == "ok")
    assert state(0) is None, "nobody runs for it"
    run("postgresql+psycopg://nobody@127.0.0.1:1/none", [0, 1])
    eventually(lambda: state(0) == "degraded")
    assert state(1) == "ok", "another worker holds it"
    store.close()
