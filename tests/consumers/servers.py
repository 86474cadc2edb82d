"""Real servers for tests: mosquitto, redis-server and PostgreSQL, each on a free port with a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from spotter.embedded.servers import redis_server_path

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
    Path(p).parent for p in [shutil.which("postgres")] if p
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while not listens(port):
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{process.args} does not listen"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server process that can be killed and started again on the same port and data."""

    def __init__(self, command: list[str], port: int) -> None:
        self.command, self.port = command, port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for_port(self.port, self.process)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(15)
            self.process = None


def mosquitto(folder: Path) -> Server:
    binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if binary is None:
        pytest.skip("no mosquitto on this machine")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 200\n")
    return Server([binary, "-c", str(config)], port)


def redis_server(folder: Path) -> Server:
    binary = redis_server_path()
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    return Server([binary, *options], port)


class Postgresql:
    """A cluster of its own, by an unprivileged user where the tests run as root (PostgreSQL refuses to)."""

    def __init__(self) -> None:
        if not POSTGRESQL:
            pytest.skip("no PostgreSQL on this machine")
        self.binaries = POSTGRESQL[-1]
        # Not under pytest's folder: that is closed to other users.
        self.folder = Path(tempfile.mkdtemp(prefix="spotter-postgresql-"))
        self.user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "nobody")
        self.port = free_port()
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "spotter", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.server = Server(
            [
                *self.user,
                str(self.binaries / "postgres"),
                *("-D", f"{self.folder}/data", "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)),
                *("-c", "fsync=off", "-c", "max_connections=40"),
            ],
            self.port,
        )

    def _run(self, binary: str, *arguments: str) -> None:
        subprocess.run([*self.user, str(self.binaries / binary), *arguments], check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        self.server.start()
        deadline = time.monotonic() + 15
        ready = [*self.user, str(self.binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, capture_output=True, cwd="/").returncode:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as in a crash: open transactions are lost, committed ones are not."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        assert self.server.process is not None
        self.server.process.wait(15)

    def url(self, name: str) -> str:
        """The address of a fresh database."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "spotter", name)
        return f"postgresql+psycopg://spotter@127.0.0.1:{self.port}/{name}"

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
