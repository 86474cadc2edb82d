"""Killed workers, lost servers and lost data, at random under load: the tables are those of an undisturbed run."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from spotter import redis_keys
from spotter.database.engine import open_database
from spotter.database.tables import CameraPositionRow, OutgoingEventRow
from spotter.events import Scene

from .chain import Chain
from .ledger import Ledger, tables
from .scenes import FakePipeline, Film, kettlebell, person
from .servers import Postgresql, Server, mosquitto, redis_server

GYM = """
site: gym
cameras:
  alone:
    uri: a.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.4, 0.5], [0.4, 1.0], [0.0, 1.0]]}
      mats: {kind: floor, polygon: [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]}
      shelf: {kind: rack, holds: {kettlebell: 1}, polygon: [[0.9, 0], [1, 0], [1, 0.2], [0.9, 0.2]]}
  left:
    uri: b.mp4
    zones: {bench-1: &bench {kind: station, equipment: bench, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}
  right: {uri: c.mp4, zones: {bench-1: *bench}}
rules: {enter_after: 1, leave_after: 3, use_after: 1, rest_after: 4, lost_after: 2, left_out_after: 3, missing_after: 9}
"""
CAMERAS = ("alone", "left", "right")
SCENES_A_CAMERA = 400


def films(chance: random.Random) -> list[Scene]:
    """A busy gym: people come and go, kettlebells move and are covered, pictures fail."""
    scenes: list[Scene] = []
    for camera in CAMERAS:
        film = Film(camera)
        visitor = 0
        while len(film.scenes) < SCENES_A_CAMERA:
            visitor += 1
            x = chance.choice([0.2, 0.3, 0.7])
            here = [person(f"p{visitor}", x, 0.9, moving=chance.random() < 0.5)]
            bell = [kettlebell(f"k{visitor}", x, 0.85, moving=True)] if chance.random() < 0.5 else []
            film.show([*here, *bell], chance.uniform(0.5, 12), every=0.5)
            film.show(here, chance.choice([0, 1, 3]))
            film.show(bell, chance.choice([0, 1, 5]))
            if chance.random() < 0.1:
                film.dark(chance.choice([5, 20, 70]))
        scenes += film.scenes[:SCENES_A_CAMERA]
    return sorted(scenes, key=lambda scene: scene.time)


class Storm:
    """Disturbs a chain, and puts right what would be put right by a supervisor."""

    def __init__(self, chain: Chain, broker: Server, store: Server, database: Postgresql) -> None:
        self.chain, self.broker, self.store, self.database = chain, broker, store, database

    def kill_usage(self) -> None:
        self.chain.kill("usage")
        self.chain.start("usage")

    def kill_ingest(self) -> None:
        self.chain.kill("ingest")
        self.chain.start("ingest")

    def empty_redis(self) -> None:
        redis.Redis(host="127.0.0.1", port=self.store.port).flushall()

    def restart_redis(self) -> None:
        self.store.stop()
        time.sleep(0.5)
        self.store.start()

    def restart_broker(self) -> None:
        self.broker.stop()
        time.sleep(0.5)
        self.broker.start()

    def restart_database(self) -> None:
        self.database.stop()
        time.sleep(1)
        self.database.start()


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    broker, store, database = mosquitto(tmp_path), redis_server(tmp_path), Postgresql()
    for server in (broker, store, database):
        server.start()
    chain = Chain(tmp_path, broker, store, database.url("spotter"), GYM)
    yield Storm(chain, broker, store, database)
    chain.stop()
    broker.stop()
    store.stop()
    database.stop()
    database.remove()


@pytest.mark.timeout(600)
def test_whatever_is_killed_nothing_is_lost_and_nothing_doubled(storm: Storm, tmp_path: Path) -> None:
    chance = random.Random(20261122)
    scenes = films(chance)
    storm.chain.start("ingest", "usage", "usage-standby")
    assert storm.chain.settings.mqtt is not None
    pipeline = FakePipeline(storm.chain.settings.mqtt, again_after=2)
    actions = [
        storm.kill_usage,
        storm.empty_redis,
        storm.kill_ingest,
        storm.restart_broker,
        storm.restart_database,
        storm.restart_redis,
    ]
    chance.shuffle(actions)
    actions += [storm.empty_redis, storm.kill_usage]
    pieces = len(actions) + 1
    try:
        for number in range(pieces):
            piece = scenes[number * len(scenes) // pieces : (number + 1) * len(scenes) // pieces]
            for scene in piece:
                pipeline.add(scene)
                time.sleep(chance.uniform(0, 0.02))
            if number < len(actions):
                actions[number]()
        pipeline.wait_until_committed(300)
        undisturbed = open_database(f"sqlite:///{tmp_path}/undisturbed.db")
        Ledger(undisturbed, storm.chain.settings).take(scenes)
        expected, found = tables(undisturbed), tables(storm.chain.engine)
        undisturbed.dispose()
        for name, rows in expected.items():
            assert found[name] == rows, name
        for name in ("usage_sessions", "alerts", "unit_hours", "group_hours", "group_days", "session_lengths"):
            assert found[name], name
        with storm.chain.engine.connect() as connection:
            row = CameraPositionRow
            positions = connection.execute(select(row.camera, row.seq).order_by(row.camera)).all()
            assert [tuple(position) for position in positions] == [(c, SCENES_A_CAMERA - 1) for c in CAMERAS]
        deadline = time.monotonic() + 10
        while events_left(storm.chain):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        ended = {str(event.session) for event in pipeline.usage if event.type == "ended"}
        # An event that the broker took just before it died, with nobody there to read, is gone; nearly all arrive.
        assert len(ended) > 0.5 * sum(values[7] != "None" for values in storm.chain.sessions())
    finally:
        pipeline.close()


def events_left(chain: Chain) -> int:
    with chain.engine.connect() as connection:
        return len(connection.execute(select(OutgoingEventRow.id)).all())


def test_another_worker_takes_over_within_10_s(storm: Storm) -> None:
    storm.chain.start("ingest", "usage")
    assert storm.chain.settings.mqtt is not None
    pipeline = FakePipeline(storm.chain.settings.mqtt)
    store = redis.Redis(host="127.0.0.1", port=storm.store.port)
    try:
        scenes = Film("alone").show([person("p", 0.2, 0.9)], 20).scenes
        for scene in scenes[:20]:
            pipeline.add(scene)
        pipeline.wait_until_committed(60)
        storm.chain.start("usage-standby")
        time.sleep(2.5)  # until it is there and waits
        assert store.exists(redis_keys.shard_lock(0))
        storm.chain.kill("usage")
        killed = time.monotonic()
        for scene in scenes[20:]:
            pipeline.add(scene)
        pipeline.wait_until_committed(12)
        assert time.monotonic() - killed < 10.5
    finally:
        pipeline.close()
