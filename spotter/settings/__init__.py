"""``gym.yaml``: what a gym's cameras, servers, zones and rules are.

`load` reads and checks a file; `Settings` is what every part is given.
"""

from spotter.settings.model import (
    Camera,
    DashboardSettings,
    Database,
    DeepStreamSettings,
    DetectorSettings,
    FloorZone,
    KioskZone,
    Mqtt,
    Outbox,
    Privacy,
    RackZone,
    Redis,
    Settings,
    StationZone,
    WaitingZone,
    WalkwayZone,
    Zone,
)
from spotter.settings.reader import load, loads, named_files
from spotter.settings.rules import RuleOverrides, Rules

__all__ = [
    "Camera",
    "DashboardSettings",
    "Database",
    "DeepStreamSettings",
    "DetectorSettings",
    "FloorZone",
    "KioskZone",
    "Mqtt",
    "Outbox",
    "Privacy",
    "RackZone",
    "Redis",
    "RuleOverrides",
    "Rules",
    "Settings",
    "StationZone",
    "WaitingZone",
    "WalkwayZone",
    "Zone",
    "load",
    "loads",
    "named_files",
]
