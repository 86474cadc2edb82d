"""The event contract as documents: JSON Schemas and AsyncAPI, generated from `spotter.events` and `spotter.topics`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import spotter
from spotter import topics
from spotter.events import (
    MESSAGES,
    Alert,
    Committed,
    EquipmentState,
    Event,
    Identified,
    PreviewRequest,
    Scene,
    Status,
    UsageSession,
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic of the contract; `payload` is a message model, or a schema for a bare value."""

    name: str
    address: str
    payload: type[Event] | dict[str, Any]
    summary: str
    qos: int
    retained: bool


CHANNELS: tuple[Channel, ...] = (
    Channel("scene", topics.scene("{site}", "{camera}"), Scene, "A camera's tracked objects at a moment.", 1, False),
    Channel("committed", topics.committed("{site}", "{camera}"), Committed, "How far the database has it.", 1, True),
    Channel("status", topics.status("{site}", "{camera}"), Status, "A camera's health; also the last will.", 1, True),
    Channel(
        "preview",
        topics.preview("{site}", "{camera}"),
        {"type": "string", "contentMediaType": "image/jpeg", "description": "a JPEG of at most 640 px"},
        "A picture with people blurred, only while someone watches.",
        0,
        False,
    ),
    Channel("previewRequest", topics.preview_request("{site}", "{camera}"), PreviewRequest, "Ask for them.", 1, False),
    Channel("usage", topics.usage("{site}", "{equipment}"), UsageSession, "Sessions: start, update, end.", 1, False),
    Channel(
        "equipmentState",
        topics.equipment_state("{site}", "{unit}"),
        {"type": "string", "enum": list(get_args(EquipmentState))},
        "The state of a unit, as bare text.",
        1,
        True,
    ),
    Channel("count", topics.count("{site}", "{zone}", "{label}"), {"type": "integer"}, "How many are there.", 1, True),
    Channel("alert", topics.alert("{site}", "{kind}"), Alert, "Something that a person should look at.", 1, False),
    Channel(
        "openAlerts",
        topics.open_alerts("{site}", "{kind}"),
        {"type": "integer"},
        "How many alerts of a kind are open.",
        1,
        True,
    ),
    Channel("identified", topics.identified("{site}", "{camera}"), Identified, "What a kiosk is shown.", 1, False),
)


def schema_name(message: type[Event]) -> str:
    """The name of a message as its `schema` field has it, such as ``spotter.scene/1``."""
    (name,) = get_args(message.model_fields["schema_"].annotation)
    return str(name)


def json_schema(message: type[Event]) -> dict[str, Any]:
    """The JSON Schema of a message as published (draft 2020-12)."""
    schema = message.model_json_schema(by_alias=True, mode="validation")
    required = ["schema", *(name for name in schema.get("required", []) if name != "schema")]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema_name(message), **schema} | {
        "required": required
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of every topic."""
    channels, operations = {}, {}
    for channel in CHANNELS:
        bare = isinstance(channel.payload, dict)
        payload = channel.payload if bare else {"$ref": f"./events/{file_name(channel.payload)}"}  # type: ignore[arg-type]
        parameters = {
            part[1:-1]: {"description": f"name of the {part[1:-1]}"}
            for part in channel.address.split("/")
            if part.startswith("{")
        }
        channels[channel.name] = {
            "address": channel.address,
            "summary": channel.summary,
            "parameters": parameters,
            "messages": {
                channel.name: {
                    "contentType": "image/jpeg" if channel.name == "preview" else "application/json",
                    "payload": payload,
                }
            },
        }
        reads = channel.name == "previewRequest"
        operations[channel.name] = {
            "action": "receive" if reads else "send",
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Spotter events",
            "version": "1",
            "description": "What Spotter publishes over MQTT. Ignore unknown fields; the number after the slash in "
            "`schema` is the major version.",
            "license": {"name": "Apache-2.0"},
            "x-generated-by": f"spotter {spotter.__version__}: spotter events schema --out docs",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
    }


def file_name(message: type[Event]) -> str:
    """The name of a message's schema file, such as ``scene.schema.json``."""
    return schema_name(message).removeprefix("spotter.").split("/")[0] + ".schema.json"


def documents() -> dict[Path, str]:
    """Every generated document: path relative to ``docs/``, and text."""
    texts = {Path("events") / file_name(message): json_schema(message) for message in MESSAGES}
    texts[Path("asyncapi.json")] = asyncapi()
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in texts.items()}
