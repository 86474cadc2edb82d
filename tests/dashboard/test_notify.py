"""Telling of alerts: by mail and by webhook to real local servers, once each, outside quiet hours."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from dashboard.notify.channels import DeliveryError, signature
from dashboard.notify.push import Push
from dashboard.notify.sender import MOST_TRIES, Sender, is_quiet
from spotter import catalog
from spotter.cli import cli
from spotter.database.tables import DeliveryRow
from spotter.settings import Settings, loads

from .gym import GYM, Gym, free_port
from .people import only

SECRET = "sixteen letters and more"


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a mail needs; refuses receivers of `nobody`."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailSession)
        self.mails: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class MailSession(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                self.server.mails.append("\n".join(lines))  # type: ignore[attr-defined]
            elif word == "QUIT":
                self.say("221 bye")
                return
            self.say("550 nobody of that name" if word == "RCPT" and "nobody@" in line else "250 well")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class HookServer(ThreadingHTTPServer):
    """Keeps what is posted, and answers as told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.answer = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(server.answer)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server
        server.shutdown()


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server
        server.shutdown()


def settings(tmp_path: Path, mail: MailServer | None = None, hook: HookServer | None = None, **more: Any) -> Settings:
    notify: dict[str, Any] = dict(more)
    if mail is not None:
        server = {"host": "127.0.0.1", "port": mail.server_address[1], "security": "none"}
        notify["email"] = {**server, "sender": "spotter@gym.example", "to": ["olga@gym.example"]}
    if hook is not None:
        notify["webhook"] = {"url": f"http://127.0.0.1:{hook.server_address[1]}/hook?a=b", "secret": SECRET}
    text = f"{GYM}\ndashboard: {{url: 'http://gym-box:8000'}}\nnotify: {json.dumps(notify)}\n"
    return loads(text, base=tmp_path, environment={})


def make_sender(gym: Gym, told: Settings, given: Any = None) -> Sender:
    return Sender(told, gym.engine, catalog.load(), Push(told, SECRET.encode()), given)


@pytest.fixture
def sender(gym: Gym, tmp_path: Path) -> Callable[..., Sender]:
    return lambda *servers, **more: make_sender(gym, settings(tmp_path, *servers, **more))


def states(gym: Gym) -> dict[tuple[str, str], str]:
    return {(row.channel, row.event): row.state for row in only(gym, DeliveryRow)}


def test_a_mail_says_what_and_where_once(gym: Gym, mail: MailServer, sender: Callable[..., Sender]) -> None:
    now = datetime.now(timezone.utc)
    alert = gym.alert("walkway", now)
    post = sender(mail)
    assert (post.step(now), post.step(now), post.step(now + timedelta(hours=2))) == (1, 0, 0)
    (text,) = mail.mails
    for said in ("Subject: [Spotter downtown] ", "To: olga@gym.example", f"http://gym-box:8000/alerts#alert-{alert}"):
        assert said in text
    assert "Kettlebell at rest for 120 s" in text
    assert states(gym) == {("email", "raised"): "sent"}


