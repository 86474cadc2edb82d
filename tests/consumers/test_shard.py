"""A shard whose streams have gaps: it never fills up, whatever was lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from consumers import shard as shard_module
from consumers.outgoing import Publisher
from consumers.shard import Shard
from consumers.storage import Store
from spotter import redis_keys
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.events import Scene
from spotter.settings import Settings

from .scenes import scene

LIMIT = 10
CAMERAS = "abcde"


@pytest.fixture
def shard(
    store: redis.Redis, tmp_path: Path, gym: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shard]:
    monkeypatch.setattr(shard_module, "HELD_LIMIT", LIMIT)
    engine = open_database(f"sqlite:///{tmp_path}/spotter.db")
    upgrade(engine)
    database = Store(engine)
    publisher = Publisher(gym("mqtt: {url: 'mqtt://127.0.0.1:1'}"), database, 1)
    made = Shard(0, 1, store, database, publisher, database.commit)
    made.load()
    yield made
    engine.dispose()


def send(shard: Shard, store: redis.Redis, scenes: list[Scene]) -> int:
    """Have a shard take in scenes; gives how many are left in Redis."""
    for one in scenes:
        store.xadd(shard.stream, {redis_keys.SCENE_FIELD: one.to_json()})
    found: Any = store.xreadgroup(redis_keys.USAGE_GROUP, "owner", {shard.stream: ">"})
    shard.process(found[0][1])
    left: Any = store.xlen(shard.stream)
    return int(left)


def test_gaps_of_all_cameras_together_never_fill_a_shard(shard: Shard, store: redis.Redis) -> None:
    scenes = [scene(seq, seq=seq, camera=camera) for camera in CAMERAS for seq in range(9)]
    assert send(shard, store, [one for one in scenes if one.seq]) == LIMIT
    assert shard.counts["let_go"] == 8 * len(CAMERAS) - LIMIT
    assert send(shard, store, scenes) == 0, "sent again from the oldest on, all get in"
    assert shard.counts["scenes"] == len(scenes)


def test_a_full_shard_still_hears_what_is_lost_for_good(shard: Shard, store: redis.Redis) -> None:
    assert send(shard, store, [scene(seq, seq=seq, camera="a") for seq in range(1, LIMIT + 1)]) == LIMIT
    assert send(shard, store, [scene(9, seq=9, camera="b", floor=3), scene(0, seq=3, camera="b", floor=3)]) == LIMIT
    assert send(shard, store, [scene(30, seq=30, camera="a", floor=LIMIT + 1)]) == 1, "those that were held are due"
