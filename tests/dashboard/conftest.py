"""A dashboard over a real database, Redis and broker, each test with its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import argon2
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from dashboard.app import create_app
from dashboard.context import attached
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.embedded.servers import redis_server_path
from spotter.settings import Settings, loads

from .gym import GYM, AuthActions, Command, Gym, Process, free_port


@pytest.fixture(scope="session", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Passwords hashed with little work, which is what makes real ones strong and a hundred tests slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dashboard.users._hasher", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        patch.setattr("dashboard.users._NOBODY", "not a hash")
        yield


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    server = Process([redis_server_path(), "--port", str(port), "--save", "", "--bind", "127.0.0.1"], port, folder)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")  # not on everybody's PATH
    if binary is None:
        pytest.skip("needs mosquitto (apt install mosquitto)")
    folder, port = tmp_path_factory.mktemp("mosquitto"), free_port()
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    server = Process([binary, "-c", "mosquitto.conf"], port, folder)
    yield server
    server.kill()


@pytest.fixture
def settings(tmp_path: Path, redis_server: Process, broker: Process) -> Settings:
    if redis_server.process is None:
        redis_server.start()
    if broker.process is None:
        broker.start()
    servers = {
        "SPOTTER_REDIS_URL": f"redis://127.0.0.1:{redis_server.port}/0",
        "SPOTTER_MQTT_URL": f"mqtt://127.0.0.1:{broker.port}",
    }
    return loads(GYM, base=tmp_path, environment=servers)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, made by the migrations once."""
    path = tmp_path_factory.mktemp("database") / "spotter.db"
    opened = open_database(f"sqlite:///{path}")
    upgrade(opened)
    opened.dispose()
    return path


@pytest.fixture
def engine(settings: Settings, empty_database: Path) -> Iterator[Engine]:
    """The test's own database."""
    settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database, settings.sqlite_path)
    opened = open_database(settings.database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def gym(settings: Settings, engine: Engine) -> Iterator[Gym]:
    """A gym with an empty database and an empty Redis."""
    assert settings.redis is not None
    client = redis.Redis.from_url(settings.redis.url.get_secret_value())
    client.flushall()
    yield Gym(settings, engine, client)
    client.close()


@pytest.fixture
def app(gym: Gym) -> Iterator[Flask]:
    made = create_app(gym.settings, {"TESTING": True})
    yield made
    attached(made).watcher.stop()
    attached(made).engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def auth(client: FlaskClient) -> AuthActions:
    return AuthActions(client)


@pytest.fixture
def signed_in(gym: Gym, client: FlaskClient, auth: AuthActions) -> FlaskClient:
    """A client that is signed in as the owner Olga."""
    gym.add()
    assert auth.login().status_code == 302
    return client


@pytest.fixture
def run(gym: Gym) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start(*arguments: str, text: str | None = None) -> Command:
        started.append(Command(gym, *arguments, text=text))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()
