"""A log sent into a running system, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from consumers.feeder import Feeder
from spotter import topics
from spotter.errors import ServerError, SpotterError
from spotter.events import Scene, Status
from spotter.mqtt import MqttClient
from spotter.settings import Mqtt

from .chain import Chain
from .scenes import Film, kettlebell, person
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
def chain(tmp_path: Path, broker: Server, redis_process: Server) -> Iterator[Chain]:
    chain = Chain(tmp_path, broker, redis_process, f"sqlite:///{tmp_path}/spotter.db", GYM)
    yield chain
    chain.stop()


def a_visit() -> list[Scene]:
    film = Film().show([person("p1", 0.2, 0.9)], 10)
    film.show([person("p1", 0.7, 0.9, moving=True), kettlebell("k1", 0.7, 0.8, moving=True)], 8)
    return film.show([kettlebell("k1", 0.7, 0.9)], 12, every=2).end()


def mqtt_of(chain: Chain) -> Mqtt:
    assert chain.settings.mqtt is not None
    return chain.settings.mqtt


def test_a_replay_ends_now_and_each_one_is_history_of_its_own(chain: Chain) -> None:
    chain.start()
    before = datetime.now(timezone.utc)
    outcome = Feeder(mqtt_of(chain), a_visit()).run()
    assert (outcome.scenes, outcome.cameras) == (len(a_visit()), 1)
    started = [datetime.fromisoformat(str(row[6])) for row in chain.sessions()]
    assert len(started) == 2
    assert all(before - timedelta(seconds=31) <= moment <= datetime.now(timezone.utc) for moment in started)
    Feeder(mqtt_of(chain), [one.model_copy(update={"site": "second"}) for one in a_visit()]).run()
    assert {row[1] for row in chain.sessions()} == {"gym", "second"}


def test_with_their_own_times_nothing_is_doubled_and_gaps_hold_nothing_up(chain: Chain) -> None:
    chain.start()
    scenes = [scene for scene in a_visit() if scene.seq not in (5, 6, 20)]
    shuffled = scenes[::-1] + scenes[:7]
    assert Feeder(mqtt_of(chain), shuffled, keep_times=True).run().scenes == len(scenes)
    rows = chain.sessions()
    assert len(rows) == 2
    Feeder(mqtt_of(chain), scenes, keep_times=True).run()
    assert chain.sessions() == rows


def test_a_live_camera_is_left_alone(broker: Server) -> None:
    mqtt = Mqtt(url=f"mqtt://127.0.0.1:{broker.port}")
    client = MqttClient(mqtt, "")
    client.start()
    client.wait_connected(10)
    status = Status(state="online", time=datetime.now(timezone.utc))
    client.publish(topics.status("gym", "cam"), status.to_json(), retain=True)
    client.stop()
    with pytest.raises(SpotterError, match=r"camera 'cam' of site gym is online.*--as-site"):
        Feeder(mqtt, a_visit()).run()


def test_where_nobody_commits_it_ends_and_says_what_to_look_for(broker: Server) -> None:
    with pytest.raises(ServerError, match="spotter usage"):
        Feeder(Mqtt(url=f"mqtt://127.0.0.1:{broker.port}"), a_visit(), patience=0.5).run()


def test_an_empty_log_is_nothing_to_replay() -> None:
    with pytest.raises(SpotterError, match="no scenes"):
        Feeder(Mqtt(url="mqtt://127.0.0.1:1"), [])
