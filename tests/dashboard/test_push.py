"""Notifications in browsers: to a real local push service, and read as a browser reads them."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from dashboard import keys
from dashboard.context import attached
from dashboard.notify.push import Push
from dashboard.notify.sender import MOST_TRIES, Sender
from spotter import catalog
from spotter.database.people_tables import PushRow, SiteRoleRow, UserRow
from spotter.database.tables import DeliveryRow
from spotter.settings import Settings

from . import test_notify
from .gym import AuthActions, Gym
from .people import browser, only, post

hook = test_notify.hook


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def packed(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Receiver:
    """A browser as a push service knows it: gives its keys, and reads what was sent to it by RFC 8291."""

    def __init__(self, server: ThreadingHTTPServer, name: str = "one") -> None:
        self._key, self._auth = ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes ok"
        self._public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}/push/{name}"

    def subscription(self, *kinds: str) -> dict[str, Any]:
        return {"endpoint": self.endpoint, "p256dh": plain(self._public), "auth": plain(self._auth), "kinds": kinds}

    def read(self, body: bytes) -> Any:
        salt, size, (length,) = body[:16], struct.unpack("!L", body[16:20])[0], body[20:21]
        assert len(body) <= size == 4096
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))

        def derive(secret: bytes, salted: bytes, info: bytes, size: int) -> bytes:
            return HKDF(hashes.SHA256(), size, salt=salted, info=info).derive(secret)

        secret = derive(shared, self._auth, b"WebPush: info\0" + self._public + theirs, 32)
        key, nonce = (
            derive(secret, salt, f"Content-Encoding: {name}\0".encode(), size)
            for name, size in (("aes128gcm", 16), ("nonce", 12))
        )
        opened = AESGCM(key).decrypt(nonce, sealed, None)
        assert opened.endswith(b"\x02")
        return json.loads(opened[:-1])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"notify": settings.notify.model_copy(update={"push_services": ("127.0.0.1",)})})


@pytest.fixture
def receiver(hook: test_notify.HookServer) -> Iterator[Receiver]:
    hook.answer = 201
    yield Receiver(hook)


@pytest.fixture
def step(app: Flask, gym: Gym) -> Callable[[datetime], int]:
    told = attached(app).settings
    return Sender(told, gym.engine, catalog.load(), attached(app).push).step


def subscribe(client: FlaskClient, told: dict[str, Any]) -> Any:
    headers = {"X-CSRFToken": AuthActions(client).token("/account")}
    return client.post("/account/notifications/browsers", json=told, headers=headers)


def states(gym: Gym) -> dict[str, str]:
    return {row.channel: row.state for row in only(gym, DeliveryRow)}


def test_a_browser_is_told_once_encrypted_and_signed(
    app: Flask,
    gym: Gym,
    hook: test_notify.HookServer,
    receiver: Receiver,
    step: Callable[[datetime], int],
) -> None:
    trainer, now = browser(app, gym, "trainer"), datetime.now(timezone.utc)
    gym.alert("walkway", now - timedelta(minutes=5))
    assert subscribe(trainer, receiver.subscription("walkway", "missing")).status_code == 204
    later = datetime.now(timezone.utc)
    alert = gym.alert("walkway", later)
    gym.alert("queue", later)
    assert (step(later), step(later)) == (1, 0)
    ((headers, body),) = hook.got
    told = receiver.read(body)
    assert (told["title"], told["url"]) == ("In the way: Kettlebell, floor", f"/alerts#alert-{alert}")
    assert told["body"].startswith("downtown\n")
    assert (headers["content-encoding"], headers["urgency"], headers["ttl"]) == ("aes128gcm", "high", "43200")
    token, key = (part.partition("=")[2] for part in headers["authorization"].removeprefix("vapid ").split(", "))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), packed(key))
    origin = receiver.endpoint.rpartition("/push")[0].rpartition(":")[0]
    claims = jwt.decode(token, public, ["ES256"], audience=origin)
    assert claims["sub"].startswith("mailto:")
    page = trainer.get("/account/notifications").text
    assert f'"key": "{key}"' in page
    assert "browser of Tom" in trainer.get("/alerts?state=all").text


def test_it_is_tried_again_given_up_and_forgotten_when_the_browser_is_gone(
    app: Flask,
    gym: Gym,
    hook: test_notify.HookServer,
    receiver: Receiver,
    step: Callable[[datetime], int],
) -> None:
    owner = browser(app, gym, "owner")
    subscribe(owner, receiver.subscription("walkway"))
    now = datetime.now(timezone.utc)
    gym.alert("walkway", now)
    hook.answer = 500
    for _ in range(MOST_TRIES):
        assert step(now) == 0
        now += timedelta(hours=1)
    assert states(gym) == {"push-1": "failed"}
    assert "the push service answers 500" in owner.get("/alerts").text
    gym.alert("walkway", now)
    hook.answer = 410
    assert step(now) == 0
    assert only(gym, PushRow) == []
    assert sorted(row.state for row in only(gym, DeliveryRow)) == ["failed", "skipped"]


def test_only_who_may_see_alerts_is_told(
    app: Flask,
    gym: Gym,
    hook: test_notify.HookServer,
    receiver: Receiver,
    step: Callable[[datetime], int],
) -> None:
    owner, viewer = browser(app, gym, "owner"), browser(app, gym, "viewer")
    subscribe(viewer, receiver.subscription("walkway"))
    with Session(gym.engine) as session:  # elsewhere she stays what she is, so that she is not deleted
        vera = session.query(UserRow).filter_by(name="Vera").one().id
        session.add(SiteRoleRow(user_id=vera, site="uptown", role="viewer"))
        session.commit()
    number = re_number(owner.get("/people").text, "Vera")
    post(owner, f"/people/{number}/remove")
    gym.alert("walkway", datetime.now(timezone.utc))
    assert (step(datetime.now(timezone.utc)), hook.got) == (0, [])
    assert len(only(gym, PushRow)) == 1


def re_number(page: str, name: str) -> str:
    return re.findall(r"/people/(\d+)/remove", page[page.index(f">{name}<") :])[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://evil.example/x"},
        {"endpoint": "https://127.0.0.1.evil.example/"},
        {"endpoint": "https://user@127.0.0.1/"},
        {"endpoint": "http://169.254.169.254/latest"},
        {"endpoint": "file:///etc/passwd"},
        {"endpoint": "https://[::"},
        {"kinds": []},
        {"kinds": ["nothing"]},
        {"p256dh": "'"},
        {"more": 1},
    ],
)
def test_what_no_browser_would_send_is_refused(app: Flask, gym: Gym, receiver: Receiver, wrong: dict[str, Any]) -> None:
    answer = subscribe(browser(app, gym, "viewer"), {**receiver.subscription("walkway"), **wrong})
    assert (answer.status_code, bool(answer.json["problem"])) == (422, True)
    assert only(gym, PushRow) == []


def test_a_browser_is_its_last_persons_and_a_test_reaches_it(
    app: Flask,
    gym: Gym,
    hook: test_notify.HookServer,
    receiver: Receiver,
) -> None:
    owner, trainer = browser(app, gym, "owner"), browser(app, gym, "trainer")
    subscribe(owner, receiver.subscription("walkway"))
    subscribe(trainer, receiver.subscription("missing"))
    (row,) = only(gym, PushRow)
    assert row.kinds == ["missing"]
    path = f"/account/notifications/browsers/{row.id}"
    assert post(owner, f"{path}/test").status_code == post(owner, f"{path}/stop").status_code == 404
    post(trainer, f"{path}/test")
    assert receiver.read(hook.got[0][1])["title"] == "Notifications work"
    hook.answer = 503
    post(trainer, f"{path}/test")
    assert "It did not get through: the push service answers 503." in trainer.get("/account/notifications").text
    post(trainer, f"{path}/stop")
    assert only(gym, PushRow) == []
    subscribe(owner, receiver.subscription("walkway"))
    assert [one.id for one in only(gym, PushRow)] == [row.id + 1]  # what he was told is never taken for told to her
    assert "turned notifications off" in owner.get("/people/log").text


def test_keys_that_are_none_are_forgotten_and_ours_stay_the_same(
    app: Flask, gym: Gym, receiver: Receiver, step: Callable[[datetime], int]
) -> None:
    subscribe(browser(app, gym, "owner"), {**receiver.subscription("walkway"), "p256dh": "AAAA"})
    gym.alert("walkway", datetime.now(timezone.utc))
    assert step(datetime.now(timezone.utc)) == 0
    assert only(gym, PushRow) == []
    told = attached(app).settings
    assert Push(told, keys.secret_key(told.data)).key == attached(app).push.key
    assert Push(told, b"another" * 8).key != attached(app).push.key
