"""A real mosquitto on a free port, which tests may kill and bring back."""

from __future__ import annotations

import queue
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from spotter.settings import Mqtt


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker that keeps nothing on disk: killed, it has forgotten everything."""

    def __init__(self, folder: Path, password: tuple[str, str] | None = None) -> None:
        # Debian keeps it where only root's PATH leads.
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if binary is None:
            pytest.skip("needs mosquitto (apt install mosquitto)")
        self._binary = binary
        self.port = free_port()
        lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence false",
            f"allow_anonymous {str(password is None).lower()}",
        ]
        if password:
            users = folder / "users"
            subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), *password], check=True, capture_output=True)
            users.chmod(0o644)
            folder.chmod(0o755)
            lines.append(f"password_file {users}")
        lines.append("user root")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def settings(self) -> Mqtt:
        return Mqtt(url=f"mqtt://127.0.0.1:{self.port}")

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("mosquitto did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


class Listener:
    """A subscriber that remembers what it hears."""

    def __init__(self, broker: Mosquitto, *subscriptions: str, user: tuple[str, str] | None = None) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._subscriptions = subscriptions
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(*user)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_message = lambda _, __, message: self.heard.put((message.topic, message.payload))
        ready = queue.Queue[None]()
        self.client.on_connect = lambda *_: [self.client.subscribe(topic, 1) for topic in self._subscriptions]
        self.client.on_subscribe = lambda *_: ready.put(None)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        for _ in subscriptions:
            ready.get(timeout=5)

    def next(self, seconds: float = 10.0) -> tuple[str, bytes]:
        return self.heard.get(timeout=seconds)

    def until(self, accept, seconds: float = 15.0) -> tuple[str, bytes]:
        """The first message that is accepted."""
        deadline = time.monotonic() + seconds
        while True:
            topic, payload = self.next(max(0.01, deadline - time.monotonic()))
            if accept(topic, payload):
                return topic, payload

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
