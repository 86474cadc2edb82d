"""The API's page: every operation with its parameters, to be tried in the browser. Made from the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any, cast

from apiflask import APIFlask
from flask import Blueprint, current_app, render_template, url_for
from flask.typing import ResponseReturnValue

from dashboard import api_document
from dashboard.rights import NEEDED_SCOPE

bp = Blueprint("reference", __name__)


@bp.get("/api")
def page() -> ResponseReturnValue:
    """What the API gives, and a button to try it as oneself."""
    spec = cast("dict[str, Any]", cast(APIFlask, current_app).spec)
    known = api_document.endpoints()
    operations = [
        _shown(method, path, operation, known[method, path], spec["components"]["schemas"])
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
        if method in ("get", "post")
    ]
    return render_template(
        "api/reference.html",
        operations=operations,
        document=url_for("openapi.spec"),
        about=spec["info"]["description"],
        streaming=url_for("api.events"),
    )


def _shown(method: str, path: str, operation: dict[str, Any], endpoint: str, schemas: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "method": method.upper(),
        "body": _example(schemas[body["$ref"].rpartition("/")[2]]) if body else None,
        "path": path,
        "identity": operation["operationId"],
        "summary": operation.get("summary", ""),
        "scope": NEEDED_SCOPE[endpoint],
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "description": parameter.get("description") or parameter["schema"].get("description", ""),
                "required": parameter.get("required", False),
            }
            for parameter in operation.get("parameters", [])
            if parameter["in"] in ("query", "path")
        ],
    }


def _example(schema: dict[str, Any]) -> str:
    """A body with every field: its default, or what a person should put there."""
    fields = {
        name: field.get("default", " | ".join(field.get("enum", ())) or field.get("description", ""))
        for name, field in schema["properties"].items()
    }
    return json.dumps(fields, indent=2, ensure_ascii=False)
