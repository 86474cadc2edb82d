"""Home Assistant discovery: the retained messages by which its MQTT integration makes entities by itself.

See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. Names of sites, cameras, units and zones may hold
dots, which discovery topics may not.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any, get_args

import spotter
from spotter import topics
from spotter.events import AlertKind, EquipmentState

PREFIX = "homeassistant"
"""Where Home Assistant listens unless it is told otherwise."""

ALERT_NAMES: dict[AlertKind, str] = {
    "left_out": "Kit left out",
    "walkway": "Kit in the walkway",
    "missing": "Kit missing",
    "queue": "Queue",
    "camera_offline": "Camera offline",
    "maintenance_due": "Maintenance due",
}


def unit_entities(site: str, unit: str, name: str, cameras: Iterable[str]) -> dict[str, bytes]:
    """Topic and payload of the entities of a unit, or of a kind of kit: its state, and whether it is in use."""
    state = topics.equipment_state(site, unit)
    availability = _seen_by(site, cameras)
    return _messages(
        site,
        {
            ("sensor", f"unit_{unit}"): {
                "name": name,
                "state_topic": state,
                "device_class": "enum",
                "options": list(get_args(EquipmentState)),
                "icon": "mdi:dumbbell",
                **availability,
            },
            ("binary_sensor", f"unit_{unit}_in_use"): {
                "name": f"{name} in use",
                "state_topic": state,
                "value_template": "{{ 'ON' if value == 'in_use' else 'OFF' }}",
                "device_class": "occupancy",
                **availability,
            },
        },
    )


def count_entities(site: str, zone: str, label: str, cameras: Iterable[str]) -> dict[str, bytes]:
    """Topic and payload of the entity of a count."""
    what = "people" if label == "person" else label.replace("_", " ")
    return _messages(
        site,
        {
            ("sensor", f"count_{zone}_{label}"): {
                "name": f"{zone} {what}",
                "state_topic": topics.count(site, zone, label),
                "state_class": "measurement",
                "icon": "mdi:account-multiple" if label == "person" else "mdi:counter",
                **_seen_by(site, cameras),
            }
        },
    )


def camera_entities(site: str, camera: str) -> dict[str, bytes]:
    """Topic and payload of the entity of a camera: on while frames are processed."""
    status = topics.status(site, camera)
    return _messages(
        site,
        {
            ("binary_sensor", f"camera_{camera}"): {
                "name": f"Camera {camera}",
                "state_topic": status,
                "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
                "json_attributes_topic": status,
                "device_class": "connectivity",
                "entity_category": "diagnostic",
            }
        },
    )


def alert_entities(site: str) -> dict[str, bytes]:
    """Topic and payload of the entities of alerts: of each kind, whether any is open, and an event for automations."""
    entities: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, name in ALERT_NAMES.items():
        entities["binary_sensor", f"alert_{kind}"] = {
            "name": name,
            "state_topic": topics.open_alerts(site, kind),
            "value_template": "{{ 'ON' if value | int > 0 else 'OFF' }}",
            "device_class": "problem",
        }
        entities["event", f"alert_{kind}_event"] = {
            "name": f"{name}: events",
            "state_topic": topics.alert(site, kind),
            "event_types": ["raised", "acknowledged", "cleared"],
            "value_template": "{{ dict(value_json, event_type=value_json.type) | to_json }}",
        }
    return _messages(site, entities)


def _seen_by(site: str, cameras: Iterable[str]) -> dict[str, Any]:
    """An entity is unavailable while none of the cameras that see it is there."""
    seen = [
        {
            "topic": topics.status(site, camera),
            "value_template": "{{ 'offline' if value_json.state == 'offline' else 'online' }}",
        }
        for camera in cameras
    ]
    return {"availability": seen, "availability_mode": "any"} if seen else {}


def _messages(site: str, entities: dict[tuple[str, str], dict[str, Any]]) -> dict[str, bytes]:
    node = _identifier(f"spotter_{site}")
    device = {"identifiers": [node], "name": f"Spotter {site}", "manufacturer": "Spotter", "model": "Gym"}
    origin = {"name": "Spotter", "sw_version": spotter.__version__}
    found = {}
    for (component, name), config in entities.items():
        identifier = _identifier(name)
        unique = f"{node}_{identifier}"
        ids = {  # `object_id` is for Home Assistant before 2026.4
            "unique_id": unique,
            "object_id": unique,
            "default_entity_id": f"{component}.{unique.lower()}",
        }
        whole = {**config, **ids, "qos": 1, "device": device, "origin": origin}
        found[f"{PREFIX}/{component}/{node}/{identifier}/config"] = json.dumps(whole, sort_keys=True).encode()
    return found


def _identifier(name: str) -> str:
    """A name of letters, digits, dash and underscore; where that takes a change, still one of its own."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
    return plain if plain == name else f"{plain}_{zlib.crc32(name.encode()):08x}"
