"""Who asks the API: a program with a token, or a person who is signed in and reads it in the browser."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import cast

from flask import Response, abort, g, request
from flask_login import current_user

from dashboard import database, rights, users
from dashboard.context import current
from dashboard.people import tokens
from dashboard.people.secret import hashed
from dashboard.problems import problem
from dashboard.security import client_address
from spotter.database.alerts import MOST_BY

PREFIX = "/api/v1"
LIMIT = "600 per minute"


def is_api() -> bool:
    """Whether the API is asked."""
    return request.path.startswith("/api/")


def who() -> str:
    """Whom requests are counted for: the token that is given, else the address.

    Asked for before the token is looked up: wrong ones run into `security.WRONG_TOKENS` of their address.
    """
    token = _given_token()
    return f"token {hashed(token)}" if token else client_address()


def has_scope(scope: str) -> bool:
    """Whether who asks may read what `scope` opens: a token, if it has it; a person, whom `rights` let in."""
    return "api_token" not in g or scope in g.api_token_scopes


def actor() -> str:
    """Who asks, as logs and corrections name them: the person, or the token by what it is for."""
    return f"token {g.api_token_name}"[:MOST_BY] if "api_token" in g else cast(users.User, current_user).name


def judge_token() -> Response | None:
    """Refuse a token that does not work or lacks the scope. To be asked when `request.authorization` is given."""
    token = _given_token()
    found = (
        tokens.find(database.session(), current().settings.site, token, datetime.now(timezone.utc)) if token else None
    )
    if found is None:
        return problem(401, "That token does not work: it is mistyped, expired, revoked, or of another site.")
    g.api_token, g.api_token_name, g.api_token_scopes = found.id, found.name, found.scopes
    if request.endpoint is None:
        return None
    if request.endpoint not in rights.NEEDED_SCOPE:
        abort(403)
    needed = rights.NEEDED_SCOPE[request.endpoint]
    if needed is not None and needed not in found.scopes:
        return problem(403, f"This token lacks the scope {needed}.")
    return None


def _given_token() -> str | None:
    given = request.authorization
    return given.token if given is not None and given.type == "bearer" else None
