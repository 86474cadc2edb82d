"""What a scanner would try on every route: hostile names and fields, missing CSRF tokens, missing headers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask, redirect, request
from werkzeug.datastructures import FileStorage, ImmutableMultiDict
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dashboard import rights
from dashboard.security import HEADERS, limiter

from .gym import Gym
from .people import browser
from .test_api import get, token

ATTACKS = (
    "' OR '1'='1' --",
    "<script>alert(1)</script>\"'>",
    "../../../../../../etc/passwd",
    "..\\..\\..%2fetc%2fpasswd",
    "{{1337*7331}}${1337*7331}%(x)s",
    "x\r\nX-Injected: 1",
    "//evil.example/x",
    "null\0byte",
    "9" * 40,
    "-1",
    "\u202e\ufffd" * 300,
)


class Hostile(ImmutableMultiDict[str, str]):
    """A query or form that has the attack in whatever field is asked for."""

    attack = ""

    def get(self, key: Any, default: Any = None, type: Any = str) -> Any:  # noqa: A002 - Werkzeug's name
        try:
            return type(self.attack)
        except (ValueError, TypeError):
            return default

    def getlist(self, key: Any, type: Any = str) -> list[Any]:  # noqa: A002
        return [self.get(key, type=type)]

    def items(self, multi: bool = False) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        return iter([("field", self.attack)])

    def __getitem__(self, key: Any) -> str:
        return self.attack

    def __contains__(self, key: object) -> bool:
        return True


def hostile_to(app: Flask) -> None:
    """Have every field of every request hold the attack."""

    class HostileRequest(app.request_class):  # type: ignore[name-defined,misc]
        parameter_storage_class = Hostile

        @property
        def files(self) -> ImmutableMultiDict[str, FileStorage]:
            sent = {name: FileStorage(io.BytesIO(b"no photo"), Hostile.attack) for name in ("photo", "photos")}
            return ImmutableMultiDict(sent)

    app.request_class = HostileRequest
    app.config.update(WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)


def asked(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if rule.endpoint != "auth.logout":  # ends what the others are asked with
                yield rule, method


def path_with(rule: Rule, name: str, number: int = 2**70) -> str:
    def value(found: re.Match[str]) -> str:
        return str(number) if found[0].startswith("<int:") else quote(name, safe="")

    return re.sub(r"<[^>]+>", value, rule.rule)


def is_harmless(answer: TestResponse, where: str) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, where
    assert "X-Injected" not in answer.headers, where
    assert urlsplit(answer.headers.get("Location", "")).netloc in ("", "localhost"), where
    assert set(HEADERS) <= set(dict(answer.headers)), where
    if answer.mimetype != "text/event-stream":
        body = answer.get_data()
        assert not any(sign in body for sign in (b"root:x:0", b"9801547", b"Traceback")), where
        assert answer.mimetype != "text/html" or b"<script>alert(1)" not in body, where


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_name_and_no_field_does_harm(app: Flask, gym: Gym, attack: str) -> None:
    owner, stranger = browser(app, gym, "owner"), app.test_client()
    hostile_to(app)
    Hostile.attack = attack
    fields = ("note", "unit", "step", "equipment", "following", "revision", "at", "client", "zones")
    for rule, method in asked(app):
        for client in (owner, stranger) if rights.may(rights.STRANGER, rule.endpoint) else (owner,):
            path = path_with(rule, attack)
            takes_json = method != "GET" and path.startswith(("/api/", "/layout/", "/labelling/"))
            json = dict.fromkeys(fields, attack) if takes_json else None
            answer = client.open(path, method=method, buffered=False, json=json)
            is_harmless(answer, f"{method} {path[:80]}")
            answer.close()
    assert owner.get("/people").status_code in (200, 400)  # not one was asked as a stranger for having been signed out


def test_nothing_changes_without_a_csrf_token(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    app.config["RATELIMIT_ENABLED"] = False
    changing = [(rule, method) for rule, method in asked(app) if method != "GET"]
    assert len(changing) > 40
    for rule, method in changing:
        assert owner.open(path_with(rule, "x", 1), method=method).status_code == 400, rule


def test_tokens_are_limited_each_by_itself_and_wrong_ones_by_their_address(
    app: Flask, gym: Gym, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = limiter.limit_manager._blueprint_limits["api"]
    monkeypatch.setattr(one, "limit_provider", "3 per minute")
    path, owner = "/api/v1/catalogue/kettlebell", browser(app, gym, "owner")
    first, second = token(gym, "live:read"), token(gym, "live:read")
    assert [get(app, path, first).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert get(app, path, second).status_code == owner.get(path).status_code == 200
    wrong = [get(app, "/api/v1/live", f"wrong-{number}").status_code for number in range(121)]
    assert wrong == [401] * 120 + [429]
    assert get(app, "/api/v1/alerts", "wrong").status_code == 429
    assert owner.get("/api/v1/alerts").status_code == 200
    elsewhere = {"Authorization": "Bearer wrong"}
    assert app.test_client().get(path, headers=elsewhere, environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 401


@pytest.mark.parametrize("make", [lambda: Hostile.attack, lambda: f"<p>{7331 * 1337}</p>", lambda: redirect("//x.y/")])
def test_harm_would_be_noticed(app: Flask, monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    app.add_url_rule("/broken", "broken", make)
    monkeypatch.setitem(rights.RIGHTS, "broken", rights.EVERYBODY)
    Hostile.attack = ATTACKS[1]
    with pytest.raises(AssertionError, match="broken"):
        is_harmless(app.test_client().get("/broken"), "broken")


def test_every_field_that_is_read_is_hostile(app: Flask) -> None:
    hostile_to(app)
    Hostile.attack = "x"
    with app.test_request_context("/?page=2", method="POST", data={"a": "b"}):
        assert request.args.get("page") == request.form["a"] == request.form.get("anything") == "x"
        assert request.args.get("page", 7, type=int) == 7
