"""Servers, with all they hold, and consumers are killed while a camera box sends: no row is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from spotter import events, settings, topics
from spotter.commands import up
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.database.tables import UsageSessionRow
from spotter.embedded import servers
from spotter.events import Committed, Scene, SceneObject
from spotter.mqtt import MqttClient
from spotter.supervisor import Supervisor

pytestmark = pytest.mark.timeout(240)

START = datetime(2026, 3, 1, 18, tzinfo=timezone.utc)
GYM = {
    "site": "gym",
    "cameras": {
        "hall": {
            "uri": "rtsp://127.0.0.1:9/none",
            "zones": {
                "treadmill-1": {
                    "kind": "station",
                    "equipment": "treadmill",
                    "polygon": [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]],
                },
                "rack": {"kind": "rack", "polygon": [[0, 0], [0.2, 0], [0.2, 1], [0, 1]], "holds": {"kettlebell": 1}},
            },
        }
    },
}
RUNS = [(5, 40), (60, 61.5), (80, 130), (160, 200), (210, 220)]
LIFTS = [(20, 50), (120, 150)]


def scenes() -> list[Scene]:
    """Four minutes of one camera at 2 scenes a second: runs on a treadmill, a kettlebell lifted and put back."""
    jitter = random.Random(7)
    made = []
    for seq in range(480):
        at = seq / 2
        time_ = START + timedelta(seconds=at)
        objects = []
        for index, (begin, end) in enumerate(RUNS):
            if begin <= at <= end:
                x = 0.7 + jitter.uniform(-0.01, 0.01)
                objects.append(seen(f"p-{index}", "person", (x, 0.4, x + 0.1, 0.9), True, begin))
        lift = next((n for n, (begin, end) in enumerate(LIFTS) if begin <= at <= end), None)
        if lift is None:
            objects.append(seen("k-0", "kettlebell", (0.08, 0.5, 0.12, 0.56), False, 0))
        else:
            y = 0.4 + jitter.uniform(0, 0.2)
            objects.append(seen(f"k-{lift + 1}", "kettlebell", (0.33, y, 0.37, y + 0.06), True, LIFTS[lift][0]))
        made.append(
            Scene(
                site="gym",
                camera="hall",
                stream="01TEST",
                seq=seq,
                floor=0,
                time=time_,
                frame=(640, 360),
                objects=objects,
            )
        )
    return made


def seen(id_: str, label: str, box: tuple[float, float, float, float], moving: bool, since: float) -> SceneObject:
    return SceneObject(id=id_, label=label, score=0.8, box=box, moving=moving, since=START + timedelta(seconds=since))


class CameraBox:
    """Sends every scene until it is committed, and again what stays uncommitted: the outbox's side of the bargain."""

    def __init__(self, mqtt: settings.Mqtt, log: list[Scene], resend_after: float = 3.0) -> None:
        self._log, self._resend_after = log, resend_after
        self.committed = -1
        self._client = MqttClient(
            mqtt,
            "camera-box",
            on_connect=lambda: self._client.subscribe(topics.committed("gym", "hall")),
            on_message=self._take,
        )

    def _take(self, _: str, payload: bytes, __: Any) -> None:
        self.committed = max(self.committed, events.parse(Committed, payload).seq)

    def send_all(self, pause: float, keep_going: Any) -> None:
        """Send everything, at a pace, until all is committed."""
        self._client.start()
        sent, progress_at, before = 0, time.monotonic(), -1
        while self.committed < len(self._log) - 1:
            keep_going()
            if self.committed != before:
                before, progress_at = self.committed, time.monotonic()
            if time.monotonic() - progress_at > self._resend_after:
                sent, progress_at = self.committed + 1, time.monotonic()
            if sent < len(self._log) and self._client.connected:
                scene = self._log[sent]
                self._client.publish(topics.scene("gym", "hall"), scene.to_json())
                sent += 1
            time.sleep(pause)
        self._client.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gym.yaml").write_text(yaml.safe_dump(GYM))
    return tmp_path


@pytest.fixture
def chain(folder: Path) -> Iterator[Supervisor]:
    """Broker, Redis, ingest and usage as `spotter up` runs them; the camera box is the test."""
    gym = settings.load(folder / "gym.yaml", {})
    engine = open_database(gym.database_url)
    upgrade(engine)
    engine.dispose()
    plan = up._plan(folder / "gym.yaml", gym, {}, "127.0.0.1", servers.free_port())
    parts = [part for part in plan.parts if part.name not in ("pipeline", "dashboard")]
    one = Supervisor(parts, folder / "logs", print)
    yield one
    one.stop()


def rows(folder: Path) -> list[tuple[Any, ...]]:
    engine = open_database(settings.load(folder / "gym.yaml", {}).database_url)
    with Session(engine) as session:
        found = session.scalars(select(UsageSessionRow)).all()
    engine.dispose()
    return sorted(
        (
            row.id,
            row.equipment,
            row.unit,
            events.format_time(row.started_at),
            events.format_time(row.ended_at) if row.ended_at else None,
            round(row.active_seconds, 3),
            row.ended_by,
        )
        for row in found
    )


def replayed(folder: Path, log: list[Scene]) -> list[tuple[Any, ...]]:
    (folder / "scenes.jsonl").write_bytes(b"\n".join(scene.to_json() for scene in log) + b"\n")
    done = subprocess.run(
        [sys.executable, "-m", "spotter", "replay", "scenes.jsonl", "--config", "gym.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(
        (
            s["session"],
            s["equipment"],
            s["unit"],
            s["started"],
            s["ended"],
            round(s["active_seconds"], 3),
            s["ended_by"],
        )
        for s in found
        if s["schema"] == "spotter.usage/1"
    )


def test_rows_after_kills_of_everything_equal_those_of_a_replay(folder: Path, chain: Supervisor) -> None:
    log = scenes()
    expected = replayed(folder, log)
    assert sorted(row[1] for row in expected) == ["kettlebell", "kettlebell", "treadmill", "treadmill", "treadmill"]

    deadline = time.monotonic() + 200
    schedule = ["ingest", "broker", "usage", "redis", "usage", "broker", "ingest", "redis"]
    kill_at = [time.monotonic() + 6 + 2.5 * index for index in range(len(schedule))]

    def keep_going() -> None:
        assert time.monotonic() < deadline, f"stuck at {box.committed}: {[(p.name, p.last_line) for p in chain.parts]}"
        chain.tick()
        if kill_at and time.monotonic() > kill_at[0]:
            kill_at.pop(0)
            name = schedule.pop(0)
            victim = next(part for part in chain.parts if part.name == name)
            if victim.process is not None and victim.process.poll() is None:
                os.kill(victim.process.pid, signal.SIGKILL)

    while not all(part.was_ready for part in chain.parts):
        chain.tick()
        time.sleep(0.1)
    found = servers.with_embedded(settings.load(folder / "gym.yaml", {}))
    assert found.mqtt is not None
    box = CameraBox(found.mqtt, log)
    box.send_all(0.05, keep_going)

    assert not kill_at, "it was over before everything had been killed"
    assert rows(folder) == expected
