"""The OpenAPI document: what APIFlask makes of the code, with the ways in, the errors and the headers added."""

from __future__ import annotations

from typing import Any, cast

from apiflask import APIFlask
from flask import current_app

from dashboard import problems
from dashboard.rights import NEEDED_SCOPE, SCOPES

TITLE = "Spotter"

_ABOUT = """Everything that the pages show. Ask with `Authorization: Bearer TOKEN`; an owner makes tokens under People,
API tokens. Lists come page by page: ask again with `cursor` set to the `next` of the page before, until it is null.
Answers carry an ETag: send it back as `If-None-Match` and get 304 while nothing has changed. Errors are problem details
(RFC 9457). Times are UTC (RFC 3339); fields may be added at any time, so ignore those that you don't know."""


def init_app(app: APIFlask) -> None:
    """Complete the document of `app`, and answer wrong input as the document says."""
    app.config["AUTO_VALIDATION_ERROR_RESPONSE"] = False
    app.config["AUTO_404_RESPONSE"] = False
    app.spec_processor(_complete)
    app.error_processor(problems.of_input)


def endpoints() -> dict[str, str]:
    """The endpoint of each path, as the document writes paths."""
    return {_template(rule.rule): rule.endpoint for rule in current_app.url_map.iter_rules()}


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
                _complete_operation(path, known[path], operation)
    return spec


def _template(rule: str) -> str:
    return rule.replace("<", "{").replace(">", "}")


def _complete_operation(path: str, endpoint: str, operation: dict[str, Any]) -> None:
    needed = NEEDED_SCOPE[endpoint]
    operation["operationId"] = endpoint.partition(".")[2]
    operation["security"] = [{"token": []}]
    if needed is not None:
        operation["description"] = (
            f"{operation.get('description', '')}\n\nScope: `{needed}` ({SCOPES[needed]}).".strip()
        )
    answers = operation["responses"]
    for code, description in problems.DOCUMENTED.items():
        if code != "404" or "{" in path:
            content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            answers[code] = {"description": description, "content": content}
    if "text/event-stream" not in answers["200"].get("content", {}):
        answers["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": "nothing has changed since the ETag of If-None-Match"}
        header = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
        operation.setdefault("parameters", []).append(header)
