from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.outbox import Outbox
from pipeline.publisher import WILL_REASON, CameraLink, Courier
from pipeline.scene import Draft
from spotter.events import Committed, PreviewRequest, Scene, Status, parse
from spotter.settings import Mqtt

from .broker import Listener, Mosquitto
from .staging import START

SCENE, STATUS, COMMITTED = (f"spotter/downtown/rack/{leaf}" for leaf in ("scene", "status", "committed"))


class Sender:
    """A camera's link with its outbox and courier."""

    def __init__(self, broker: Mosquitto, path: Path) -> None:
        self.outbox = Outbox(path, hours=24, mebibytes=64)
        self.courier = Courier()
        self.link = CameraLink(broker.settings, self.outbox, "downtown", "rack", self.courier.wake)
        self.link.start()
        self.courier.start((self.link,))

    def append(self, count: int) -> None:
        self.outbox.append([Draft("downtown", "rack", START, (320, 180), True, ())] * count)
        self.courier.wake()

    def eventually(self, condition, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    def close(self) -> None:
        self.courier.stop(1)
        self.link.stop(None)
        self.outbox.close()


@pytest.fixture
def sender(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Sender]:
    made = Sender(mosquitto, tmp_path / "outbox.db")
    made.eventually(lambda: made.link.connected)
    yield made
    made.close()


def scenes_heard(listener: Listener, count: int, seconds: float = 20) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        _, payload = listener.until(lambda topic, _: topic == SCENE, seconds)
        found.append(parse(Scene, payload).seq)
    return found


def test_scenes_arrive_in_order_and_leave_the_outbox_only_when_the_database_has_them(
    sender: Sender, listener: Listener
) -> None:
    sender.append(20)
    assert scenes_heard(listener, 20) == list(range(20))
    stream = sender.outbox.stream("downtown", "rack")
    assert stream.pending == 20
    listener.say(COMMITTED, Committed(stream=stream.stream, seq=14).to_json(), retain=True)
    sender.eventually(lambda: stream.pending == 5)


def test_a_thousand_scenes_of_an_outage_drain_in_order_after_the_newest(
    sender: Sender, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    mosquitto.kill()
    sender.eventually(lambda: not sender.link.connected)
    for _ in range(10):
        sender.append(100)
    sender.close()
    mosquitto.start()
    hearing = Listener(mosquitto, SCENE)  # it must be there before the scenes are
    back = Sender(mosquitto, tmp_path / "outbox.db")
    ordered = scenes_heard(hearing, 1000)
    back.close()
    hearing.close()
    assert ordered[0] == 999
    assert ordered[1:] == list(range(999))


def test_a_broker_killed_under_load_loses_no_scene(sender: Sender, mosquitto: Mosquitto) -> None:
    heard: set[int] = set()
    for _ in range(3):
        hearing = Listener(mosquitto, SCENE)
        sender.eventually(lambda: sender.link.connected, 30)
        for _ in range(10):
            sender.append(10)
            time.sleep(0.01)
        mosquitto.kill()
        hearing.close()
        while not hearing.heard.empty():
            heard.add(parse(Scene, hearing.heard.get()[1]).seq)
        mosquitto.start()
    hearing = Listener(mosquitto, SCENE)
    stream = sender.outbox.stream("downtown", "rack").stream
    while len(heard) < 300:  # what the broker took and lost is sent again after 10 s
        heard.update(scenes_heard(hearing, 1))
        unbroken = next(seq for seq in range(301) if seq not in heard)
        if unbroken:  # as the consumers would: what they say is what is sent again sooner than a few at a time
            hearing.say(COMMITTED, Committed(stream=stream, seq=unbroken - 1).to_json(), retain=True)
    hearing.close()
    assert heard == set(range(300))


def test_garbage_on_the_committed_topic_harms_nothing(sender: Sender, listener: Listener) -> None:
    for payload in (b"", b"{}", b"\xff\xfe", b'{"schema":"spotter.committed/9","stream":"x","seq":1}', b"[" * 5000):
        listener.say(COMMITTED, payload)
    sender.append(1)
    assert scenes_heard(listener, 1) == [0]
    assert sender.outbox.stream("downtown", "rack").pending == 1


def test_the_status_is_retained_and_published_again_to_a_broker_that_forgot_it(
    sender: Sender, mosquitto: Mosquitto
) -> None:
    sender.link.publish_status(Status(state="online", time=START))
    sender.eventually(lambda: True)
    for _ in range(2):
        late = Listener(mosquitto, STATUS)
        assert parse(Status, late.next(5)[1]).state == "online"
        late.close()
        mosquitto.kill()
        mosquitto.start()


def test_previews_are_wanted_only_while_somebody_asks(sender: Sender, listener: Listener) -> None:
    assert not sender.link.watched
    listener.say("spotter/downtown/rack/preview/set", PreviewRequest(seconds=0.6).to_json())
    sender.eventually(lambda: sender.link.watched)
    sender.eventually(lambda: not sender.link.watched, 3)


def test_names_that_read_alike_together_are_two_connections(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "outbox.db", hours=24, mebibytes=64)
    links = [
        CameraLink(mosquitto.settings, outbox, site, camera, lambda: None)
        for site, camera in (("gym", "2-front"), ("gym-2", "front"))
    ]
    for link in links:
        link.start()
        link._client.wait_connected(5)
    for link in links:
        link.publish_status(Status(state="online", time=START))
    expected = {"spotter/gym/2-front/status", "spotter/gym-2/front/status"}
    while expected:  # a link that is told its status while it connects says it twice
        topic, payload = listener.next(5)
        assert parse(Status, payload).reason != WILL_REASON, "one has thrown out the other"
        expected.discard(topic)
    for link in links:
        link.stop(None)


def test_the_courier_goes_on_with_the_others_whatever_one_camera_meets(
    sender: Sender, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.publisher._AFTER_ERROR_SECONDS", 0.02)
    broken = CameraLink(Mqtt(url="mqtt://127.0.0.1:1"), sender.outbox, "downtown", "broken", lambda: None)
    monkeypatch.setattr(broken, "step", lambda _: 1 / 0)
    sender.courier.use((broken, sender.link))
    sender.append(1)
    assert scenes_heard(listener, 1, 5) == [0]
