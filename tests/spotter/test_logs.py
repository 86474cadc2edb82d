from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from spotter import logs


@pytest.fixture(autouse=True)
def configured(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_what_libraries_log_reads_as_our_own_does(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("amqtt").error("lost %s", "a client")
    structlog.get_logger().warning("camera_stalled", camera="rack", password="geheim")
    foreign, own = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert foreign["event"] == "lost a client"
    assert own["camera"] == "rack"
    assert own["password"] == "(hidden)"
    assert foreign.keys() - {"event"} == {"level", "timestamp"}


def test_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        json.loads("{")
    except ValueError:
        logging.getLogger("library").exception("unexpected")
    (line,) = capsys.readouterr().err.splitlines()
    assert "JSONDecodeError" in json.loads(line)["exception"]
