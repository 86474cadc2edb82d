"""`spotter up` and `spotter demo`: everything on one machine, with embedded servers where none is named."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spotter import settings as settings_module
from spotter.commands.config import missing_files
from spotter.embedded import servers
from spotter.errors import ServerError, SettingsError, SpotterError
from spotter.settings import Settings
from spotter.supervisor import Part, Supervisor

TICK_SECONDS = 0.2

_STYLES = {"running": "green", "waiting": "dim", "restarting": "yellow", "stopped": "dim"}


@click.command()
@click.option("--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file.")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder, in the place of the settings' one.")
@click.option("--port", type=click.IntRange(0, 65535), help="Dashboard port, in the place of the settings' one.")
def up(config: Path, data: Path | None, port: int | None) -> None:
    """Run everything on this machine: servers, pipeline, consumers and dashboard. Ctrl-C stops all."""
    run(config, data=data, port=port)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default="spotter-data/demo",
    show_default=True,
    help="Where the demo keeps what it writes.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Dashboard port; 8000, or a free one, unless given.")
def demo(data: Path, port: int | None) -> None:
    """Run everything on the bundled footage."""
    config = Path(__file__).parents[1] / "demo" / "gym.yaml"
    if port is None and not servers.port_is_free("127.0.0.1", 8000):
        port = servers.free_port()
    run(config, data=data, port=port)


def run(config: Path, *, data: Path | None, port: int | None) -> None:
    """Start all parts of `config` and stay until a signal; raises SpotterError when a start can't succeed."""
    os.umask(0o077)  # what is kept is for this user alone: sessions, passwords, scenes
    environment = dict(os.environ)
    if data is not None:
        environment["SPOTTER_DATA"] = str(data.absolute())
    settings = settings_module.load(config, environment)
    if not settings.cameras:
        raise SettingsError(
            f"{config}: no camera; add one: `uri: clip.mp4`, or `cameras: {{front: {{uri: rtsp://…}}}}`"
        )
    missing = missing_files(settings, config)
    if len(missing) == len(settings.cameras):
        raise SettingsError(*missing.values())
    host, port = settings.dashboard.host, settings.dashboard.port if port is None else port
    if port and not servers.port_is_free(host, port):
        raise ServerError(f"dashboard: port {port} is in use; choose another with --port, or dashboard.port")
    # Fixed for this run: a restarted dashboard must come back under the address that was announced.
    port = port or servers.free_port(host)
    console = Console(stderr=False, soft_wrap=True)
    with _only_one(settings.data):
        plan = _plan(config, settings, environment, host, port)
        _check_redis(settings)
        _upgrade_database(settings)
        for line in (*missing.values(), *plan.announcements):
            console.print(line, highlight=False, markup=False)
        supervisor = Supervisor(
            plan.parts,
            settings.data / "logs",
            lambda line: console.print(line, highlight=False, markup=False),
        )
        _watch(supervisor, console, settings.data / "logs")


@dataclass(frozen=True, slots=True)
class _Plan:
    parts: list[Part]
    announcements: list[str]


def _plan(config: Path, settings: Settings, environment: dict[str, str], host: str, port: int) -> _Plan:
    """The parts to run, in the order in which they need each other, and what to tell the person."""
    parts: list[Part] = []
    announcements: list[str] = []
    shared = {key: environment[key] for key in ("SPOTTER_DATA",) if key in environment}
    shared.setdefault("SPOTTER_DATA", str(settings.data))
    if settings.mqtt is None or settings.redis is None:
        embedded = servers.prepare(settings.data)
        if settings.mqtt is None:
            shared["SPOTTER_MQTT_URL"] = embedded.mqtt_url
            parts.append(
                Part(
                    "broker",
                    [sys.executable, "-m", "spotter.embedded.broker"],
                    {
                        servers.BROKER_PASSWORD_VARIABLE: embedded.mqtt_password,
                        servers.BROKER_PORT_VARIABLE: str(embedded.mqtt_port),
                    },
                    ready=lambda: _listens(embedded.mqtt_port),
                )
            )
            announcements.append(
                f"MQTT: mosquitto_sub -h {servers.HOST} -p {embedded.mqtt_port} -u {servers.USERNAME} "
                f"-P {embedded.mqtt_password} -t 'spotter/#' -v"
            )
        if settings.redis is None:
            shared["SPOTTER_REDIS_URL"] = embedded.redis_url
            configuration = servers.write_redis_configuration(settings.data, embedded)
            parts.append(
                Part(
                    "redis",
                    [servers.redis_server_path(), str(configuration)],
                    ready=lambda: _listens(embedded.redis_port),
                )
            )
    spotter = [sys.executable, "-m", "spotter"]
    arguments = ["--config", str(config)]
    parts += [
        Part("ingest", [*spotter, "ingest", *arguments], shared),
        Part("usage", [*spotter, "usage", *arguments], shared),
        Part("pipeline", [*spotter, "pipeline", *arguments], shared),
        Part(
            "dashboard",
            [*spotter, "dashboard", *arguments, "--host", host, "--port", str(port)],
            shared,
            announces=True,
        ),
    ]
    return _Plan(parts, announcements)


