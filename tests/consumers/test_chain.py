"""Scenes on the broker become rows in the database, on real servers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers import dead
from consumers.connections import open_redis
from consumers.usage import Usage
from spotter.errors import SettingsError
from spotter.settings import Settings

from .chain import Chain
from .scenes import START, FakePipeline, Film, kettlebell, person
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
        pipeline.wait_until_committed(60)
        assert {row[2] for row in chain.sessions()} == {"treadmill", "kettlebell"}
        told = [(event.type, event.equipment) for event in pipeline.usage]
        assert told.count(("started", "treadmill")) == told.count(("ended", "treadmill")) == 1
    finally:
        pipeline.close()


def test_a_refused_scene_is_committed_as_refused(chain: Chain) -> None:
    chain.start()
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt)
    try:
        scenes = a_visit().scenes
        scenes[4] = scenes[4].model_copy(update={"time": START.replace(year=2099)})
        for scene in scenes:
            pipeline.add(scene)
        pipeline.wait_until_committed(60)
        assert pipeline.committed["gym", "cam", "S1"] == len(scenes) - 1
        assert len(chain.sessions()) == 2
    finally:
        pipeline.close()


def test_a_scene_on_which_a_rule_fails_stops_no_other(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in a rule, put in on purpose: the worker runs in this process."""
    from consumers.rulebook import Rulebook

    sound = Rulebook.apply

    def unsound(rules: Any, state: Any, view: Any) -> Any:
        if view.seq == 4:
            raise ZeroDivisionError("a defect")
        return sound(rules, state, view)

    monkeypatch.setattr(Rulebook, "apply", unsound)
    chain.start("ingest")
    stop = threading.Event()
    worker = threading.Thread(target=Usage(chain.settings, [0], 1, stop).run)
    worker.start()
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt)
    try:
        for scene in a_visit().scenes:
            pipeline.add(scene)
        pipeline.wait_until_committed(60)
        assert {row[2] for row in chain.sessions()} == {"treadmill", "kettlebell"}
        (letter,) = dead.letters(open_redis(chain.settings), 10)
        assert letter.cause == "rules"
    finally:
        pipeline.close()
        stop.set()
        worker.join(10)


def test_servers_that_are_not_named_are_asked_for(gym: Callable[[str], Settings]) -> None:
    with pytest.raises(SettingsError, match="spotter up"):
        open_redis(gym("uri: a.mp4"))
