"""Every route by every role: what each may ask for, and that nothing is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from dashboard import rights
from dashboard.rights import Role
from dashboard.users import NO_PASSWORD
from spotter.database.people_tables import SiteRoleRow, UserRow

from .gym import AuthActions, Gym
from .people import browser, post

# stranger, viewer, trainer, owner, kiosk: y may, - may not. Written by hand, not taken from the code that it checks.
TABLE = """
static                        GET   yyyyy
bootstrap.static              GET   yyyyy
favicon                       GET   yyyyy
auth.login                    GET   yyyyy
auth.login                    POST  yyyyy
auth.second_step              GET   yyyyy
auth.second_step              POST  yyyyy
auth.setup                    GET   yyyyy
auth.setup                    POST  yyyyy
language.choose               GET   yyyyy
auth.logout                   POST  -yyyy
join.accept                   GET   yyyyy
join.accept                   POST  yyyyy
health.healthz                GET   yyyyy
health.livez                  GET   yyyyy
health.metrics                GET   yyyyy
today.page                    GET   -yyy-
today.chart                   GET   -yyy-
live.page                     GET   -yyy-
live.events                   GET   -yyy-
live.state                    GET   -yyy-
live.preview                  GET   -yyy-
live.camera                   GET   -yyy-
live.thoughts                 GET   -yyy-
alerts.index                  GET   -yyy-
alerts.acknowledge            POST  --yy-
alerts.service                POST  --yy-
report.page                   GET   -yyy-
report.chart                  GET   -yyy-
equipment.index               GET   -yyy-
equipment.card                GET   -yyy-
equipment.chart               GET   -yyy-
layouts.index                 GET   --yy-
layouts.editor                GET   --yy-
layouts.save                  PUT   ---y-
layouts.restore               POST  ---y-
labelling.index               GET   --yy-
labelling.create              POST  --yy-
labelling.pictures            GET   --yy-
labelling.add                 POST  --yy-
labelling.remove_set          POST  ---y-
labelling.download            GET   --yy-
labelling.editor              GET   --yy-
labelling.picture_file        GET   --yy-
labelling.save                PUT   --yy-
labelling.suggest             POST  --yy-
labelling.remove              POST  --yy-
cards.index                   GET   yyyyy
cards.card                    GET   yyyyy
cards.qr                      GET   yyyyy
identify.page                 GET   yyyyy
identify.answer               POST  yyyyy
kiosk.index                   GET   -yyyy
kiosk.page                    GET   -yyyy
kiosk.events                  GET   -yyyy
kiosk.state                   GET   -yyyy
sessions.index                GET   --yy-
sessions.download             GET   --yy-
review.next_one               GET   --yy-
review.session                GET   --yy-
review.right                  POST  --yy-
review.relabel                POST  --yy-
review.discard                POST  --yy-
review.merge                  POST  --yy-
review.split                  POST  --yy-
review.undo                   POST  --yy-
review.corrections            GET   --yy-
review.download               GET   --yy-
account.index                 GET   -yyy-
account.change_password       POST  -yyy-
account.end_sign_in           POST  -yyy-
account.end_other_sign_ins    POST  -yyy-
account.two_step_on           GET   -yyy-
account.two_step_on           POST  -yyy-
account.two_step_off          POST  -yyy-
push.page                     GET   -yyy-
push.subscribe                POST  -yyy-
push.test                     POST  -yyy-
push.stop                     POST  -yyy-
people.index                  GET   ---y-
people.change_role            POST  ---y-
people.remove                 POST  ---y-
people.unlock                 POST  ---y-
people.invite                 POST  ---y-
people.withdraw               POST  ---y-
people.all_sign_ins           GET   ---y-
people.end_sign_in            POST  ---y-
people.log                    GET   ---y-
tokens.index                  GET   ---y-
tokens.issue                  POST  ---y-
tokens.revoke                 POST  ---y-
openapi.spec                  GET   -yyy-
reference.page                GET   -yyy-
api.sessions                  GET   --yy-
api.one_session               GET   --yy-
api.live                      GET   -yyy-
api.events                    GET   -yyy-
api.cameras                   GET   -yyy-
api.one_camera                GET   -yyy-
api.camera_thoughts           GET   -yyy-
facts.alerts                  GET   -yyy-
facts.one_alert               GET   -yyy-
facts.corrected               GET   --yy-
facts.versions                GET   --yy-
facts.one_layout              GET   --yy-
changes.acknowledge           POST  --yy-
changes.service_history       GET   -yyy-
changes.service               POST  --yy-
changes.review                POST  --yy-
changes.relabel               POST  --yy-
changes.discard               POST  --yy-
changes.merge                 POST  --yy-
changes.split                 POST  --yy-
changes.undo                  POST  --yy-
api.catalogue                 GET   -yyy-
api.catalogue_entry           GET   -yyy-
labels_api.every_set          GET   --yy-
labels_api.one_set            GET   --yy-
labels_api.one_picture        GET   --yy-
labels_api.picture_file       GET   --yy-
people_api.people             GET   ---y-
people_api.open_invitations   GET   ---y-
people_api.all_sign_ins       GET   ---y-
people_api.tokens             GET   ---y-
people_api.log                GET   ---y-
api.equipment_use             GET   -yyy-
today_api.today               GET   -yyy-
figures.figures               GET   -yyy-
figures.figures_csv           GET   -yyy-
figures.sites                 GET   -yyy-
figures.week                  GET   -yyy-
figures.week_csv              GET   -yyy-
"""
COLUMNS = ("stranger", "viewer", "trainer", "owner", "kiosk")
EXPECTED = {
    (endpoint, method): {role for role, mark in zip(COLUMNS, marks, strict=True) if mark == "y"}
    for endpoint, method, marks in (line.split() for line in TABLE.split("\n") if line)
}


def routes(app: Flask) -> set[tuple[str, str]]:
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def path_of(app: Flask, endpoint: str) -> str:
    rule = next(rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)
    with app.test_request_context():
        numbers = {name: 999999 for name in rule.arguments if "int" in str(rule._converters.get(name))}
        names = {name: numbers.get(name, 999999 if name == "number" else "x") for name in rule.arguments}
        return str(rule.build(names)[1])  # type: ignore[index]


def kiosk(app: Flask, gym: Gym) -> FlaskClient:
    """A tablet that is paired as a kiosk."""
    from datetime import datetime, timezone

    from dashboard.people import sign_ins

    now = datetime.now(timezone.utc)
    with Session(gym.engine) as session:
        row = UserRow(name="front desk", password_hash=NO_PASSWORD, created_at=now)
        session.add(row)
        session.flush()
        session.add(SiteRoleRow(user_id=row.id, site=gym.site, role="kiosk"))
        token = sign_ins.begin(session, row.id, gym.site, now, "127.0.0.1", "tablet")
        session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
    return client


def test_the_table_has_every_route_and_no_other(app: Flask) -> None:
    assert routes(app) == set(EXPECTED)
    assert {endpoint for endpoint, _ in EXPECTED} == set(rights.RIGHTS)


@pytest.mark.parametrize("role", COLUMNS)
def test_every_route_by_every_role(app: Flask, gym: Gym, role: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # what is tested here must not be stopped by a missing token before
    app.config["RATELIMIT_ENABLED"] = False
    if role == "stranger":
        client = app.test_client()
    elif role == "kiosk":
        client = kiosk(app, gym)
    else:
        app.config["WTF_CSRF_ENABLED"] = True
        client = browser(app, gym, role)  # type: ignore[arg-type]
        app.config["WTF_CSRF_ENABLED"] = False
    for (endpoint, method), roles in sorted(EXPECTED.items()):
        if endpoint == "auth.logout" and role in roles:
            continue  # would end what the others are asked with; it has a test of its own
        answer = client.open(path_of(app, endpoint), method=method, buffered=False)
        answer.close()
        refused = answer.status_code in (401, 403) or answer.headers.get("Location", "").startswith("/login?")
        if answer.headers.get("Location") == "/login":
            refused = endpoint not in ("auth.second_step",)
        if endpoint == "today.page" and answer.headers.get("Location") == "/kiosk":
            refused = True  # a kiosk is led to its own page instead
        assert refused == (role not in roles), (endpoint, method, role, answer.status_code)


@pytest.mark.parametrize("role", rights.ROLES)
def test_a_route_that_is_in_no_table_is_shut_for_all(role: Role) -> None:
    assert not rights.may(role, "some.new_page")


def test_a_role_holds_at_its_own_site_alone(app: Flask, gym: Gym) -> None:
    gym.add("Nora", "owner", site="uptown")
    answer = AuthActions(app.test_client()).login("Nora")
    assert answer.status_code == 200
    assert "do not fit together" in answer.text


def test_the_role_at_a_site_wins_over_the_one_at_every_site(app: Flask, gym: Gym) -> None:
    gym.add("Vera", "owner", site="*")
    with Session(gym.engine) as session:
        session.add(SiteRoleRow(user_id=session.query(UserRow).one().id, site=gym.site, role="viewer"))
        session.commit()
    client = app.test_client()
    AuthActions(client).login("Vera")
    assert client.get("/equipment").status_code == 200
    assert client.get("/people").status_code == 403


def test_a_new_role_holds_with_the_next_click(app: Flask, gym: Gym) -> None:
    owner, trainer = browser(app, gym, "owner"), browser(app, gym, "trainer")
    assert trainer.get("/sessions").status_code == 200
    with Session(gym.engine) as session:
        number = session.query(UserRow).filter_by(name="Tom").one().id
    assert post(owner, f"/people/{number}/role", role="viewer").status_code == 302
    assert trainer.get("/sessions").status_code == 403


def test_pages_show_no_link_that_leads_to_a_refusal(app: Flask, gym: Gym) -> None:
    page = browser(app, gym, "viewer").get("/").text
    assert 'href="/equipment"' in page
    assert 'href="/sessions"' not in page
    assert 'href="/people"' not in page


def test_a_kiosk_can_do_nothing_else(app: Flask, gym: Gym) -> None:
    tablet = kiosk(app, gym)
    for path in ("/today.svg", "/sessions", "/people", "/account", "/api/v1/live", "/live/state", "/nothing-here"):
        assert tablet.get(path).status_code == 403, path
    assert "reasons" not in tablet.get("/healthz").get_json()
    tablet.environ_base["REMOTE_ADDR"] = "10.0.0.7"
    assert tablet.get("/metrics").status_code == 403


def test_a_viewers_figures_have_no_single_session(app: Flask, gym: Gym) -> None:
    viewer = browser(app, gym, "viewer")
    for path in ("/sessions", "/sessions.csv", "/api/v1/sessions"):
        assert viewer.get(path).status_code == 403


NO_PAGES = [
    "static",
    "bootstrap.static",
    "favicon",
    "today.chart",
    "live.events",
    "live.state",
    "live.preview",
    "live.thoughts",
    "report.chart",
    "equipment.chart",
    "labelling.download",
    "labelling.picture_file",
    "cards.qr",
    "kiosk.events",
    "kiosk.state",
    "sessions.download",
    "review.next_one",
    "review.download",
    "health.healthz",
    "health.livez",
    "health.metrics",
    "language.choose",
    "openapi.spec",
]


def test_every_page_is_in_the_documents_with_its_picture(app: Flask) -> None:
    text = (Path(__file__).parents[2] / "docs" / "pages.md").read_text(encoding="utf-8")
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    pages = {
        rule.rule.replace("<", "{").replace(">", "}")
        for rule in rules
        if rule.endpoint not in NO_PAGES and not rule.rule.startswith("/api/")
    }
    assert len(pages) > 25
    assert [page for page in sorted(pages) if f"`{page}`" not in text] == []
