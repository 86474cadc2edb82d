"""The embedded servers: only on this machine, only with the password, the same after a restart."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from spotter import settings
from spotter.embedded import servers
from spotter.errors import ServerError
from spotter.mqtt import MqttClient, Will

redis = pytest.importorskip("redis", reason="needs the [server] extra")
pytest.importorskip("amqtt", reason="needs the [server] extra")


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 15
    while servers.port_is_free(servers.HOST, port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.EmbeddedServers]:
    data = tmp_path_factory.mktemp("data")
    prepared = servers.prepare(data)
    configuration = servers.write_redis_configuration(data, prepared)
    environment = {
        servers.BROKER_PASSWORD_VARIABLE: prepared.mqtt_password,
        servers.BROKER_PORT_VARIABLE: str(prepared.mqtt_port),
    }
    children = [
        subprocess.Popen([servers.redis_server_path(), str(configuration)], stdout=subprocess.DEVNULL),
        subprocess.Popen([sys.executable, "-m", "spotter.embedded.broker"], env=environment),
    ]
    wait_for_port(prepared.redis_port)
    wait_for_port(prepared.mqtt_port)
    yield prepared
    for child in children:
        child.terminate()
    for child in children:
        child.wait(10)


def broker_settings(embedded: servers.EmbeddedServers, password: str | None = None) -> settings.Mqtt:
    return settings.Mqtt(
        url=f"mqtt://{servers.HOST}:{embedded.mqtt_port}",
        username=servers.USERNAME,
        password=SecretStr(password if password is not None else embedded.mqtt_password),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_a_port_is_tried_in_the_family_of_its_address(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    port = servers.free_port(host)
    assert servers.port_is_free(host, port)
    with socket.create_server((host, port), family=family):
        assert not servers.port_is_free(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no.such.host.invalid"])
def test_an_address_that_this_machine_lacks_is_told_as_such(host: str) -> None:
    with pytest.raises(ServerError, match=f"address {host}: this machine can't listen on it"):
        servers.port_is_free(host, 8000)
    with pytest.raises(ServerError, match=f"address {host}"):
        servers.free_port(host)


def test_redis_refuses_a_stranger_and_answers_who_has_the_password(embedded: servers.EmbeddedServers) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host=servers.HOST, port=embedded.redis_port).ping()
    assert redis.Redis.from_url(embedded.redis_url).ping()


def test_the_broker_refuses_a_wrong_password_in_plain_words(embedded: servers.EmbeddedServers) -> None:
    client = MqttClient(broker_settings(embedded, "guess"), "stranger")
    client.start()
    try:
        with pytest.raises(ServerError, match="refused the log-in"):
            client.wait_connected(3)
    finally:
        client.stop()


def test_a_client_outlives_what_its_handlers_meet(
    embedded: servers.EmbeddedServers, capfd: pytest.CaptureFixture[str]
) -> None:
    got: list[bytes] = []

    def subscribe() -> None:
        client.subscribe("own/#")
        raise ValueError("odd connection")

    def take(_: str, payload: bytes, __: object) -> None:
        got.append(payload)
        raise ValueError(f"odd message {len(got)}")

    client = MqttClient(broker_settings(embedded), "odd", on_connect=subscribe, on_message=take)
    client.start()
    try:
        client.wait_connected(5)
        deadline = time.monotonic() + 5
        while len(got) < 2:
            assert time.monotonic() < deadline
            client.publish("own/x", b"1")
            time.sleep(0.05)
    finally:
        client.stop()
    said = "".join(capfd.readouterr())
    assert all(text in said for text in ("mqtt_handler_failed", "odd connection", "odd message 2"))


def test_the_broker_carries_messages_keeps_retained_ones_and_publishes_wills(
    embedded: servers.EmbeddedServers,
) -> None:
    got: list[tuple[str, bytes]] = []
    enough = threading.Event()

    def take(topic: str, payload: bytes, _: object) -> None:
        got.append((topic, payload))
        if len(got) == 2:
            enough.set()

    dying = MqttClient(broker_settings(embedded), "dying", will=Will("spotter/a/b/status", b"gone"))
    dying.start()
    dying.wait_connected(5)
    dying.publish("spotter/a/b/committed", b"7", retain=True)
    late = MqttClient(
        broker_settings(embedded), "late", on_connect=lambda: late.subscribe("spotter/#"), on_message=take
    )
    late.start()
    try:
        late.wait_connected(5)
        deadline = time.monotonic() + 5
        while not got:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        dying._client.socket().shutdown(2)  # the wire is cut: no farewell
        assert enough.wait(20)
    finally:
        dying.stop()
        late.stop()
    assert set(got) == {("spotter/a/b/committed", b"7"), ("spotter/a/b/status", b"gone")}


def test_nobody_gets_what_is_retained_under_the_filters_of_others(embedded: servers.EmbeddedServers) -> None:
    got: list[str] = []
    arrived = threading.Event()

    def take(topic: str, _: bytes, __: object) -> None:
        got.append(topic)
        if topic == "own/end":
            arrived.set()

    everything = MqttClient(
        broker_settings(embedded), "everything", on_connect=lambda: everything.subscribe("spotter/#")
    )
    everything.start()
    everything.wait_connected(5)
    everything.publish("spotter/gym/front/status", b"online", retain=True)
    other = MqttClient(broker_settings(embedded), "other", on_connect=lambda: other.subscribe("own/#"), on_message=take)
    other.start()
    other.wait_connected(5)
    try:
        while not arrived.wait(0.1):
            everything.publish("own/end", b"", qos=0)
    finally:
        everything.stop()
        other.stop()
    assert set(got) == {"own/end"}


def test_one_who_subscribes_does_not_disturb_the_connecting_of_another() -> None:
    from spotter.embedded.broker import Subscriptions

    subscriptions = Subscriptions(a=[], b=[])
    seen = []
    for topic in subscriptions:
        subscriptions[topic + topic] = []
        seen.append(topic)
    assert seen == ["a", "b"]


def test_ports_and_passwords_stay_from_start_to_start(tmp_path: Path) -> None:
    first = servers.prepare(tmp_path)
    assert servers.prepare(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "servers.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(servers.write_redis_configuration(tmp_path, first).stat().st_mode) == 0o600


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    import socket

    first = servers.prepare(tmp_path)
    with socket.socket() as taker:
        taker.bind((servers.HOST, first.mqtt_port))
        taker.listen()
        second = servers.prepare(tmp_path)
    assert second.mqtt_port != first.mqtt_port
    assert second.mqtt_password == first.mqtt_password


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match="choose another `data:` folder"):
        servers.prepare(tmp_path / "file")


def test_tools_find_the_servers_of_a_running_up(tmp_path: Path) -> None:
    prepared = servers.prepare(tmp_path)
    found = servers.with_embedded(settings.loads("uri: 0", base=tmp_path, environment={"SPOTTER_DATA": str(tmp_path)}))
    assert found.mqtt is not None
    assert found.mqtt.url.endswith(str(prepared.mqtt_port))
    assert found.redis is not None
    assert found.redis.url.get_secret_value() == prepared.redis_url
