"""Hours of use of each unit since its last service, kept as facts come, and the alert when a unit is due."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from consumers.facts import AlertFact
from consumers.layout import Layout
from consumers.rules import maintenance
from consumers.rules.alerts import Alerts, clear
from spotter.hours import HOUR_MS, split_hours


@dataclass(slots=True)
class UnitHours:
    """A unit's use since its last service. Milliseconds."""

    serviced: int | None
    """When; None: never."""
    service_hour: int
    """When the hour of that began; nothing before it counts."""
    first: int = 0
    """In use in that hour, the whole of it."""
    after: int = 0
    """In use since that hour."""

    def add(self, hour: int, ms: int) -> None:
        """Count use in an hour."""
        if hour > self.service_hour:
            self.after += ms
        elif hour == self.service_hour:
            self.first += ms

    def hours(self) -> float:
        """Hours of use since the service."""
        figures = ((self.service_hour, self.first / 1000), (self.service_hour + HOUR_MS, self.after / 1000))
        return maintenance.hours_of_use(figures, self.serviced)


class Upkeep:
    """The units of a site that are due for service after some hours. `alerts` are the open ones."""

    def __init__(self, layout: Layout, alerts: Alerts, hours: dict[str, UnitHours]) -> None:
        self._layout = layout
        self._zone = ZoneInfo(layout.timezone)
        self._alerts = alerts
        self._hours = hours
        self._watched = {unit for unit in layout.stations if maintenance.service_after(layout, unit) is not None}

    def orphans(self, now: int) -> list[AlertFact]:
        """Clear the alerts of units that are no more, or are never due any more."""
        facts: list[AlertFact] = []
        for alert in [alert for alert in self._alerts.values() if alert.subject not in self._watched]:
            detail = f"{alert.subject} is not looked after any more"
            facts += clear(self._alerts, "maintenance_due", alert.subject, now, detail)
        return facts

    def use(self, unit: str, begin: int, end: int) -> list[AlertFact]:
        """Count a stretch of a unit's use; tells when it is due at its end."""
        if unit not in self._watched:
            return []
        hours = self._hours.setdefault(unit, UnitHours(None, 0))
        for hour, ms in split_hours(begin, end, self._zone):
            hours.add(hour, ms)
        return maintenance.step(self._alerts, unit, hours.hours(), end, self._layout)
