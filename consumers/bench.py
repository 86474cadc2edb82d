"""`spotter bench consumers`: scenes a second from the broker into the database, each part on its own and together.

The parts are the real ones, as processes of their own. What is measured is not slowed by what makes the load: the
broker holds all scenes before ingest starts, and Redis before usage does.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
import redis
import yaml
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Engine, func, select

from spotter import redis_keys, topics
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.database.tables import CameraPositionRow
from spotter.embedded import servers
from spotter.errors import ServerError
from spotter.events import Scene, SceneObject
from spotter.mqtt import MqttClient
from spotter.settings import Mqtt

CAMERAS = 20
OBJECTS = 10
_START_SECONDS = 20
_STILL_SECONDS = 20


@click.command()
@click.option("--scenes", type=click.IntRange(min=1000), default=20_000, show_default=True, help="How many.")
@click.option("--database", help="A database to fill, such as postgresql+psycopg://…; a new SQLite file unless given.")
def bench_consumers(scenes: int, database: str | None) -> None:
    """Scenes a second from MQTT through Redis into the database, ten objects a scene."""
    with (
        tempfile.TemporaryDirectory(prefix="spotter-bench-") as name,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        bench = _Bench(Path(name), scenes, database, progress)
        rows = [("ingest alone", bench.ingest()), ("usage alone", bench.usage()), ("both, at once", bench.both())]
        click.echo(f"| {bench.described} | scenes/s |\n| --- | ---: |")
        for what, rate in rows:
            click.echo(f"| {what} | {rate:.0f} |")
    click.echo(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", err=True)


class _Bench:
    """The servers and parts of a measurement, in a folder of their own."""

    def __init__(self, folder: Path, scenes: int, database: str | None, progress: Progress) -> None:
        self._folder, self._scenes, self._progress = folder, scenes, progress
        self._broker_port, self._redis_port = servers.free_port(), servers.free_port()
        self._url = database or f"sqlite:///{folder / 'bench.db'}"
        self._site = f"bench-{int(time.time())}"
        self._config = folder / "gym.yaml"
        gym = {
            "site": self._site,
            "cameras": {f"camera-{i}": {"uri": "none.mp4"} for i in range(CAMERAS)},
            "mqtt": {"url": f"mqtt://{servers.HOST}:{self._broker_port}"},
            "redis": {"url": f"redis://{servers.HOST}:{self._redis_port}/0"},
            "database": {"url": self._url},
        }
        self._config.write_text(yaml.safe_dump(gym))
        self._sent = 0
        self.described = f"{scenes} scenes, {CAMERAS} cameras, {OBJECTS} objects, {self._url.split(':')[0]}"

    def ingest(self) -> float:
        """Broker to Redis."""
        with self._servers():
            with self._part("ingest"):
                self._wait(lambda: bool(self._redis.exists(redis_keys.heartbeat("ingest"))))
            self._publish()
            with self._part("ingest"):
                return self._rate("ingest", lambda: int(str(self._redis.xlen(redis_keys.scenes(0)))))

    def usage(self) -> float:
        """Redis to the database."""
        with self._servers():
            commands = self._redis.pipeline(transaction=False)
            for _, payload in self._payloads():
                commands.xadd(redis_keys.scenes(0), {redis_keys.SCENE_FIELD: payload})
            commands.execute()
            with self._part("usage"):
                return self._rate("usage", self._committed)

    def both(self) -> float:
        """Broker to the database."""
        with self._servers():
            with self._part("ingest"):
                self._wait(lambda: bool(self._redis.exists(redis_keys.heartbeat("ingest"))))
            self._publish()
            with self._part("usage"), self._part("ingest"):
                return self._rate("both", self._committed)

    def _payloads(self) -> Iterator[tuple[str, bytes]]:
        """(topic, scene) of a busy gym: half of the things move, people stand by some of them."""
        stream = f"S{self._sent}"
        self._sent += 1
        begin = datetime.now(timezone.utc) - timedelta(hours=2) + timedelta(minutes=30 * self._sent)
        since = begin - timedelta(minutes=1)
        for number in range(self._scenes):
            seq, camera = number // CAMERAS, f"camera-{number % CAMERAS}"
            shift = (seq % 40) / 200
            objects = []
            for i in range(OBJECTS):
                x, size = 0.05 + 0.07 * i + shift, (0.1 if i % 3 == 0 else 0.04)
                label = "person" if i % 3 == 0 else "kettlebell"
                box = (x, 0.4, min(1.0, x + size), 0.4 + size)
                objects.append(
                    SceneObject(id=f"t-{i}", label=label, score=0.8, box=box, moving=i % 2 == 0, since=since)
                )
            scene = Scene(
                site=self._site,
                camera=camera,
                stream=stream,
                seq=seq,
                floor=0,
                time=begin + timedelta(seconds=seq * 0.5),
                frame=(1280, 720),
                objects=tuple(objects),
            )
            yield topics.scene(self._site, camera), scene.to_json()

    def _publish(self) -> None:
        """Hand all scenes to the broker, which keeps them for ingest."""
        taken = threading.Semaphore(0)
        client = MqttClient(
            Mqtt(url=f"mqtt://{servers.HOST}:{self._broker_port}"), "", on_publish=lambda _: taken.release()
        )
        client.start()
        client.wait_connected(_START_SECONDS)
        for topic, payload in self._progress.track(self._payloads(), total=self._scenes, description="publishing"):
            if client.publish(topic, payload) is None:
                raise ServerError("the broker went away")
        for _ in range(self._scenes):
            taken.acquire()
        client.stop()

    def _rate(self, what: str, done: Callable[[], int]) -> float:
        """Scenes a second between the first that is done and the last; starting the process is left out."""
        start = done()
        task = self._progress.add_task(what, total=self._scenes)
        first: tuple[float, int] | None = None
        last, changed = start, time.monotonic() + _START_SECONDS
        while True:
            count, now = done(), time.monotonic()
            if count != last:
                last, changed = count, now
                if first is None:
                    first = (now, count)
                self._progress.update(task, completed=count - start)
            if first is not None and count - start >= self._scenes:
                return (count - first[1]) / max(now - first[0], 1e-6)
            if now - changed > _STILL_SECONDS:
                raise ServerError(f"{what}: stopped at {count - start} of {self._scenes} scenes{self._last_words()}")
            time.sleep(0.02)

    def _committed(self) -> int:
        row = CameraPositionRow
        query = select(func.coalesce(func.sum(row.seq + 1), 0)).where(row.site == self._site)
        with self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def _last_words(self) -> str:
        return "".join(f"\n{path.name}: {path.read_text()[-500:]}" for path in self._folder.glob("*.log"))

    @contextmanager
    def _servers(self) -> Iterator[None]:
        """A broker, Redis and the database's tables, with nothing in the first two."""
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if binary is None:
            raise ServerError("no mosquitto on the PATH; install it (apt install mosquitto): amqtt would be measured")
        broker = self._folder / "mosquitto.conf"
        broker.write_text(
            f"listener {self._broker_port} {servers.HOST}\nallow_anonymous true\npersistence false\n"
            "max_queued_messages 0\nmax_inflight_messages 500\n"
        )
        store = [servers.redis_server_path(), "--port", str(self._redis_port), "--bind", servers.HOST, "--save", ""]
        self._redis = redis.Redis(port=self._redis_port)
        self._engine: Engine = open_database(self._url)
        upgrade(self._engine)
        with ExitStack() as stack:
            stack.enter_context(self._process("broker", [binary, "-c", str(broker)]))
            stack.enter_context(self._process("redis", [*store, "--dir", str(self._folder)]))
            for port in (self._broker_port, self._redis_port):
                self._wait(functools.partial(_listens, port))
            yield
        self._engine.dispose()

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        command = [sys.executable, "-m", "spotter", name, "--config", str(self._config)]
        with self._process(name, command):
            yield

    @contextmanager
    def _process(self, name: str, command: list[str]) -> Iterator[None]:
        with (self._folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                yield
            finally:
                process.terminate()
                process.wait(10)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _holds(condition):
            if time.monotonic() > deadline:
                raise ServerError(f"a part of the bench did not start{self._last_words()}")
            time.sleep(0.05)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except redis.RedisError:
        return False


def _listens(port: int) -> bool:
    return not servers.port_is_free(servers.HOST, port)
