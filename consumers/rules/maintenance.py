"""Which units are due for service, by their hours of use since the last one. See `docs/rules/maintenance.md`."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.facts import HOUR_MS, AlertFact
from consumers.layout import Layout
from consumers.rules.alerts import Alerts, OpenAlert, clear, raise_if_new
from spotter.settings import StationZone


def hours_of_use(figures: Iterable[tuple[int, float]], serviced: int | None) -> float:
    """Hours of use since `serviced` (milliseconds since 1970; None: never), from hourly figures.

    `figures` are (when the hour began, seconds in use in it). Of the hour in which the service was, use counts by the
    share of the hour that was left.
    """
    total = 0.0
    for began, seconds in figures:
        left = HOUR_MS if serviced is None else max(0, min(HOUR_MS, began + HOUR_MS - serviced))
        total += seconds * left / HOUR_MS
    return total / 3600


def service_after(layout: Layout, unit: str) -> float | None:
    """The hours of use after which a unit is due: its zone's setting, else its equipment's; None is never."""
    station = layout.stations[unit]
    for camera in station.cameras:
        for name in layout.zone_names_of_unit[camera, unit]:
            zone = layout.zones_of(camera).zones[name]
            if isinstance(zone, StationZone) and zone.rules.service_after is not None:
                return zone.rules.service_after
    return layout.rules.service_after.get(station.equipment)


def step(alerts: Alerts, unit: str, hours: float, now: int, layout: Layout) -> list[AlertFact]:
    """Raise `maintenance_due` once a unit's hours of use reach their threshold; clear it after a service."""
    station, after = layout.stations[unit], service_after(layout, unit)
    if after is None or hours < after:
        return clear(alerts, "maintenance_due", unit, now, f"{unit} was serviced")
    alert = OpenAlert(
        "maintenance_due",
        unit,
        now,
        zone=station.zone,
        unit=unit,
        equipment=station.equipment,
        layout_version=layout.version,
    )
    return raise_if_new(alerts, alert, f"{unit} was in use for {after:g} h since its last service")
