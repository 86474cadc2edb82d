"""Scenes on the broker become rows in the database, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .chain import Chain
from .scenes import FakePipeline, Film, kettlebell, person
from .servers import Server

GYM = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.4, 0.5], [0.4, 1.0], [0.0, 1.0]]}
rules: {enter_after: 1, leave_after: 3, rest_after: 4}
"""


@pytest.fixture
def chain(tmp_path: Path, broker: Server, redis_process: Server, database_url: str) -> Iterator[Chain]:
    import redis

    redis.Redis(port=redis_process.port).flushall()
    chain = Chain(tmp_path, broker, redis_process, database_url, GYM)
    yield chain
    chain.stop()


def a_visit() -> Film:
    film = Film()
    film.show([person("p1", 0.2, 0.9)], 10)
    film.show([person("p1", 0.7, 0.9, moving=True), kettlebell("k1", 0.7, 0.8, moving=True)], 8)
    film.show([kettlebell("k1", 0.7, 0.9)], 12, every=2)
    film.end()
    return film


def test_scenes_become_sessions_and_the_pipeline_hears_that_they_are_committed(chain: Chain) -> None:
    chain.start()
    film = a_visit()
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt)
    try:
        for scene in film.scenes:
            pipeline.add(scene)
        pipeline.wait_until_committed(20)
        assert {row[2] for row in chain.sessions()} == {"treadmill", "kettlebell"}
        told = [(event.type, event.equipment) for event in pipeline.usage]
        assert told.count(("started", "treadmill")) == told.count(("ended", "treadmill")) == 1
    finally:
        pipeline.close()