def test_a_webhook_is_signed_and_hears_of_the_end(gym: Gym, hook: HookServer, sender: Callable[..., Sender]) -> None:
    now = datetime.now(timezone.utc)
    alert = gym.alert("left_out", now)
    post = sender(None, hook)
    post.step(now)
    gym.clear(alert)
    post.step(now + timedelta(seconds=2))
    told = []
    for headers, body in hook.got:
        stamp, identity = headers["webhook-timestamp"], headers["webhook-id"]
        assert headers["webhook-signature"] == signature(SECRET, identity, stamp, body)
        content = json.loads(body)
        told.append((content["type"], content["alert"], content["kind"], identity))
    assert told == [
        ("raised", alert, "left_out", f"{alert}-raised"),
        ("cleared", alert, "left_out", f"{alert}-cleared"),
    ]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # printf %s 'msg_1.1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac 'a secret of 16 letters' -binary |
    # base64
    made = signature("a secret of 16 letters", "msg_1", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,XqfA1ZxutbpF58dqlIAhTCJhdS3iwdGBd5cwiTqN09s="


def test_what_fails_is_tried_again_later_and_given_up_in_the_end(
    gym: Gym, hook: HookServer, sender: Callable[..., Sender], signed_in: FlaskClient
) -> None:
    now = datetime.now(timezone.utc)
    gym.alert("queue", now)
    hook.answer = 503
    post = sender(None, hook)
    assert post.step(now) == 0
    assert "the webhook answers 503" in signed_in.get("/alerts").text
    assert post.step(now + timedelta(seconds=5)) == 0
    assert len(hook.got) == 1  # not yet
    hook.answer = 307
    post.step(now + timedelta(seconds=11))
    assert len(hook.got) == 2  # a redirection is no delivery, and is not followed
    for hours in range(1, 2 * MOST_TRIES):
        post.step(now + timedelta(hours=hours))
    assert len(hook.got) == MOST_TRIES
    assert states(gym) == {("webhook", "raised"): "failed"}
    assert "given up" in signed_in.get("/alerts").text


def test_a_server_that_is_down_or_refuses_is_named(gym: Gym, tmp_path: Path, mail: MailServer) -> None:
    from dashboard.notify.channels import channels
    from dashboard.notify.sender import trial_message as message

    asked = settings(tmp_path, mail)
    email = asked.notify.email
    assert email is not None
    now = datetime.now(timezone.utc)
    for change, said in (
        ({"port": free_port()}, "refused"),
        ({"to": ("nobody@gym.example",)}, "SMTPRecipientsRefused"),
        ({"security": "starttls"}, "SMTPNotSupportedError"),
        ({"security": "tls"}, "127.0.0.1"),
        ({"host": "no-such-host.invalid"}, "no-such-host"),
    ):
        wrong = asked.notify.model_copy(update={"email": email.model_copy(update=change)})
        with pytest.raises(DeliveryError, match=said):
            channels(wrong)["email"](message(asked, now))


def test_nobody_is_told_in_quiet_hours_but_afterwards_of_what_is_still_open(
    gym: Gym, mail: MailServer, sender: Callable[..., Sender]
) -> None:
    evening = datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc)  # half past eleven in Berlin
    open_still, over = gym.alert("walkway", evening), gym.alert("left_out", evening)
    post = sender(mail, quiet_from="22:00", quiet_to="06:30")
    assert post.step(evening) == 0
    gym.clear(over)
    assert post.step(evening + timedelta(hours=6)) == 0
    assert post.step(evening + timedelta(hours=7, minutes=1)) == 1
    assert open_still in mail.mails[0]
    assert sorted(row.state for row in only(gym, DeliveryRow)) == ["sent", "skipped"]


@pytest.mark.parametrize(
    ("begin", "end", "clock", "quiet"),
    [
        ("22:00", "06:00", time(23), True),
        ("22:00", "06:00", time(5, 59), True),
        ("22:00", "06:00", time(6), False),
        ("13:00", "14:00", time(13, 30), True),
        ("13:00", "14:00", time(14), False),
    ],
)
def test_quiet_hours(tmp_path: Path, begin: str, end: str, clock: time, quiet: bool) -> None:
    assert is_quiet(settings(tmp_path, quiet_from=begin, quiet_to=end), clock) is quiet
    assert not is_quiet(settings(tmp_path), clock)


def test_only_the_kinds_that_are_asked_for_and_no_old_news(
    gym: Gym, mail: MailServer, sender: Callable[..., Sender]
) -> None:
    now = datetime.now(timezone.utc)
    gym.alert("left_out", now)
    gym.alert("walkway", now - timedelta(hours=2))
    wanted = gym.alert("walkway", now)
    assert sender(mail, kinds=["walkway"]).step(now) == 1
    assert wanted in mail.mails[0]


def test_two_processes_tell_once(gym: Gym, mail: MailServer, sender: Callable[..., Sender]) -> None:
    now = datetime.now(timezone.utc)
    gym.alert("walkway", now)
    both = [threading.Thread(target=sender(mail).step, args=(now,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(mail.mails) == 1


def test_one_that_died_while_sending_leaves_it_to_another(
    gym: Gym, mail: MailServer, sender: Callable[..., Sender], tmp_path: Path
) -> None:
    now = datetime.now(timezone.utc)
    gym.alert("walkway", now)

    def dies(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sender(gym, settings(tmp_path, mail), {"email": dies}).step(now)
    assert sender(mail).step(now + timedelta(seconds=30)) == 0
    assert sender(mail).step(now + timedelta(seconds=61)) == 1


def test_the_command_tries_every_way(tmp_path: Path, mail: MailServer, hook: HookServer) -> None:
    def run(text: str) -> tuple[int, str]:
        (tmp_path / "gym.yaml").write_text(text)
        done = CliRunner().invoke(cli, ["notify", "test", "--config", str(tmp_path / "gym.yaml")])
        return done.exit_code, done.output + str(done.exception or "")

    assert "tells nobody" in run("uri: a.mp4\n")[1]
    ports = mail.server_address[1], hook.server_address[1]
    text = (
        "uri: a.mp4\nnotify:\n"
        f"  email: {{host: 127.0.0.1, port: {ports[0]}, security: none, sender: a@b, to: [c@d]}}\n"
        f"  webhook: {{url: 'http://127.0.0.1:{ports[1]}/', secret: {SECRET}}}\n"
    )
    assert run(text) == (0, "email: delivered\nwebhook: delivered\n")
    hook.answer = 410
    code, said = run(text)
    assert (code, "webhook: not delivered: the webhook answers 410" in said) == (1, True)
    assert len(mail.mails) == 2
