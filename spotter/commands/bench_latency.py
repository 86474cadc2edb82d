"""`spotter bench latency`: how long it takes from a captured frame to the committed row, on the running chain.

`spotter up` runs as a child on a clip that loops; a subscriber notes each scene's own time (when its frame was
captured) and the moment at which `committed` covers it, which is after the database's transaction. Both are by the
clock of this one machine.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

import click
import yaml
from rich.console import Console
from rich.progress import Progress

from spotter import events, topics
from spotter.embedded import servers
from spotter.errors import ServerError
from spotter.events import Committed, Scene
from spotter.mqtt import MqttClient
from spotter.settings import Settings, loads

_START_SECONDS = 60


class LatencyMeter:
    """Joins scenes with the `committed` that covers them."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self.seconds: list[float] = []
        self._open: dict[str, dict[int, datetime]] = {}
        self._committed: dict[str, int] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, topic: str, payload: bytes) -> None:
        """Note one message."""
        now = self._clock()
        with self._lock:
            if topic.endswith("/scene"):
                scene = events.parse(Scene, payload)
                if scene.picture and scene.seq > self._committed.get(scene.stream, -1):
                    self._open.setdefault(scene.stream, {}).setdefault(scene.seq, scene.time)
            elif topic.endswith("/committed"):
                committed = events.parse(Committed, payload)
                self._committed[committed.stream] = committed.seq
                waiting = self._open.get(committed.stream, {})
                for seq in [seq for seq in waiting if seq <= committed.seq]:
                    self.seconds.append(events.seconds_between(waiting.pop(seq), now))

    @property
    def uncommitted(self) -> int:
        """Scenes seen but not yet committed."""
        with self._lock:
            return sum(len(waiting) for waiting in self._open.values())


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all `values` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@click.command()
@click.option(
    "--clip", type=click.Path(exists=True, path_type=Path), multiple=True, help="Clips to loop, one a camera."
)
@click.option("--seconds", type=click.FloatRange(min=5), default=60, show_default=True, help="How long to measure.")
def latency(clip: tuple[Path, ...], seconds: float) -> None:
    """Frame captured to row committed, on the whole chain with its embedded servers."""
    clips = clip or tuple(sorted((Path(__file__).parents[1] / "demo").glob("*.mp4")))
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as folder:
        meter = _measure(clips, Path(folder), seconds)
    if not meter.seconds:
        raise ServerError("no scene was committed; see `spotter up` on the same clip for the cause")
    row = [quantile(meter.seconds, share) for share in (0.5, 0.95, 0.99)]
    click.echo("| cameras | scenes | p50 s | p95 s | p99 s | longest s | uncommitted at the end |")
    click.echo("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    click.echo(
        f"| {len(clips)} | {len(meter.seconds)} | "
        + " | ".join(f"{value:.3f}" for value in (*row, max(meter.seconds)))
        + f" | {meter.uncommitted} |"
    )
    click.echo(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", err=True)


def _measure(clips: tuple[Path, ...], folder: Path, seconds: float) -> LatencyMeter:
    cameras = {f"camera-{index}": {"uri": str(path.absolute()), "loop": True} for index, path in enumerate(clips, 1)}
    gym = {"site": "bench", "cameras": cameras, "dashboard": {"port": servers.free_port()}}
    config = folder / "gym.yaml"
    config.write_text(yaml.safe_dump(gym))
    settings = loads(config.read_text(), base=folder, environment={})
    meter = LatencyMeter()
    log = (folder / "up.log").open("w")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "spotter", "up", "--config", str(config)], stdout=log, stderr=log
        ) as chain,
    ):
        try:
            client = _subscribe(chain, settings, meter, folder / "up.log")
            with Progress(console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("measuring", total=seconds)
                for _ in range(int(seconds * 5)):
                    time.sleep(0.2)
                    progress.advance(task, 0.2)
            client.stop()
        finally:
            chain.terminate()
    return meter


def _subscribe(chain: subprocess.Popen[bytes], settings: Settings, meter: LatencyMeter, log: Path) -> MqttClient:
    """Subscribe as soon as the chain's broker answers; raises ServerError when it does not come up."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        found = servers.with_embedded(settings)
        if found.mqtt is not None and not servers.port_is_free(servers.HOST, urlsplit(found.mqtt.url).port or 0):
            break
        if chain.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"the chain did not start: {log.read_text().strip()[-500:]}")
        time.sleep(0.2)

    def subscribe() -> None:
        client.subscribe(topics.ALL_SCENES)
        client.subscribe(topics.ALL_COMMITTED)

    client = MqttClient(
        found.mqtt,
        f"spotter-bench-{os.getpid()}",
        on_connect=subscribe,
        on_message=lambda topic, payload, _: meter.take(topic, payload),
    )
    client.start()
    client.wait_connected(10)
    return client
