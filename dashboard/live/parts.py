"""The parts of Spotter as the dashboard judges them: fine or not, why, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from dashboard.language import mark

PartState = Literal["ok", "degraded"]

NAMES = {
    "database": mark("Database"),
    "redis": mark("Live store (Redis)"),
    "broker": mark("MQTT broker"),
    "ingest": mark("Ingest"),
    "usage": mark("Usage rules"),
    "cameras": mark("Cameras"),
}
"""Every part, in the order in which a person should read them: what comes first explains what follows."""


@dataclass(frozen=True, slots=True)
class Part:
    """The state of one part."""

    part: str
    state: PartState
    reason: str | None = None
    """Why it is not fine, and the mend, on one line; for people who are signed in."""

    def document(self) -> dict[str, Any]:
        """As pages read it."""
        return {**asdict(self), "name": NAMES[self.part]}


def fine(part: str) -> Part:
    """A part that works."""
    return Part(part, "ok")


def degraded(part: str, reason: str) -> Part:
    """A part that does not work as it should."""
    return Part(part, "degraded", reason)