def _check_redis(settings: Settings) -> None:
    """Ask a Redis server that the settings name for an answer. Raises ServerError, without its password."""
    if settings.redis is None:
        return
    import redis

    address = redis.Redis.from_url(settings.redis.url.get_secret_value(), socket_timeout=5, socket_connect_timeout=5)
    try:
        address.ping()
    except (redis.RedisError, OSError) as error:
        raise ServerError(f"Redis: {error}; check `redis:` in the settings and that it runs") from error
    finally:
        address.close()


def _upgrade_database(settings: Settings) -> None:
    from spotter.database.engine import open_database
    from spotter.database.migrate import upgrade

    engine = open_database(settings.database_url)
    upgrade(engine)
    engine.dispose()


def _watch(supervisor: Supervisor, console: Console, logs: Path) -> None:
    """Keep the parts running and their states on the screen until SIGINT or SIGTERM."""
    stopping: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    failed: Part | None = None
    shown: dict[str, str] = {}
    try:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while not stopping and failed is None:
                supervisor.tick()
                failed = supervisor.failed_to_start()
                if console.is_terminal:
                    live.update(_table(supervisor))
                else:
                    _print_changes(supervisor, console, shown)
                time.sleep(TICK_SECONDS)
        console.print("Stopping …", highlight=False)
    finally:
        supervisor.stop()
    if failed is not None:
        error = SpotterError(_reason(failed) + f" (log: {logs / failed.name}.log)")
        error.exit_code = failed.exit_code or 1
        raise error
    console.print("Stopped.", highlight=False)


def _reason(part: Part) -> str:
    """Why a part ended: in its own words where it had some."""
    if part.last_line.startswith("error: "):
        return part.last_line.removeprefix("error: ")
    if part.exit_code is not None and part.exit_code < 0:
        return f"killed by signal {-part.exit_code}"
    return f"{part.name} ended with exit code {part.exit_code}"


def _table(supervisor: Supervisor) -> Table:
    table = Table.grid(padding=(0, 2))
    now = time.monotonic()
    for part in supervisor.parts:
        table.add_row(Text(part.name, style="bold"), Text(part.state, style=_STYLES[part.state]), _note(part, now))
    return table


def _note(part: Part, now: float) -> str:
    if part.state == "restarting":
        return f"again in {max(0.0, part.restart_at - now):.0f} s: {_reason(part)[:100]}"
    if part.state == "running":
        again = f", restarted {part.restarts} times" if part.restarts else ""
        return f"for {now - part.started_at:.0f} s{again}"
    return ""


def _print_changes(supervisor: Supervisor, console: Console, shown: dict[str, str]) -> None:
    """Without a terminal: a line when a part's state changes."""
    for part in supervisor.parts:
        if shown.get(part.name) != part.state:
            detail = f" ({_reason(part)})" if part.state == "restarting" else ""
            console.print(f"{part.name}: {part.state}{detail}", highlight=False, markup=False)
            shown[part.name] = part.state


def _listens(port: int) -> bool:
    try:
        socket.create_connection((servers.HOST, port), timeout=0.2).close()
    except OSError:
        return False
    return True


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data folder: two runs on one would fight over its database and ports."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "up.lock").open("w")
    except OSError as error:
        raise ServerError(f"{data}: can't be written ({error.strerror}); choose another folder with --data") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ServerError(f"{data}: Spotter already runs on this data folder; stop it, or choose --data") from None
        yield
