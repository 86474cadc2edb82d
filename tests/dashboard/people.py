"""Persons of each role, each with a browser of their own."""

from __future__ import annotations

from datetime import datetime, timezone

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard.rights import Role

from .gym import AuthActions, Gym

NAMES: dict[Role, str] = {"owner": "Olga", "trainer": "Tom", "viewer": "Vera"}


def browser(app: Flask, gym: Gym, role: Role, site: str | None = None) -> FlaskClient:
    """A browser in which somebody of that role has just signed in."""
    gym.add(NAMES[role], role, site=site or gym.site)
    client = app.test_client()
    answer = AuthActions(client).login(NAMES[role])
    assert answer.status_code == 302, answer.text
    return client


def post(client: FlaskClient, path: str, page: str = "/account", **fields: str) -> TestResponse:
    """Send a form with the CSRF token of `page`."""
    return client.post(path, data={**fields, "csrf_token": AuthActions(client).token(page)})


def now() -> datetime:
    return datetime.now(timezone.utc)


def only(gym: Gym, table: type) -> list:
    """All rows of a table."""
    with Session(gym.engine) as session:
        return session.query(table).all()
