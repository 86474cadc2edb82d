"""What a person gets wrong at the start is said in one clear line, with the right exit code."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from spotter.embedded import servers

pytestmark = pytest.mark.timeout(120)

CLIP = Path(__file__).parents[2] / "spotter" / "demo" / "kiosk.mp4"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A broker whose password nobody here knows; its port."""
    port = servers.free_port()
    variables = {servers.BROKER_PASSWORD_VARIABLE: "known to nobody", servers.BROKER_PORT_VARIABLE: str(port)}
    with subprocess.Popen([sys.executable, "-m", "spotter.embedded.broker"], env=variables) as process:
        while servers.port_is_free(servers.HOST, port):
            time.sleep(0.05)
        yield port
        process.terminate()


def end_of(start: Callable[..., Any], folder: Path, gym: dict[str, Any]) -> tuple[int, str]:
    """Exit code and last line of `spotter up` on these settings."""
    (folder / "gym.yaml").write_text(yaml.safe_dump({"dashboard": {"port": 0}, **gym}))
    chain = start("up", cwd=folder)
    deadline = time.monotonic() + 90
    while chain.exit_code is None:
        assert time.monotonic() < deadline, chain.text()
        time.sleep(0.1)
    assert not any("Traceback" in line for line in chain.lines), chain.text()
    return chain.exit_code, chain.lines[-1]


def test_a_missing_clip(start: Callable[..., Any], tmp_path: Path) -> None:
    code, line = end_of(start, tmp_path, {"uri": "gone.mp4"})
    assert code == 2
    assert "no such file" in line
    assert "gone.mp4" in line


def test_corrupt_weights(start: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07not a model" * 100)
    code, line = end_of(start, tmp_path, {"uri": str(CLIP), "model": "bad.onnx"})
    assert code == 1
    assert "bad.onnx: not a readable ONNX model" in line


def test_a_wrong_broker_password(start: Callable[..., Any], tmp_path: Path, broker: int) -> None:
    mqtt = {"url": f"mqtt://127.0.0.1:{broker}", "username": "spotter", "password": "a guess"}
    code, line = end_of(start, tmp_path, {"uri": str(CLIP), "mqtt": mqtt})
    assert code == 1
    assert "refused the log-in" in line
    assert "a guess" not in line


def test_a_database_that_is_not_there(start: Callable[..., Any], tmp_path: Path) -> None:
    url = f"postgresql+psycopg://spotter:geheim@127.0.0.1:{servers.free_port()}/spotter"
    code, line = end_of(start, tmp_path, {"uri": str(CLIP), "database": {"url": url}})
    assert code == 1
    assert "database" in line
    assert "geheim" not in line


def test_a_redis_that_is_not_there(start: Callable[..., Any], tmp_path: Path) -> None:
    url = f"redis://:geheim@127.0.0.1:{servers.free_port()}/0"
    code, line = end_of(start, tmp_path, {"uri": str(CLIP), "redis": {"url": url}})
    assert code == 1
    assert "Redis" in line
    assert "geheim" not in line


def test_a_password_that_the_environment_does_not_have(start: Callable[..., Any], tmp_path: Path) -> None:
    code, line = end_of(start, tmp_path, {"uri": "rtsp://127.0.0.1/1", "password": "${NOT_SET_ANYWHERE}"})
    assert code == 2
    assert "the environment has no NOT_SET_ANYWHERE" in line
