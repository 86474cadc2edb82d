"""Servers and settings that the consumers' tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the [server] extra")
pytest.importorskip("redis", reason="needs the [server] extra")

import redis

from spotter.settings import Settings, loads

from .servers import Postgresql, Server, mosquitto, redis_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    cluster = Postgresql()
    cluster.start()
    yield cluster
    if cluster.server.process is not None and cluster.server.process.poll() is None:
        cluster.stop()
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/spotter.db"
    return request.getfixturevalue("postgresql").url(f"test_{next(_numbers)}")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    server = mosquitto(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_process(tmp_path: Path) -> Iterator[Server]:
    server = redis_server(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(redis_process: Server) -> Iterator[redis.Redis]:
    client = redis.Redis(host="127.0.0.1", port=redis_process.port)
    yield client
    client.close()


@pytest.fixture
def gym(tmp_path: Path) -> Callable[..., Settings]:
    """Settings from YAML text."""

    def read(text: str) -> Settings:
        return loads(text, base=tmp_path, environment={})

    return read
