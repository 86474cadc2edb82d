"""Who asks the API: a program with a token, or a person who is signed in and reads it in the browser."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import cast

from flask import Response, abort, g, request
from flask_login import current_user

from dashboard import database, rights, users
from dashboard.context import current
from dashboard.people import tokens
from dashboard.problems import problem
from dashboard.security import client_address
from spotter.database.alerts import MOST_BY

PREFIX = "/api/v1"
LIMIT = "600 per minute"


def is_api() -> bool:
    """Whether the API is asked."""
    return request.path.startswith("/api/")


def who() -> str:
    """Whom requests are counted for: the token, else the address."""
    return f"token {g.api_token}" if "api_token" in g else client_address()


def actor() -> str:
    """Who asks, as logs and corrections name them: the person, or the token by what it is for."""
    return f"token {g.api_token_name}"[:MOST_BY] if "api_token" in g else cast(users.User, current_user).name


def judge_token() -> Response | None:
    """Refuse a token that does not work or lacks the scope. To be asked when `request.authorization` is given."""
    given = request.authorization
    token = given.token if given is not None and given.type == "bearer" else None
    found = (
        tokens.find(database.session(), current().settings.site, token, datetime.now(timezone.utc)) if token else None
    )
    if found is None:
        return problem(401, "That token does not work: it is mistyped, expired, revoked, or of another site.")
    g.api_token, g.api_token_name = found.id, found.name
    if request.endpoint is None:
        return None
    if request.endpoint not in rights.NEEDED_SCOPE:
        abort(403)
    needed = rights.NEEDED_SCOPE[request.endpoint]
    if needed is not None and needed not in found.scopes:
        return problem(403, f"This token lacks the scope {needed}.")
    return None
