"""Alerts that are open: raised once, cleared when what they tell of is over, never repeated while nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.facts import AlertFact
from spotter.events import AlertKind


@dataclass(slots=True)
class OpenAlert:
    """An alert that is raised and not over."""

    kind: AlertKind
    subject: str
    raised: int
    """Milliseconds since 1970."""
    camera: str | None = None
    zone: str | None = None
    unit: str | None = None
    equipment: str | None = None
    layout_version: int = 0


Alerts = dict[str, OpenAlert]
"""kind and subject -> the open alert"""


def raise_if_new(alerts: Alerts, alert: OpenAlert, detail: str) -> list[AlertFact]:
    """Open an alert, unless there is one of its kind and subject."""
    key = f"{alert.kind}/{alert.subject}"
    if key in alerts:
        return []
    alerts[key] = alert
    return [_fact(alert, "raised", alert.raised, detail)]


def clear(alerts: Alerts, kind: AlertKind, subject: str, time: int, detail: str) -> list[AlertFact]:
    """Close an alert, if it is open."""
    alert = alerts.pop(f"{kind}/{subject}", None)
    return [_fact(alert, "cleared", max(time, alert.raised), detail)] if alert is not None else []


def _fact(alert: OpenAlert, kind: str, time: int, detail: str) -> AlertFact:
    return AlertFact(
        type="raised" if kind == "raised" else "cleared",
        kind=alert.kind,
        subject=alert.subject,
        camera=alert.camera,
        zone=alert.zone,
        unit=alert.unit,
        equipment=alert.equipment,
        raised=alert.raised,
        time=time,
        detail=detail,
        layout_version=alert.layout_version,
    )


def seconds(ms: int) -> str:
    """A duration as details say it, such as `120 s` or `10 min`."""
    return f"{ms // 60_000} min" if ms >= 300_000 and ms % 60_000 == 0 else f"{ms / 1000:g} s"
