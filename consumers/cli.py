"""`spotter ingest`, `usage` and `dead`; what works on recorded scenes is in `tools`."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import click
import redis
from rich.console import Console
from rich.table import Column, Table

from consumers import dead as dead_letters
from consumers.connections import broker_of, open_redis
from spotter import settings as settings_module
from spotter.embedded.servers import with_embedded
from spotter.errors import ServerError, SpotterError
from spotter.metrics import serve_metrics
from spotter.mqtt import MqttClient
from spotter.settings import Settings

CONNECT_SECONDS = 10

_config = click.option(
    "--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file."
)


_metrics_port = click.option(
    "--metrics-port", type=click.IntRange(1, 65535), help="Serve Prometheus metrics on 127.0.0.1 here."
)


@click.command()
@_config
@_metrics_port
def ingest(config: Path, metrics_port: int | None) -> None:
    """Take scenes, status and previews from MQTT into Redis."""
    from consumers.ingest import Ingest

    if metrics_port is not None:
        serve_metrics(metrics_port)
    Ingest(_running(config), _stop_on_signals()).run()


@click.command()
@_config
@click.option("--shard", metavar="N/M", help="Only shard N of M, counted from 0; all of them unless given.")
@_metrics_port
def usage(config: Path, shard: str | None, metrics_port: int | None) -> None:
    """Turn scenes into usage sessions in the database."""
    from consumers.usage import Usage

    settings = _running(config)
    numbers, of = list(range(settings.shards)), settings.shards
    if shard is not None:
        number, of = _shard(shard)
        if of != settings.shards:
            raise click.BadParameter(f"the settings say `shards: {settings.shards}`, not {of}", param_hint="--shard")
        numbers = [number]
    if metrics_port is not None:
        serve_metrics(metrics_port)
    Usage(settings, numbers, of, _stop_on_signals()).run()


@click.group()
def dead() -> None:
    """List refused messages, or send them again."""


@dead.command("list")
@_config
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the payload.")
def list_letters(config: Path, limit: int, as_json: bool) -> None:
    """The newest refused messages, newest first."""
    letters = _on_redis(config, lambda client: dead_letters.letters(client, limit))
    if as_json:
        for letter in letters:
            click.echo(
                json.dumps(
                    {
                        "id": letter.id,
                        "at": letter.at,
                        "topic": letter.topic,
                        "cause": letter.cause,
                        "detail": letter.detail,
                        "bytes": letter.size,
                        "payload": letter.payload.decode(errors="replace"),
                    }
                )
            )
        return
    if not letters:
        click.echo("no refused messages")
        return
    table = Table(Column("id", no_wrap=True, min_width=18), "at", "topic", "bytes", "cause", "detail", box=None)
    for letter in letters:
        table.add_row(letter.id, letter.at, letter.topic, str(letter.size), letter.cause, letter.detail)
    Console(soft_wrap=True).print(table, markup=False)


@dead.command("replay")
@_config
@click.argument("ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that are kept.")
def replay_letters(config: Path, ids: tuple[str, ...], every: bool) -> None:
    """Send refused messages (by their IDS, or --all) to their topics again, and let go of them here.

    What is still refused comes back. A scene's place in its stream stays "refused": history is not rewritten.
    """
    if bool(ids) == every:
        raise click.UsageError("name the messages' ids, or --all")
    settings = _running(config)
    client = open_redis(settings)
    try:
        letters = dead_letters.letters(client, dead_letters.KEPT_LETTERS) if every else _letters(client, ids)
        sent = _send_again(settings, client, letters[::-1])
    except redis.RedisError as error:
        raise ServerError(f"redis: {error}; check `redis:` in the settings and that it runs") from error
    click.echo(f"sent {sent} of {len(letters)} again")


def _letters(client: redis.Redis, ids: tuple[str, ...]) -> list[dead_letters.DeadLetter]:
    found = [(identity, dead_letters.letter(client, identity)) for identity in ids]
    missing = [identity for identity, letter in found if letter is None]
    if missing:
        raise SpotterError(f"no refused message {', '.join(missing)}; see `spotter dead list`")
    return [letter for _, letter in found if letter is not None]


def _send_again(settings: Settings, client: redis.Redis, letters: list[dead_letters.DeadLetter]) -> int:
    confirmed = threading.Semaphore(0)
    mqtt = MqttClient(broker_of(settings), "", on_publish=lambda _: confirmed.release())
    mqtt.start()
    sent = 0
    try:
        mqtt.wait_connected(CONNECT_SECONDS)
        for letter in letters:
            if (
                not letter.whole
                or "+" in letter.topic
                or "#" in letter.topic
                or not letter.topic.startswith("spotter/")
            ):
                click.echo(f"{letter.id}: kept; it was cut, or has no topic to be sent to", err=True)
                continue
            if mqtt.publish(letter.topic, letter.payload) is None or not confirmed.acquire(timeout=CONNECT_SECONDS):
                raise ServerError(f"MQTT broker {mqtt.address}: did not take the message; {sent} were sent")
            dead_letters.remove(client, letter.id)
            sent += 1
    finally:
        mqtt.stop()
    return sent


def _running(config: Path) -> Settings:
    """The settings, with the embedded servers of a running `spotter up` where none is named."""
    return with_embedded(settings_module.load(config))


def _on_redis(config: Path, ask: Callable[[redis.Redis], Any]) -> Any:
    client = open_redis(_running(config))
    try:
        return ask(client)
    except redis.RedisError as error:
        raise ServerError(f"redis: {error}; check `redis:` in the settings and that it runs") from error


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and int(number) < int(of)):
        raise click.BadParameter(f"{text!r} is not N/M with N below M, such as 0/4", param_hint="--shard")
    return int(number), int(of)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def handle(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop
