"""`spotter pipeline` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from .broker import Mosquitto


class Pipeline:
    """A running `spotter pipeline`, or that of another `program` in its place."""

    def __init__(self, folder: Path, settings: dict[str, object], *arguments: str, program: str = "spotter") -> None:
        self._config = config = folder / "gym.yaml"
        config.write_text(yaml.safe_dump(settings))
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, "pipeline", "--config", str(config), *arguments],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith("SPOTTER_")},
        )

    def read_again(self, settings: str) -> None:
        self._config.write_text(settings)
        self.process.send_signal(signal.SIGHUP)

    def text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def ends(self, seconds: float = 20) -> tuple[int, str]:
        code = self.process.wait(seconds)
        return code, self.text()


def settings_for(broker: Mosquitto, weights: Path, cameras: dict[str, object]) -> dict[str, object]:
    return {
        "site": "downtown",
        "model": str(weights),
        "data": "data",
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}"},
        "cameras": cameras,
    }
