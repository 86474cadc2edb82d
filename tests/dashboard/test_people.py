"""People and their ways in: invitations, sign-ins, lock-out, the second step, and the log of it all."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from dashboard import users
from dashboard.people import invitations, lockout, secret, sign_ins, two_step
from spotter.database.people_tables import AuditRow, InvitationRow, SignInFailureRow, SignInRow, UserRow

from .gym import PASSWORD, AuthActions, Gym
from .people import browser, only, post

STEP = timedelta(seconds=two_step.STEP_SECONDS)
JOIN = {"password": PASSWORD, "repeated": PASSWORD}


def invite(owner: FlaskClient, role: str = "trainer", note: str = "Tom") -> str:
    """Invite somebody and give the path of the link that the page shows."""
    page = post(owner, "/people/invitations", "/people", role=role, note=note)
    assert page.status_code == 200
    return re.search(r"http://localhost(/join/[\w-]+)", page.text)[1]  # type: ignore[index]


def log_of(gym: Gym) -> list[tuple[str, str, str]]:
    return [(row.actor, row.action, row.subject) for row in only(gym, AuditRow)]


def test_an_invitation_makes_somebody_what_it_says_and_works_once(app: Flask, gym: Gym) -> None:
    link = invite(browser(app, gym, "owner"))
    guest = app.test_client()
    assert "Olga invites you as trainer" in guest.get(link).text
    assert post(guest, link, link, name="Tom", **JOIN).location == "/"
    assert guest.get("/sessions").status_code == 200
    assert guest.get("/people").status_code == 403
    late = app.test_client().get(link)
    assert late.status_code == 404
    assert "new one" in late.text
    assert ("Tom", "joined", "Tom") in log_of(gym)


def test_a_link_makes_a_tablet_a_kiosk_and_nothing_else(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    taken, link = invite(owner, "kiosk", "Olga"), invite(owner, "kiosk", "front desk")
    tablet = app.test_client()
    assert "already somebody called Olga" in post(tablet, taken, taken).text
    assert "front desk" in tablet.get(link).text
    paired = post(tablet, link, link)
    assert paired.location == "/kiosk"
    assert tablet.get("/kiosk", follow_redirects=True).status_code == 200
    for path in ("/today.svg", "/sessions", "/people", "/account", "/api/v1/live", "/live/state"):
        assert tablet.get(path).status_code == 403, path
    assert app.test_client().get(link).status_code == 404
    assert AuthActions(app.test_client()).login("front desk", "!").status_code == 200, "no password opens it"
    number = next(row.id for row in only(gym, UserRow) if row.name == "front desk")
    assert post(owner, f"/people/{number}/remove").status_code == 302
    assert tablet.get("/kiosk").location.startswith("/login")


def test_only_an_invitations_hash_is_kept(app: Flask, gym: Gym) -> None:
    token = invite(browser(app, gym, "owner")).rpartition("/")[2]
    (row,) = only(gym, InvitationRow)
    assert row.id == secret.hashed(token)
    assert token not in str(vars(row))


def test_a_withdrawn_or_old_invitation_does_not_work(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    withdrawn, old = invite(owner), invite(owner)
    first = next(row for row in only(gym, InvitationRow) if row.id == secret.hashed(withdrawn.rpartition("/")[2]))
    assert post(owner, f"/people/invitations/{first.id}/withdraw").status_code == 302
    with Session(gym.engine) as session:
        session.query(InvitationRow).one().expires_at = datetime.now(timezone.utc) - timedelta(seconds=1)
        session.commit()
    for link in (withdrawn, old):
        assert app.test_client().get(link).status_code == 404


def test_a_taken_name_leaves_the_invitation_usable(app: Flask, gym: Gym) -> None:
    link = invite(browser(app, gym, "owner"))
    guest = app.test_client()
    assert "already somebody called Olga" in post(guest, link, link, name="Olga", **JOIN).text
    assert post(guest, link, link, name="Tom", **JOIN).status_code == 302


def test_an_invitation_is_used_up_by_one_of_many_at_once(gym: Gym) -> None:
    with Session(gym.engine) as session:
        token = invitations.invite(session, gym.site, "viewer", "", "Olga", datetime.now(timezone.utc))
        session.commit()

    def use(_: int) -> bool:
        with Session(gym.engine) as session:
            used = invitations.use_up(session, secret.hashed(token))
            session.commit()
            return used

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(8))).count(True) == 1


def test_an_invitation_of_another_site_does_not_work_here(app: Flask, gym: Gym) -> None:
    with Session(gym.engine) as session:
        token = invitations.invite(session, "uptown", "owner", "", "Olga", datetime.now(timezone.utc))
        session.commit()
    assert app.test_client().get(f"/join/{token}").status_code == 404


def test_nobody_becomes_a_kiosk_or_a_made_up_role_by_a_form(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    for role in ("kiosk", "god", ""):  # a kiosk needs a name
        assert post(owner, "/people/invitations", "/people", role=role).status_code == 422
        assert post(owner, "/people/1/role", role=role).status_code == 400


def test_the_last_owner_can_neither_go_nor_step_down(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    for path, fields in (("/people/1/role", {"role": "viewer"}), ("/people/1/remove", {})):
        assert post(owner, path, **fields).status_code == 302
        assert "only owner" in owner.get("/people").text
    gym.add("Otto", "owner")
    assert post(owner, "/people/1/role", role="viewer").status_code == 302
    assert owner.get("/people").status_code == 403


def test_who_is_removed_is_out_at_once_and_keeps_other_sites(app: Flask, gym: Gym) -> None:
    owner, trainer = browser(app, gym, "owner"), browser(app, gym, "trainer")
    gym.add("Vera", "viewer", site="uptown")
    number = next(row.id for row in only(gym, UserRow) if row.name == "Tom")
    assert post(owner, f"/people/{number}/remove").status_code == 302
    assert trainer.get("/").location == "/login"
    elsewhere = next(row.id for row in only(gym, UserRow) if row.name == "Vera")
    assert post(owner, f"/people/{elsewhere}/remove").status_code == 404
    assert {row.name for row in only(gym, UserRow)} == {"Olga", "Vera"}


def test_who_has_a_role_at_every_site_is_not_removed_here_whatever_they_are_here(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    gym.add("Otto", "owner", site="*")
    number = next(row.id for row in only(gym, UserRow) if row.name == "Otto")
    post(owner, f"/people/{number}/role", role="viewer")
    post(owner, f"/people/{number}/remove")
    assert "Otto has a role at every site" in owner.get("/people").text
    with Session(gym.engine) as session:
        assert users.role_at(session, number, gym.site) == "viewer"


def test_a_sign_in_can_be_seen_and_ended_by_its_person(app: Flask, gym: Gym) -> None:
    here = browser(app, gym, "viewer")
    there = app.test_client()
    there.environ_base["HTTP_USER_AGENT"] = "Lost phone"
    AuthActions(there).login("Vera")
    assert "Lost phone" in here.get("/account").text
    row = next(row for row in only(gym, SignInRow) if row.device == "Lost phone")
    assert post(here, f"/account/sign-ins/{row.id}/end").status_code == 302
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200


def test_nobody_ends_another_ones_sign_in_but_an_owner(app: Flask, gym: Gym) -> None:
    viewer, owner = browser(app, gym, "viewer"), browser(app, gym, "owner")
    (veras, olgas) = (row.id for row in sorted(only(gym, SignInRow), key=lambda row: row.user_id))
    assert post(viewer, f"/account/sign-ins/{olgas}/end").status_code == 404
    assert "Vera" in owner.get("/people/sign-ins").text
    assert post(owner, f"/people/sign-ins/{veras}/end").status_code == 302
    assert viewer.get("/").status_code == 302
    assert ("Olga", "sign_in_ended", "Vera") in log_of(gym)


def test_all_other_sign_ins_end_together_and_with_a_new_password(app: Flask, gym: Gym) -> None:
    here, there = browser(app, gym, "viewer"), app.test_client()
    AuthActions(there).login("Vera")
    assert post(here, "/account/sign-ins/end-others").status_code == 302
    assert there.get("/").status_code == 302
    AuthActions(there).login("Vera")
    new = {"password": "another few words", "repeated": "another few words"}
    assert "not your password" in post(here, "/account/password", old="wrong", **new).text
    assert post(here, "/account/password", old=PASSWORD, **new).status_code == 302
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert AuthActions(there).login("Vera", "another few words").status_code == 302


def test_signing_out_ends_the_sign_in_for_a_copied_cookie_too(app: Flask, gym: Gym) -> None:
    client = browser(app, gym, "viewer")
    thief = app.test_client()
    with client.session_transaction() as cookie:
        stolen = dict(cookie)
    with thief.session_transaction() as cookie:
        cookie.update(stolen)
    assert thief.get("/").status_code == 200
    assert post(client, "/logout").status_code == 302
    assert thief.get("/").status_code == 302


def test_a_sign_in_expires_and_is_for_one_site(gym: Gym) -> None:
    gym.add()
    began = datetime.now(timezone.utc)
    with Session(gym.engine) as session:
        token = sign_ins.begin(session, 1, gym.site, began, "10.0.0.1", "phone")
        session.commit()
        assert sign_ins.find(session, token, gym.site, began, "10.0.0.1") is not None
        assert sign_ins.find(session, token, "uptown", began, "10.0.0.1") is None
        late = began + sign_ins.LASTS
        assert sign_ins.find(session, token, gym.site, late - timedelta(seconds=1), "10.0.0.1") is not None
        assert sign_ins.find(session, token, gym.site, late, "10.0.0.1") is None


def test_when_somebody_was_seen_is_written_seldom(gym: Gym) -> None:
    gym.add()
    began = datetime.now(timezone.utc).replace(microsecond=0)
    with Session(gym.engine) as session:
        token = sign_ins.begin(session, 1, gym.site, began, "10.0.0.1", "phone")
        session.commit()
        for minutes, seen in ((4, 0), (5, 5), (9, 5), (11, 11)):
            sign_ins.find(session, token, gym.site, began + timedelta(minutes=minutes), "10.0.0.2")
            assert session.query(SignInRow.seen_at).scalar() == began + timedelta(minutes=seen)


def guess(client: FlaskClient, number: int, name: str = "Olga") -> int:
    """A wrong password from an address of its own, so that no limit for an address stops it."""
    client.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"
    return AuthActions(client).login(name, "wrong password").status_code


def test_guesses_from_many_addresses_lock_strangers_out_but_not_the_owners_own_browser(app: Flask, gym: Gym) -> None:
    gym.add()
    own = app.test_client()
    AuthActions(own).login()
    AuthActions(own).logout()
    guesser = app.test_client()
    codes = [guess(guesser, number) for number in range(lockout.MOST_FAILURES + 1)]
    assert codes == [200] * lockout.MOST_FAILURES + [429]
    right = AuthActions(guesser).login()  # not even the right password opens now
    assert right.status_code == 429
    assert "Too many wrong passwords" in right.text
    assert AuthActions(own).login().status_code == 302
    assert ("", "locked_out", "Olga") in log_of(gym)


def test_a_lock_ends_by_itself_or_by_an_owner(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    gym.add("Vera", "viewer")
    for number in range(lockout.MOST_FAILURES):
        guess(app.test_client(), number, "Vera")
    assert guess(app.test_client(), 90, "Vera") == 429
    assert "locked out" in owner.get("/people").text
    number = next(row.id for row in only(gym, UserRow) if row.name == "Vera")
    assert post(owner, f"/people/{number}/unlock").status_code == 302
    assert guess(app.test_client(), 91, "Vera") == 200
    tried = lockout.Attempt(secret.hashed("vera"), "")
    now = datetime.now(timezone.utc)
    with Session(gym.engine) as session:
        for _ in range(lockout.MOST_FAILURES):
            lockout.failed(session, tried, now)
        assert lockout.is_locked(session, tried, now + lockout.LOCKED - timedelta(seconds=1))
        assert not lockout.is_locked(session, tried, now + lockout.LOCKED)


def test_guesses_at_names_that_nobody_has_look_the_same_and_are_not_kept_in_clear(app: Flask, gym: Gym) -> None:
    codes = [guess(app.test_client(), number, "hunter2 my secret") for number in range(lockout.MOST_FAILURES + 1)]
    assert codes == [200] * lockout.MOST_FAILURES + [429]
    assert all("hunter2" not in str(vars(row)) for row in only(gym, SignInFailureRow))
    assert log_of(gym) == [("", "locked_out", "")]


def turn_on(client: FlaskClient) -> tuple[str, list[str]]:
    """Turn two-step sign-in on; gives the secret and the recovery codes."""
    page = client.get("/account/two-step").text
    assert "data:image/svg+xml" in page
    shared = re.search(r'class="secret">([A-Z2-7]+)<', page)[1]  # type: ignore[index]
    assert "does not fit" in post(client, "/account/two-step", "/account/two-step", code="000000x").text
    done = post(client, "/account/two-step", "/account/two-step", code=pyotp.TOTP(shared).now())
    codes = re.findall(r"<li><code>([\w-]+)</code>", done.text)
    assert len(codes) == two_step.RECOVERY_CODES
    return shared, codes


def test_with_two_steps_a_password_alone_opens_nothing(app: Flask, gym: Gym) -> None:
    shared, codes = turn_on(browser(app, gym, "owner"))
    client = app.test_client()
    assert AuthActions(client).login().location == "/login/code"
    assert client.get("/").status_code == 302
    assert client.get("/account").status_code == 302
    wrong = post(client, "/login/code", "/login/code", code="123456")
    assert wrong.status_code == 200
    assert "does not fit" in wrong.text
    later = pyotp.TOTP(shared).at(datetime.now(timezone.utc) + STEP)  # the code that turned it on is used up
    assert post(client, "/login/code", "/login/code", code=later).location == "/"
    assert client.get("/people").status_code == 200
    assert ("Olga", "two_step_on", "Olga") in log_of(gym)
    other = app.test_client()
    AuthActions(other).login()
    assert post(other, "/login/code", "/login/code", code=later).status_code == 200, "a code must not work twice"
    assert post(other, "/login/code", "/login/code", code=codes[0].upper()).location == "/"
    third = app.test_client()
    AuthActions(third).login()
    assert post(third, "/login/code", "/login/code", code=codes[0]).status_code == 200


def test_turning_two_steps_off_takes_the_password(app: Flask, gym: Gym) -> None:
    client = browser(app, gym, "owner")
    turn_on(client)
    assert post(client, "/account/two-step/off", password="wrong").status_code == 422
    assert "code from the app" in client.get("/account").text
    assert post(client, "/account/two-step/off", password=PASSWORD).status_code == 302
    assert AuthActions(app.test_client()).login().location == "/"


def test_the_second_step_cannot_be_reached_without_the_first(app: Flask, gym: Gym) -> None:
    assert app.test_client().get("/login/code").location == "/login"


def test_a_code_is_taken_by_one_of_many_at_once(gym: Gym) -> None:
    gym.add()
    shared, now = two_step.new_secret(), datetime.now(timezone.utc)
    with Session(gym.engine) as session:
        codes = two_step.turn_on(session, 1, shared, pyotp.TOTP(shared).at(now), now)
        session.commit()
    assert codes is not None

    def take(code: str) -> bool:
        with Session(gym.engine) as session:
            return two_step.take(session, 1, code, now)

    for code in (pyotp.TOTP(shared).at(now + STEP), codes[0]):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(take, [code] * 6)).count(True) == 1


@pytest.mark.parametrize("code", ["", " ", "12345", "１２３４５６", "💪", "0" * 40])  # noqa: RUF001
def test_codes_that_are_none(gym: Gym, code: str) -> None:
    gym.add()
    now = datetime.now(timezone.utc)
    shared = two_step.new_secret()
    with Session(gym.engine) as session:
        assert two_step.turn_on(session, 1, shared, code, now) is None
        two_step.turn_on(session, 1, shared, pyotp.TOTP(shared).at(now), now)
        assert not two_step.take(session, 1, code, now)


def test_the_log_says_who_did_what_page_by_page(app: Flask, gym: Gym) -> None:
    owner = browser(app, gym, "owner")
    with Session(gym.engine) as session:
        for number in range(110):
            session.add(
                AuditRow(
                    site=gym.site if number else "uptown",
                    at=datetime.now(timezone.utc),
                    actor="<b>Tom</b>",
                    action="something_new",
                    subject=f"thing {number}",
                    detail={},
                    address="10.0.0.9",
                )
            )
        session.commit()
    first = owner.get("/people/log").text
    assert "thing 109" in first
    assert "thing 5<" not in first
    assert "<b>Tom</b>" not in first
    older = re.search(r'href="(/people/log\?before=\d+)">Older', first)[1]  # type: ignore[index]
    rest = owner.get(older).text
    assert "thing 5<" in rest
    assert "thing 0<" not in rest, "another site's"
    assert "signed in" in owner.get("/people/log?by=Olga").text
    for odd in ("before=x", "before=-1", f"before={10**30}", "by=x"):
        assert owner.get(f"/people/log?{odd}").status_code == 200


def test_people_of_before_keep_their_role_at_every_site(tmp_path: object) -> None:
    from alembic import command

    from spotter.database import migrate
    from spotter.database.engine import open_database

    engine = open_database(f"sqlite:///{tmp_path}/old.db")
    with engine.connect() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO users VALUES (1, 'Olga', 'hash', 'trainer', '2026-01-01 00:00:00')"))
        connection.commit()
    migrate.upgrade(engine)
    with Session(engine) as session:
        assert users.role_at(session, 1, "anywhere") == "trainer"
        assert session.query(UserRow).one().password_hash == "hash"
    engine.dispose()
