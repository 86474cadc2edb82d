"""The moment at which a new layout takes effect is stored: a killed worker, or history read again, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from spotter.cli import cli
from spotter.database.engine import open_database
from spotter.database.tables import LayoutRow, UsageSessionRow
from spotter.settings import loads

from .chain import Chain
from .ledger import Ledger, rows, tables
from .scenes import FakePipeline, Film, person
from .servers import Server

GYM = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.4, 0.5], [0.4, 1.0], [0.0, 1.0]]}
rules: {enter_after: 1, leave_after: 3}
"""


@pytest.fixture
def chain(tmp_path: Path, broker: Server, redis_process: Server, database_url: str) -> Iterator[Chain]:
    chain = Chain(tmp_path, broker, redis_process, database_url, GYM)
    yield chain
    chain.stop()


def test_a_layout_changed_in_mid_session_holds_from_a_stored_moment_on(chain: Chain, tmp_path: Path) -> None:
    film = Film().show([person("p", 0.2, 0.9)], 150, every=0.5)
    other = chain.text.replace("treadmill-1: {", "treadmill-9: {")
    (tmp_path / "other.yaml").write_text(other)
    chain.start()
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt, again_after=2)
    try:
        for number, scene in enumerate(film.scenes):
            pipeline.add(scene)
            if number == 100:
                pipeline.wait_until_committed(60)
                arguments = ["layout", "import", str(tmp_path / "other.yaml"), "--config", str(chain.config)]
                assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
            if number in (110, 200):
                chain.kill("usage")
                chain.start("usage")
        pipeline.wait_until_committed(60)
        positions = moment_of(chain, 2)
    finally:
        pipeline.close()
    ((_, _, last),) = positions
    assert 100 <= last < len(film.scenes)
    sessions = rows(chain.engine, UsageSessionRow, "unit", "ended_by", "layout_version")
    assert ("treadmill-1", "layout", 1) in sessions
    again = open_database(f"sqlite:///{tmp_path}/again.db")
    Ledger(again, chain.settings).take(film.scenes[: last + 1])
    Ledger(again, loads(other, base=tmp_path, environment={})).take(film.scenes[last + 1 :])
    expected, found = tables(again), tables(chain.engine)
    again.dispose()
    for name, table in expected.items():
        assert found[name] == table, name


def moment_of(chain: Chain, version: int) -> list[list[str | int]]:
    """The stored moment, waiting for it: the last scenes may be committed before the worker looks up."""
    deadline = time.monotonic() + 30
    while True:
        with chain.engine.connect() as connection:
            found = connection.scalar(select(LayoutRow.positions).where(LayoutRow.version == version))
        if found is not None:
            return found
        assert time.monotonic() < deadline, (chain.folder / "chain.log").read_text()[-3000:]
        time.sleep(0.05)
