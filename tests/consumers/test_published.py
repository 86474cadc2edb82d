"""What integrators hear over MQTT: real mosquitto, mosquitto_sub as their client, real workers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from spotter import topics
from spotter.cli import cli
from spotter.database.tables import AlertRow, LayoutRow, RetainedTopicRow, UsageSessionRow
from spotter.events import Alert, Identified, parse

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
      mats: {kind: floor, polygon: [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]}
      shelf: {kind: rack, holds: {kettlebell: 2}, polygon: [[0.8, 0.0], [1, 0], [1, 0.3], [0.8, 0.3]]}
  desk:
    uri: desk.mp4
    zones: {desk: {kind: kiosk, polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]}}
rules: {enter_after: 1, leave_after: 3, use_after: 1, rest_after: 4, left_out_after: 20, camera_lost_after: 30,
  service_after: {treadmill: 0.01}}
"""
TREADMILL = topics.equipment_state("gym", "treadmill-1")


class Listener:
    """`mosquitto_sub` on everything, as another program would run it."""

    def __init__(self, port: int) -> None:
        binary = shutil.which("mosquitto_sub")
        if binary is None:
            pytest.skip("no mosquitto_sub on this machine")
        command = [binary, "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-F", "%r %t %p", "-t", "#"]
        self.lines: list[tuple[bool, str, str]] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            retained, topic, payload = (*line.rstrip("\n").split(" ", 2), "")[:3]
            self.lines.append((retained == "1", topic, payload))

    def of(self, topic: str) -> list[str]:
        return [payload for _, of, payload in list(self.lines) if of == topic]

    def newest(self) -> dict[str, str]:
        """What each topic said last."""
        return {topic: payload for _, topic, payload in list(self.lines)}

    def wait(self, condition: Callable[[Listener], Any], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, self.newest()
            time.sleep(0.05)

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        self._thread.join(10)


@pytest.fixture
def chain(tmp_path: Path, broker: Server, redis_process: Server) -> Iterator[Chain]:
    chain = Chain(tmp_path, broker, redis_process, f"sqlite:///{tmp_path}/spotter.db", GYM)
    yield chain
    chain.stop()


@pytest.fixture
def pipeline(chain: Chain) -> Iterator[FakePipeline]:
    chain.start()
    assert chain.settings.mqtt is not None
    pipeline = FakePipeline(chain.settings.mqtt)
    yield pipeline
    pipeline.close()


@pytest.fixture
def listener(broker: Server) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


def send(pipeline: FakePipeline, film: Film) -> None:
    for scene in film.scenes:
        pipeline.add(scene)
    pipeline.wait_until_committed(30)


def run(chain: Chain, *arguments: str) -> str:
    result = CliRunner().invoke(cli, [*arguments, "--config", str(chain.config)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def a_morning() -> Film:
    """Someone runs, someone leaves a kettlebell on the mats, the picture fails for a while."""
    film = Film()
    runner = [person("p", 0.2, 0.9)]
    film.show(runner, 60, every=2)
    film.show([person("q", 0.7, 0.9), kettlebell("k", 0.7, 0.9, moving=True)], 10)
    film.show([kettlebell("k", 0.7, 0.9)], 40, every=2)
    film.dark(50)
    film.show([], 5, every=1)
    film.show(runner, 5, every=1)
    return film


def test_an_integrator_hears_states_counts_alerts_and_identifications(
    pipeline: FakePipeline, listener: Listener, chain: Chain
) -> None:
    send(pipeline, a_morning())
    send(pipeline, Film("desk").show([kettlebell("held", 0.5, 0.6)], 3, every=0.2))
    listener.wait(lambda heard: heard.of(topics.identified("gym", "desk")))
    listener.wait(lambda heard: heard.newest().get(topics.count("gym", "treadmill-1", "person")) == "1")
    listener.wait(lambda heard: heard.newest().get(TREADMILL) == "in_use")
    shown = parse(Identified, listener.of(topics.identified("gym", "desk"))[0])
    assert (shown.state, shown.label) == ("recognised", "kettlebell")
    for kind in ("left_out", "camera_offline", "maintenance_due"):
        alerts = [parse(Alert, payload) for payload in listener.of(topics.alert("gym", kind))]
        assert next(alert.type for alert in alerts if alert.alert == alerts[0].alert) == "raised"
        assert len({(alert.alert, alert.type) for alert in alerts}) == len(alerts), "nothing is said twice"
    offline = [parse(Alert, payload).type for payload in listener.of(topics.alert("gym", "camera_offline"))]
    assert offline == ["raised", "cleared"]
    assert listener.newest()[topics.open_alerts("gym", "camera_offline")] == "0"
    assert listener.newest()[topics.open_alerts("gym", "maintenance_due")] == "1"
    assert "left_out" in listener.of(topics.equipment_state("gym", "kettlebell"))
    with chain.engine.connect() as connection:
        stored = connection.execute(select(AlertRow.kind, AlertRow.cleared_at)).all()
        retained = dict(
            tuple(row) for row in connection.execute(select(RetainedTopicRow.topic, RetainedTopicRow.payload))
        )
    assert ("camera_offline", None) not in [tuple(row) for row in stored]
    assert retained[TREADMILL] == b"in_use"


def test_home_assistant_finds_entities_and_loses_those_that_are_gone(
    pipeline: FakePipeline, broker: Server, listener: Listener, chain: Chain
) -> None:
    send(pipeline, a_morning())
    listener.wait(lambda heard: heard.newest().get(TREADMILL) == "in_use")
    late = Listener(broker.port)  # one who comes later finds all that is retained
    config = "homeassistant/binary_sensor/spotter_gym/unit_treadmill-1_in_use/config"
    late.wait(lambda heard: {config, TREADMILL} <= heard.newest().keys())
    late.close()
    configs = {topic: json.loads(p) for _, topic, p in late.lines if topic.startswith("homeassistant/")}
    assert all(retained for retained, topic, _ in late.lines if topic.startswith("homeassistant/"))
    assert configs[config]["state_topic"] == TREADMILL
    assert len({entity["unique_id"] for entity in configs.values()}) == len(configs)
    for name in (
        "binary_sensor/spotter_gym/camera_cam",
        "sensor/spotter_gym/count_mats_person",
        "binary_sensor/spotter_gym/alert_left_out",
        "sensor/spotter_gym/unit_kettlebell",
    ):
        assert f"homeassistant/{name}/config" in configs, sorted(configs)
    for topic, entity in configs.items():
        assert entity["state_topic"].startswith("spotter/gym/")
        assert entity["default_entity_id"] == f"{topic.split('/')[1]}.{entity['unique_id'].lower()}"
    without = chain.folder / "without.yaml"
    without.write_text(
        chain.text.replace(
            "treadmill-1: {kind: station, equipment: treadmill", "bike-1: {kind: station, equipment: bike"
        )
    )
    assert "version 2" in run(chain, "layout", "import", str(without), "--by", "olga")
    listener.wait(lambda heard: heard.newest().get(TREADMILL) == "" and heard.newest()[config] == "")
    gone = topics.count("gym", "treadmill-1", "person")
    listener.wait(lambda heard: heard.newest()[gone] == "")
    other = "homeassistant/binary_sensor/spotter_gym/unit_bike-1_in_use/config"
    listener.wait(lambda heard: other in heard.newest())
    with chain.engine.connect() as connection:
        ended = connection.execute(select(UsageSessionRow.unit, UsageSessionRow.ended_by)).all()
    assert ("treadmill-1", "layout") in [tuple(row) for row in ended]


def test_a_broker_that_lost_everything_is_told_again(pipeline: FakePipeline, broker: Server, chain: Chain) -> None:
    send(pipeline, a_morning())
    with chain.engine.connect() as connection:
        kept = {
            topic: bytes(p).decode()
            for topic, p in connection.execute(select(RetainedTopicRow.topic, RetainedTopicRow.payload))
        }
    assert kept[TREADMILL] == "in_use"
    broker.stop()  # it keeps nothing on the disk
    broker.start()
    again = Listener(broker.port)
    try:
        again.wait(lambda heard: kept.keys() <= heard.newest().keys())
        newest = again.newest()
        assert {topic: newest[topic] for topic in kept} == kept
    finally:
        again.close()


def test_an_alert_is_acknowledged_by_a_person_once(pipeline: FakePipeline, listener: Listener, chain: Chain) -> None:
    send(pipeline, a_morning())
    (shown,) = [
        json.loads(line) for line in run(chain, "alert", "list", "--json").splitlines() if "maintenance" in line
    ]
    topic = topics.alert("gym", "maintenance_due")
    assert "acknowledged" in run(chain, "alert", "ack", shown["id"], "--by", "olga")
    assert "already" in run(chain, "alert", "ack", shown["id"], "--by", "tim")
    listener.wait(lambda heard: any(parse(Alert, p).type == "acknowledged" for p in heard.of(topic)))
    heard = [parse(Alert, payload) for payload in listener.of(topic)]
    assert [(str(alert.alert), alert.by) for alert in heard if alert.type == "acknowledged"] == [(shown["id"], "olga")]
    assert listener.newest()[topics.open_alerts("gym", "maintenance_due")] == "1", "it is still open"
    unknown = CliRunner().invoke(cli, ["alert", "ack", "nothing", "--config", str(chain.config)])
    assert "has no alert nothing" in str(unknown.exception)


def test_a_unit_in_maintenance_says_so_until_it_is_done(
    pipeline: FakePipeline, listener: Listener, chain: Chain
) -> None:
    send(pipeline, a_morning())
    listener.wait(lambda heard: heard.newest().get(TREADMILL) == "in_use")
    assert '"state": "due"' in run(chain, "maintenance", "list", "--json")
    run(chain, "maintenance", "start", "treadmill-1", "--by", "olga", "--note", "belt")
    listener.wait(lambda heard: heard.newest()[TREADMILL] == "maintenance")
    run(chain, "maintenance", "done", "treadmill-1", "--by", "olga")
    listener.wait(lambda heard: heard.newest()[TREADMILL] == "in_use")
    listener.wait(lambda heard: heard.newest()[topics.open_alerts("gym", "maintenance_due")] == "0")
    types = [parse(Alert, payload).type for payload in listener.of(topics.alert("gym", "maintenance_due"))]
    assert types == ["raised", "cleared"]
    (unit,) = [json.loads(line) for line in run(chain, "maintenance", "list", "--json").splitlines()]
    assert (unit["hours"], unit["state"]) == (0, "ok")
    assert "belt" in run(chain, "maintenance", "log")


def test_a_restart_does_not_undo_a_layout_from_elsewhere(pipeline: FakePipeline, chain: Chain) -> None:
    film = Film().show([person("p", 0.2, 0.9)], 10)
    send(pipeline, film)
    other = chain.folder / "other.yaml"
    other.write_text(chain.text.replace("enter_after: 1", "enter_after: 2"))
    run(chain, "layout", "import", str(other), "--by", "olga")
    wait_for_layout(chain, 2)
    chain.kill("usage")
    chain.start("usage")
    done = len(film.scenes)
    film.show([person("p", 0.2, 0.9)], 10)
    for scene in film.scenes[done:]:
        pipeline.add(scene)
    pipeline.wait_until_committed(30)
    versions = [json.loads(line) for line in run(chain, "layout", "list", "--json").splitlines()]
    assert [(v["version"], v["source"], v["by"], v["in_force"]) for v in versions] == [
        (2, "import", "olga", True),
        (1, "settings", None, False),
    ]
    exported = chain.folder / "exported.yaml"
    run(chain, "layout", "export", "--out", str(exported))
    assert "no change" in run(chain, "layout", "import", str(exported))


def wait_for_layout(chain: Chain, version: int) -> None:
    deadline = time.monotonic() + 30
    row = LayoutRow
    while True:
        with chain.engine.connect() as connection:
            found = connection.execute(select(row.applied_at, row.positions).where(row.version == version)).first()
        if found is not None and found.applied_at is not None:
            assert [camera for camera, _, _ in found.positions] == ["cam"]
            return
        assert time.monotonic() < deadline, (chain.folder / "chain.log").read_text()[-3000:]
        time.sleep(0.05)
