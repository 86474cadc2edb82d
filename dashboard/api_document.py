"""The OpenAPI document: what APIFlask makes of the code, with the ways in, the errors and the headers added."""

from __future__ import annotations

import re
from typing import Any, cast

from apiflask import APIFlask
from flask import current_app

from dashboard import problems
from dashboard.rights import NEEDED_SCOPE, SCOPES

TITLE = "Spotter"

_ABOUT = """Everything that the pages show, and what people do on them. Ask with `Authorization: Bearer TOKEN`; an owner
makes tokens under People, API tokens. Lists come page by page: ask again with `cursor` set to the `next` of the page
before, until it is null. Answers carry an ETag: send it back as `If-None-Match` and get 304 while nothing has changed.
What changes something is a POST with JSON; it is done in the token's name, and the log says so. Errors are problem
details (RFC 9457). Times are UTC (RFC 3339); fields may be added at any time, so ignore those that you don't know."""


def init_app(app: APIFlask) -> None:
    """Complete the document of `app`, and answer wrong input as the document says."""
    app.config["AUTO_VALIDATION_ERROR_RESPONSE"] = False
    app.config["AUTO_404_RESPONSE"] = False
    app.spec_processor(_complete)
    app.error_processor(problems.of_input)


def endpoints() -> dict[tuple[str, str], str]:
    """The endpoint of each method and path, as the document writes both."""
    return {
        (method.lower(), _template(rule.rule)): rule.endpoint
        for rule in current_app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _complete(written: dict[str, Any] | str) -> dict[str, Any] | str:
    spec = cast("dict[str, Any]", written)  # APIFlask gives text only where a command asks for YAML
    known = endpoints()
    spec["info"]["description"] = " ".join(_ABOUT.split())
    parts = spec.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = problems.SCHEMA
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                _complete_operation(path, method, known[method, path], operation)
    return spec


def _template(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _complete_operation(path: str, method: str, endpoint: str, operation: dict[str, Any]) -> None:
    needed = NEEDED_SCOPE[endpoint]
    operation["operationId"] = endpoint.partition(".")[2]
    operation["security"] = [{"token": []}]
    if needed is not None:
        operation["description"] = (
            f"{operation.get('description', '')}\n\nScope: `{needed}` ({SCOPES[needed]}).".strip()
        )
    answers = operation["responses"]
    for code, description in problems.DOCUMENTED.items():
        own = answers.get(code, {}).get("description")
        names_something = "{" in path or method == "post"
        if own or ((code != "404" or names_something) and (code != "409" or method == "post")):
            content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            answers[code] = {"description": own or description, "content": content}
    if method == "get" and "text/event-stream" not in answers["200"].get("content", {}):
        answers["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": "nothing has changed since the ETag of If-None-Match"}
        header = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
        operation.setdefault("parameters", []).append(header)
