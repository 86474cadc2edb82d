"""The consumers as processes on real servers, which tests may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import select

from spotter.database.engine import open_database
from spotter.database.tables import UsageSessionRow
from spotter.settings import Settings, loads

from .servers import Server


class Chain:
    """`spotter ingest` and `spotter usage` on the given servers."""

    def __init__(self, folder: Path, broker: Server, redis: Server, database_url: str, gym: str) -> None:
        self.folder = folder
        self.text = (
            f"{gym}\nmqtt: {{url: 'mqtt://127.0.0.1:{broker.port}'}}\n"
            f"redis: {{url: 'redis://127.0.0.1:{redis.port}/0'}}\ndatabase: {{url: '{database_url}'}}\n"
        )
        self.config = folder / "gym.yaml"
        self.config.write_text(self.text)
        self.settings: Settings = loads(self.text, base=folder, environment={})
        self.engine = open_database(database_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (folder / "chain.log").open("ab")

    def start(self, *parts: str) -> None:
        for part in parts or ("ingest", "usage"):
            command = [sys.executable, "-m", "spotter", part.split("-")[0], "--config", str(self.config)]
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            self.processes[part] = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment)

    def kill(self, part: str) -> None:
        process = self.processes.pop(part)
        process.send_signal(signal.SIGKILL)
        process.wait(60)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)
        self.processes = {}
        self.engine.dispose()
        self._log.close()

    def sessions(self) -> list[tuple[object, ...]]:
        row = UsageSessionRow
        columns = [getattr(row, name) for name in row.__table__.columns.keys()]  # noqa: SIM118
        with self.engine.connect() as connection:
            found = [tuple(map(str, values)) for values in connection.execute(select(*columns))]
        return sorted(found)

    def wait_for_sessions(self, count: int, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while len(self.sessions()) < count:
            assert time.monotonic() < deadline, (self.folder / "chain.log").read_text()[-3000:]
            time.sleep(0.05)
