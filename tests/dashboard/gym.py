"""A gym for the dashboard's tests: servers that may be stopped, and the messages of ingest and the usage worker."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import redis
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard.rights import Role
from dashboard.users import add_user
from spotter import redis_keys
from spotter.database import rollups
from spotter.database.rollups import FigureChanges, SessionSpan, UnitKey
from spotter.database.tables import AlertRow, UsageSessionRow
from spotter.events import FramesPerSecond, Scene, SceneObject, Status, format_time
from spotter.hours import HOUR_MS, hour_of
from spotter.moments import to_ms
from spotter.settings import Settings

PASSWORD = "correct horse battery"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
GYM = """
site: downtown
timezone: Europe/Berlin
data: data
cameras:
  free-weights: {uri: clip.mp4}
  kiosk: {uri: clip.mp4}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(look: Callable[[], Any], seconds: float = 10, otherwise: str = "it did not happen") -> Any:
    """What `look` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{otherwise} within {seconds} s"
        time.sleep(0.05)
    return found


class Process:
    """A server that a test may stop and bring back."""

    def __init__(
        self, command: list[str], port: int, cwd: Path, user: str | None = None, end: int = signal.SIGKILL
    ) -> None:
        self.port, self._user, self._end = port, user, end
        self._command, self._cwd = command, cwd
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=self._cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self._user
        )
        wait_for(self._answers, otherwise=f"{self._command[0]} did not start")

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(self._end)
            self.process.wait()
            self.process = None


@dataclass
class Gym:
    """Speaks as ingest and the usage worker do, in the messages of the contract."""

    settings: Settings
    engine: Engine
    redis: redis.Redis
    seq: dict[str, int] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return self.settings.site

    def status(self, camera: str, state: Any = "online", reason: str | None = None, **more: Any) -> None:
        time_ = more.pop("time", datetime.now(timezone.utc))
        status = Status(
            state=state,
            time=time_,
            reason=reason,
            fps=FramesPerSecond(captured=15, detected=4.9),
            latency_ms=180,
        )
        self.redis.hset(redis_keys.live_status(self.site), camera, status.to_json())
        self._changed("status", camera)

    def scene(self, camera: str, *labels: str, picture: bool = True, moving: bool = False, at: Any = None) -> None:
        now = at or datetime.now(timezone.utc)
        self.seq[camera] = self.seq.get(camera, 0) + 1
        scene = Scene(
            site=self.site,
            camera=camera,
            stream="01TEST",
            seq=self.seq[camera],
            floor=0,
            time=now,
            frame=(1280, 720),
            picture=picture,
            objects=tuple(
                SceneObject(
                    id=f"t-{number}",
                    label=label,
                    score=0.8,
                    box=(0.1 + 0.15 * number, 0.3, 0.22 + 0.15 * number, 0.85),
                    moving=moving,
                    since=now,
                )
                for number, label in enumerate(labels)
            ),
        )
        self.redis.hset(redis_keys.live_scenes(self.site), camera, scene.to_json())
        self._changed("scene", camera)

    def preview(self, camera: str, jpeg: bytes) -> None:
        self.redis.set(redis_keys.preview(self.site, camera), jpeg, ex=5)
        self._changed("preview", camera)

    def beat(self, part: str, state: str = "ok", reason: str | None = None, shard: int = 0) -> None:
        proof = {"time": format_time(datetime.now(timezone.utc)), "state": state, "reason": reason, "counters": {}}
        self.redis.set(redis_keys.heartbeat(part, shard), json.dumps(proof), ex=15)

    def well(self) -> None:
        """Everything works."""
        for part in ("ingest", "usage"):
            self.beat(part)
        for camera in self.settings.cameras:
            self.status(camera)
            self.scene(camera)

    def think(self, camera: str, *thoughts: dict[str, Any]) -> None:
        """What the usage worker would tell of the camera for the next minute."""
        told = {
            "site": self.site,
            "camera": camera,
            "time": format_time(datetime.now(timezone.utc)),
            "layout_version": 1,
            "zones": {"treadmill-1": {"kind": "station", "polygon": [[0, 0.5], [0.3, 0.5], [0.3, 1], [0, 1]]}},
            "thoughts": thoughts,
        }
        self.redis.set(redis_keys.thoughts(self.site, camera), json.dumps(told), ex=60)

    def session(self, equipment: str, started: datetime, minutes: float | None = 1, **more: Any) -> str:
        """A usage session; `minutes` None leaves it open."""
        row = {
            "id": str(uuid.uuid4()),
            "site": self.site,
            "unit": None,
            "zone": "floor",
            "cameras": ["free-weights"],
            "active_seconds": 30.0,
            "confidence": 0.8,
            "ended_by": None if minutes is None else "rest",
            "layout_version": 1,
            **more,
        }
        now = datetime.now(timezone.utc)
        ended = None if minutes is None else started + timedelta(minutes=minutes)
        with Session(self.engine) as session:
            session.add(
                UsageSessionRow(
                    equipment=equipment, started_at=started, ended_at=ended, last_at=ended or max(started, now), **row
                )
            )
            session.flush()
            if row["site"] == self.site:
                zone = ZoneInfo(self.settings.timezone)
                key = UnitKey(equipment, row["unit"] or "", row["zone"] or "")
                span = SessionSpan(key, to_ms(started), to_ms(ended or max(started, now)), is_open=ended is None)
                rollups.change(session.connection(), self.site, zone, [], [span])
            session.commit()
        self._changed("usage", "free-weights")
        return str(row["id"])

    def elsewhere(
        self, site: str, equipment: str, started: datetime, minutes: float, zone: ZoneInfo | None = None
    ) -> None:
        """A session and its figures at another site of the same database, by its own clocks."""
        self.session(equipment, started, minutes, site=site)
        with self.engine.begin() as connection:
            zone = zone or ZoneInfo(self.settings.timezone)
            begin, length = to_ms(started), round(minutes * 60_000)
            span = SessionSpan(UnitKey(equipment, "", "floor"), begin, begin + length, is_open=False)
            rollups.change(connection, site, zone, [], [span])

    def watched(
        self, begin: datetime, hours: int, *units: tuple[str, str], queue_seconds: float = 0, pieces: int = 1
    ) -> None:
        """Cameras saw the (equipment, unit)s for whole hours; a unit without a name is kit of so many pieces."""
        zone = ZoneInfo(self.settings.timezone)
        changes = FigureChanges(zone)
        first = hour_of(to_ms(begin), zone)
        for hour in range(first, first + hours * HOUR_MS, HOUR_MS):
            for equipment, unit in units:
                amounts = changes.units[hour, UnitKey(equipment, unit, "floor")]
                amounts.pieces = 1 if unit else pieces
                amounts.watched_ms = HOUR_MS * amounts.pieces
                changes.queues[hour, "equipment", equipment] += round(queue_seconds * 1000)
            changes.cameras[hour, "free-weights"] = HOUR_MS
            changes.queues[hour, "site", self.site] += round(queue_seconds * 1000)
        with self.engine.begin() as connection:
            rollups.add(connection, self.site, changes)

    def alert(self, kind: str = "left_out", raised: datetime | None = None, **more: Any) -> str:
        """An alert as the usage worker raises it."""
        row = {
            "id": str(uuid.uuid4()),
            "site": self.site,
            "camera": "free-weights",
            "zone": "floor",
            "equipment": "kettlebell",
            "detail": "kettlebell at rest for 120 s with nobody in reach",
            "layout_version": 3,
            **more,
        }
        with Session(self.engine) as session:
            session.add(AlertRow(kind=kind, raised_at=raised or datetime.now(timezone.utc), **row))
            session.commit()
        self._changed("alert", "free-weights")
        return str(row["id"])

    def clear(self, alert: str, detail: str = "kettlebell does not lie there any more") -> None:
        """An alert is over."""
        with Session(self.engine) as session:
            row = session.get_one(AlertRow, alert)
            row.cleared_at, row.cleared_detail = datetime.now(timezone.utc), detail
            session.commit()
        self._changed("alert", "free-weights")

    def add(self, name: str = "Olga", role: Role = "owner", password: str = PASSWORD, site: str = "*") -> None:
        with Session(self.engine) as session:
            add_user(session, name, password, role, site)

    def _changed(self, kind: str, camera: str) -> None:
        self.redis.publish(redis_keys.changes(self.site), json.dumps({"kind": kind, "camera": camera}))


class AuthActions:
    """Signs in and out as a browser does, with the form's CSRF token."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def token(self, path: str = "/login") -> str:
        page = self.client.get(path).text
        return page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]

    def login(self, name: str = "Olga", password: str = PASSWORD, path: str = "/login") -> TestResponse:
        data = {"name": name, "password": password, "csrf_token": self.token()}
        return self.client.post(path, data=data)

    def logout(self) -> TestResponse:
        return self.client.post("/logout", data={"csrf_token": self.token("/sessions")})


class Command:
    """A running command and what it has printed."""

    def __init__(self, gym: Gym, *arguments: str, text: str | None = None) -> None:
        settings = gym.settings
        assert settings.redis is not None
        assert settings.mqtt is not None
        folder = settings.data.parent
        (folder / "gym.yaml").write_text(GYM)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spotter", *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "SPOTTER_REDIS_URL": settings.redis.url.get_secret_value(),
                "SPOTTER_MQTT_URL": settings.mqtt.url,
            },
        )
        self.lines: list[str] = []
        if text is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(text)
            self.process.stdin.close()
            self.process.stdin = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def printed(self, pattern: str) -> str:
        def look() -> str | None:
            return next((match[1] for line in self.lines if (match := re.search(pattern, line))), None)

        return str(wait_for(look, 30, f"no line like {pattern}"))

    def ended(self) -> tuple[int, str]:
        """Exit code and what it wrote to stderr."""
        assert self.process.stderr is not None
        error = self.process.stderr.read()
        return self.process.wait(30), error

    def freeze(self, frozen: bool) -> None:
        """Stop the command and its children where they are, or let them go on: connections stay, nothing answers."""
        for process in (psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children()):
            process.suspend() if frozen else process.resume()
