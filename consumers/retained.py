"""What the broker is to retain of a site: states of units and kit, counts, open alerts, Home Assistant's entities."""

from __future__ import annotations

from typing import get_args

from consumers.layout import Layout
from spotter import homeassistant, topics
from spotter.events import AlertKind
from spotter.settings import RackZone


def discovery(layout: Layout, counts: set[tuple[str, str]]) -> dict[str, bytes]:
    """Home Assistant's messages for a layout and the (zone, label) that are counted."""
    site = layout.site
    if not layout.version:
        return {}
    found = homeassistant.alert_entities(site)
    for camera in sorted(layout.cameras):
        found |= homeassistant.camera_entities(site, camera)
    for unit, station in sorted(layout.stations.items()):
        found |= homeassistant.unit_entities(site, unit, unit, station.cameras)
    for label in sorted(kit_labels(layout)):
        found |= homeassistant.unit_entities(site, label, label.replace("_", " "), _rack_cameras(layout, label))
    for zone, label in sorted(counts):
        found |= count_entities(layout, zone, label)
    return found


def count_entities(layout: Layout, zone: str, label: str) -> dict[str, bytes]:
    """Home Assistant's messages for one count."""
    cameras = [camera for camera in sorted(layout.cameras) if zone in layout.zones_of(camera).zones]
    return homeassistant.count_entities(layout.site, zone, label, cameras)


def kit_labels(layout: Layout) -> set[str]:
    """Kit that has a state as a unit has one: what racks hold, unless a unit bears its name."""
    labels = {
        label
        for zones in layout.cameras.values()
        for zone in zones.zones.values()
        if isinstance(zone, RackZone)
        for label in zone.holds
    }
    return labels - layout.stations.keys()


def belongs(topic: str, layout: Layout) -> bool:
    """Whether a retained topic is of something that the layout has; discovery is not asked about here."""
    levels = topic.split("/")
    if len(levels) == 5 and levels[2] == "equipment":
        return levels[3] in layout.stations or levels[3] in kit_labels(layout)
    if len(levels) == 5 and levels[2] == "count":
        return levels[3] in layout.kinds
    return levels[2] == "alert"


def counted(topic: str) -> tuple[str, str] | None:
    """The (zone, label) of a count's topic; None for any other."""
    levels = topic.split("/")
    return (levels[3], levels[4]) if len(levels) == 5 and levels[0] == topics.ROOT and levels[2] == "count" else None


def alert_kinds() -> tuple[AlertKind, ...]:
    """All kinds of alert, each of which has a topic that tells how many are open."""
    return get_args(AlertKind)


def _rack_cameras(layout: Layout, label: str) -> list[str]:
    return [
        camera
        for camera, zones in sorted(layout.cameras.items())
        if any(isinstance(zone, RackZone) and label in zone.holds for zone in zones.zones.values())
    ]
