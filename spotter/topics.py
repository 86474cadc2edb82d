"""MQTT topic names of the event contract, in one place."""

from __future__ import annotations

import re
from typing import NamedTuple

from spotter.events import NAME_PATTERN

ROOT = "spotter"

ALL = f"{ROOT}/#"
ALL_SCENES = f"{ROOT}/+/+/scene"
ALL_COMMITTED = f"{ROOT}/+/+/committed"
ALL_STATUS = f"{ROOT}/+/+/status"
ALL_PREVIEWS = f"{ROOT}/+/+/preview"

_NAME = re.compile(NAME_PATTERN)
_LEVEL = r"(?:\+|[^+#/\0\ud800-\udfff]*)"
_FILTER = re.compile(rf"(?:{_LEVEL}/)*(?:#|{_LEVEL})")
_MOST_BYTES = 65535  # MQTT gives a text's length two bytes


class CameraTopic(NamedTuple):
    """A topic ``spotter/{site}/{camera}/{leaf}``, taken apart."""

    site: str
    camera: str
    leaf: str


def scene(site: str, camera: str) -> str:
    """Scenes of a camera; QoS 1, not retained."""
    return f"{ROOT}/{site}/{camera}/scene"


def committed(site: str, camera: str) -> str:
    """How far the database has a camera's scenes; QoS 1, retained."""
    return f"{ROOT}/{site}/{camera}/committed"


def status(site: str, camera: str) -> str:
    """A camera's health; QoS 1, retained, the pipeline's last will."""
    return f"{ROOT}/{site}/{camera}/status"


def preview(site: str, camera: str) -> str:
    """JPEG pictures with people blurred, while someone watches; QoS 0."""
    return f"{ROOT}/{site}/{camera}/preview"


def preview_request(site: str, camera: str) -> str:
    """Where previews of a camera are asked for."""
    return f"{ROOT}/{site}/{camera}/preview/set"


def usage(site: str, equipment: str) -> str:
    """Usage sessions of a kind of equipment; QoS 1, not retained."""
    return f"{ROOT}/{site}/usage/{equipment}"


def equipment_state(site: str, unit: str) -> str:
    """The state of a unit; QoS 1, retained."""
    return f"{ROOT}/{site}/equipment/{unit}/state"


def count(site: str, zone: str, label: str) -> str:
    """How many of a label are in a zone; QoS 1, retained."""
    return f"{ROOT}/{site}/count/{zone}/{label}"


def alert(site: str, kind: str) -> str:
    """Alerts of a kind; QoS 1, not retained."""
    return f"{ROOT}/{site}/alert/{kind}"


def open_alerts(site: str, kind: str) -> str:
    """How many alerts of a kind are open; QoS 1, retained."""
    return f"{ROOT}/{site}/alert/{kind}/open"


def identified(site: str, camera: str) -> str:
    """What a kiosk camera is shown; QoS 1, not retained."""
    return f"{ROOT}/{site}/{camera}/identified"


def parse_camera_topic(topic: str) -> CameraTopic | None:
    """The parts of ``spotter/{site}/{camera}/{leaf}``, or None for any other or hostile topic."""
    levels = topic.split("/")
    if len(levels) != 4 or levels[0] != ROOT or not all(_NAME.fullmatch(level) for level in levels[1:]):
        return None
    return CameraTopic(*levels[1:])


def is_filter(text: str) -> bool:
    """Whether a broker takes this as a topic filter: `#` only as the last level, `+` only as a whole one."""
    return text != "" and _FILTER.fullmatch(text) is not None and len(text.encode()) <= _MOST_BYTES
