"""Who gets in, and how: the set-up link, passwords, limits, tokens, and that everything else stays shut."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard import users
from dashboard.app import create_app
from dashboard.keys import DataFolderError, SetupLink, secret_key
from dashboard.security import safe_next
from spotter.database.people_tables import SiteRoleRow, UserRow

from .gym import PASSWORD, AuthActions, Gym


def use_link(auth: AuthActions, token: str, password: str = PASSWORD, repeated: str | None = None) -> TestResponse:
    path = f"/setup/{token}"
    data = {"name": "Olga", "password": password, "repeated": repeated or password, "csrf_token": auth.token(path)}
    return auth.client.post(path, data=data)


def test_the_set_up_link_makes_the_owner_and_works_once(gym: Gym, client: FlaskClient, auth: AuthActions) -> None:
    token = SetupLink(gym.settings.data).renew()
    done = use_link(auth, token)
    assert (done.status_code, done.location) == (302, "/")
    assert client.get("/").status_code == 200
    with Session(gym.engine) as session:
        ((row, role),) = session.execute(select(UserRow, SiteRoleRow).join(SiteRoleRow)).all()
    assert (row.name, role.role, role.site) == ("Olga", "owner", "*")
    assert row.password_hash.startswith("$argon2id$")
    assert client.get(f"/setup/{token}").status_code == 404


def test_only_the_tokens_hash_is_kept_and_only_its_owner_may_read_it(gym: Gym) -> None:
    token = SetupLink(gym.settings.data).renew()
    kept = gym.settings.data / "setup-link.sha256"
    assert token not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_link_is_used_by_one_of_many_at_once(tmp_path: Path) -> None:
    token = SetupLink(tmp_path).renew()
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: SetupLink(tmp_path).use(token), range(32)))
    assert used.count(True) == 1


@pytest.mark.parametrize("token", ["wrong", "x" * 5000, "🏋"])
def test_a_wrong_link_says_what_to_do(gym: Gym, client: FlaskClient, token: str) -> None:
    SetupLink(gym.settings.data).renew()
    answer = client.get(f"/setup/{token}")
    assert answer.status_code == 404
    assert "spotter user add" in answer.text or "nothing here" in answer.text


def test_a_link_is_dead_once_somebody_was_added_by_hand(gym: Gym, client: FlaskClient) -> None:
    token = SetupLink(gym.settings.data).renew()
    gym.add()
    answer = client.get(f"/setup/{token}")
    assert answer.status_code == 404
    assert "already set up" in answer.text


def test_a_weak_or_mistyped_password_leaves_the_link_usable(gym: Gym, auth: AuthActions) -> None:
    token = SetupLink(gym.settings.data).renew()
    assert "at least 10 characters" in use_link(auth, token, "short").text
    assert "differ" in use_link(auth, token, PASSWORD, "something else").text
    assert "easy to guess" in use_link(auth, token, "aaaaaaaaaaaa").text
    assert use_link(auth, token).status_code == 302


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(tmp_path / "data"), range(16)))
    assert len(keys) == 1
    assert stat.S_IMODE((tmp_path / "data" / "dashboard.key").stat().st_mode) == 0o600
    assert list((tmp_path / "data").iterdir()) == [tmp_path / "data" / "dashboard.key"]


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match=r"check `data:`"):
        secret_key(tmp_path / "file" / "data")


def test_signing_in_and_out(gym: Gym, client: FlaskClient, auth: AuthActions) -> None:
    gym.add()
    done = auth.login()
    assert (done.status_code, done.location) == (302, "/")
    cookie = done.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # plain http: a gym's box on its own network
    assert client.get("/sessions").status_code == 200
    assert auth.logout().location == "/login"
    assert client.get("/sessions").status_code == 302


def test_the_cookie_is_secure_over_https(gym: Gym, client: FlaskClient) -> None:
    answer = client.get("/login", base_url="https://gym.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(("name", "password"), [("Olga", "wrong password"), ("Nobody", PASSWORD), ("' OR 1=1 --", "x")])
def test_a_wrong_name_and_a_wrong_password_look_the_same(
    gym: Gym, client: FlaskClient, auth: AuthActions, name: str, password: str
) -> None:
    gym.add()
    answer = auth.login(name, password)
    assert answer.status_code == 200
    assert "do not fit together" in answer.text
    assert client.get("/").status_code == 302


def test_without_its_token_a_form_is_refused(gym: Gym, client: FlaskClient, signed_in: FlaskClient) -> None:
    assert signed_in.post("/logout").status_code == 400
    assert signed_in.get("/sessions").status_code == 200
    stranger = signed_in.application.test_client()
    answer = stranger.post("/login", data={"name": "Olga", "password": PASSWORD})
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers or "user" not in answer.headers["Set-Cookie"]


def test_guesses_are_limited_but_do_not_lock_the_owner_out(gym: Gym, auth: AuthActions, app: Flask) -> None:
    gym.add()
    answers = [auth.login(password=f"guess number {number}").status_code for number in range(7)]
    assert answers == [200] * 5 + [429] * 2
    assert "Too many attempts" in auth.login().text
    elsewhere = AuthActions(app.test_client())
    elsewhere.client.environ_base["REMOTE_ADDR"] = "10.0.0.7"
    assert elsewhere.login().status_code == 302


def test_a_made_up_forwarded_address_does_not_lift_the_limit(gym: Gym, app: Flask) -> None:
    gym.add()
    guesser = AuthActions(app.test_client())
    guesser.client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    codes = []
    for number in range(7):
        guesser.client.environ_base["HTTP_X_FORWARDED_FOR"] = f"10.1.1.{number}"
        codes.append(guesser.login(password="guess").status_code)
    assert codes[-1] == 429


def test_a_new_password_ends_older_sign_ins(gym: Gym, signed_in: FlaskClient) -> None:
    with Session(gym.engine) as session:
        users.change_password(session, "Olga", "another few words")
        session.commit()
    assert signed_in.get("/").status_code == 302


def test_a_removed_person_is_out_at_once(gym: Gym, signed_in: FlaskClient) -> None:
    with Session(gym.engine) as session:
        session.delete(session.scalars(select(UserRow)).one())
        session.commit()
    assert signed_in.get("/").status_code == 302


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/layout/kiosk"),
        ("PUT", "/labels/kit/a.jpg/boxes"),
        ("POST", "/labels/kit/a.jpg/suggest"),
        ("POST", "/account/notifications/browsers"),
    ],
)
def test_scripts_are_told_that_a_sign_in_is_over(app: Flask, gym: Gym, method: str, path: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (401, "application/json")


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "", None, "/a\nb"],
)
def test_signing_in_never_leads_elsewhere(target: str | None) -> None:
    assert safe_next(target) is None


def test_signing_in_leads_back_to_what_was_asked_for(gym: Gym, client: FlaskClient, auth: AuthActions) -> None:
    gym.add()
    asked = client.get("/sessions?equipment=kettlebell")
    assert asked.location == "/login?next=/sessions?equipment%3Dkettlebell"
    assert auth.login(path=asked.location).location == "/sessions?equipment=kettlebell"
    auth.logout()
    assert auth.login(path="/login?next=//evil.example/").location == "/"


def test_every_answer_carries_the_protecting_headers(signed_in: FlaskClient) -> None:
    for path in ("/", "/sessions", "/equipment", "/login", "/healthz", "/nothing", "/static/js/live.js"):
        headers = signed_in.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert signed_in.get("/").headers["Cache-Control"] == "no-store"


def test_pages_have_no_inline_script_or_style(gym: Gym, signed_in: FlaskClient) -> None:
    gym.well()
    for path in ("/", "/sessions", "/equipment", "/equipment/kettlebell"):
        page = signed_in.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        for script in page.split("<script")[1:]:
            assert "src=" in script.split(">")[0] or 'type="application/json"' in script.split(">")[0]


def test_the_sign_in_page_says_how_to_set_up_when_nobody_is_there_yet(client: FlaskClient, gym: Gym) -> None:
    assert "Set up Spotter" in client.get("/login").text
    gym.add()
    assert "Set up Spotter" not in client.get("/login").text


def test_without_redis_guesses_are_still_limited(gym: Gym, engine: object) -> None:
    nowhere = gym.settings.model_copy(
        update={
            "redis": gym.settings.redis.model_copy(update={"url": type(gym.settings.redis.url)("redis://127.0.0.1:1")})
        }  # type: ignore[union-attr]
    )
    app = create_app(nowhere, {"TESTING": True})
    gym.add()
    auth = AuthActions(app.test_client())
    codes = [auth.login(password="guess").status_code for _ in range(7)]
    assert codes[0] == 200
    assert codes[-1] == 429


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "tab\there", "null\0"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(users.UserError):
        users.clean_name(name)
