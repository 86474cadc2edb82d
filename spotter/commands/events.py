"""`spotter events`: watch what a site publishes, or write the contract's documents."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click

from spotter import contract, topics
from spotter import settings as settings_module
from spotter.embedded.servers import with_embedded
from spotter.errors import SettingsError
from spotter.mqtt import MqttClient


@click.group()
def events() -> None:
    """Watch events, or write their schemas."""


def _filter(_: click.Context, __: click.Parameter, topic: str) -> str:
    if not topics.is_filter(topic):
        raise click.BadParameter(f"{topic!r} is no topic filter: `#` may only be the last level, `+` a whole one.")
    return topic


@events.command()
@click.option("--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file.")
@click.option("--data", help="Data folder of the `spotter up` to watch, if not the settings' one.")
@click.option("--topic", default=topics.ALL, show_default=True, callback=_filter, help="MQTT topic filter.")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after so long; until Ctrl-C unless given.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
def tail(config: Path, data: str | None, topic: str, seconds: float | None, count: int | None) -> None:
    """Print each event as `topic payload`, as it comes. Pictures are shown by their size."""
    environment = {**os.environ, "SPOTTER_DATA": str(Path(data).absolute())} if data else os.environ
    settings = with_embedded(settings_module.load(config, environment))
    if settings.mqtt is None:
        raise SettingsError(
            f"{config}: no `mqtt:`, and no `spotter up` has run in {settings.data}; add `mqtt: {{url: …}}`"
        )
    enough = threading.Event()
    gone: list[BrokenPipeError] = []
    seen = 0

    def show(name: str, payload: bytes, _: Callable[[], None]) -> None:
        nonlocal seen
        if enough.is_set():
            return
        text = f"({len(payload)} bytes)" if name.endswith("/preview") else _one_line(payload)
        try:
            click.echo(f"{name} {text}")
        except BrokenPipeError as error:  # this is the network thread: the command's own has to end
            gone.append(error)
            enough.set()
            return
        seen += 1
        if count is not None and seen >= count:
            enough.set()

    client = MqttClient(
        settings.mqtt,
        f"spotter-tail-{time.time_ns()}",
        on_connect=lambda: client.subscribe(topic),
        on_message=show,
    )
    client.start()
    try:
        client.wait_connected(10)
        enough.wait(seconds)
    finally:
        client.stop()
    if gone:
        raise gone[0]


def _one_line(payload: bytes) -> str:
    """A payload as text that can neither break the line nor command the terminal."""
    text = payload.decode(errors="replace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@events.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to; print unless given.")
def schema(out: Path | None) -> None:
    """Give the JSON Schema of every event and the AsyncAPI document."""
    documents = contract.documents()
    if out is None:
        click.echo(json.dumps({str(path): json.loads(text) for path, text in documents.items()}, indent=2))
        return
    for path, text in documents.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        click.echo(str(target))
