"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apiflask.exceptions import HTTPError
from flask import Response, json, make_response
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

DOCUMENTED: dict[str, str] = {
    "400": "the body is not JSON, or a browser sent no CSRF token",
    "401": "no token, or one that does not work",
    "403": "the token lacks the scope, or the person the right",
    "404": "there is nothing of that name",
    "409": "somebody has changed it meanwhile, or it is so already",
    "422": "a parameter is not understood, `errors` names it; or what is asked for is not possible",
    "429": "too many requests; wait a minute",
    "503": "the database or the live state does not answer",
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). The type is always about:blank: the status says which problem it is.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "example": "about:blank"},
        "title": {"type": "string", "example": "Unprocessable Entity"},
        "status": {"type": "integer", "example": 422},
        "detail": {"type": "string", "description": "what is wrong, and the mend, for a person"},
        "errors": {"type": "object", "description": "what is wrong with each parameter"},
    },
}


def problem(status: int, detail: str | None = None, **more: Any) -> Response:
    """The answer that tells a program what went wrong."""
    title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    text = json.dumps({name: value for name, value in body.items() if value is not None})
    response = make_response(text, status)
    response.mimetype = MEDIA_TYPE
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Spotter"'
    return response


def of_http(error: HTTPException) -> Response:
    """That of an error which Flask raises itself, such as a path that leads nowhere."""
    response = problem(error.code or 500, error.description)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "WWW-Authenticate"):
            response.headers[name] = value  # `Allow` of a wrong method
    return response


def of_input(error: HTTPError) -> Response:
    """That of parameters which do not fit their description."""
    detail = error.message
    if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and error.detail:
        return problem(error.status_code, detail, errors=error.detail)
    return problem(error.status_code, detail)
