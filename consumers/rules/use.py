"""A stretch of use, from the first sign to the session's end: what station and kit sessions have in common.

Use is first a candidate, which becomes a session once use was really seen for long enough, and is forgotten when it
pauses for longer than a flicker. A session ends when disuse was seen for long enough. Time in which nothing could be
seen counts as neither, but for moments amid a session of kit (`rules/kit.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consumers.facts import SessionFact
from spotter.events import EndedBy

FLICKER_MS = 1000
"""A detection may fail for a frame or two; a candidate survives pauses of up to a second."""

UPDATE_MS = 10_000
"""An open session is told of at most so often (design section 4)."""


@dataclass(slots=True)
class Use:
    """A candidate, or a session once `session` is set. Times and durations in milliseconds."""

    subject: str
    """What the session's id is made of beside its start: a unit, or a camera and a track."""
    equipment: str
    unit: str | None
    started: int
    last: int
    """The last moment at which use was seen."""
    active: int = 0
    idle: int = 0
    """Seen without use since `last`."""
    score_sum: float = 0.0
    score_count: int = 0
    zone: str | None = None
    cameras: list[str] | None = None
    session: bool = False
    told: int = 0
    layout_version: int = 0

    @property
    def confidence(self) -> float:
        """The mean score of what was seen in use."""
        return round(self.score_sum / self.score_count, 4) if self.score_count else 0.0


def spend_used(use: Use, elapsed: int, until: int) -> None:
    """Book `elapsed` milliseconds, up to the moment `until`, as use."""
    use.active += elapsed
    use.last = until
    use.idle = 0


def see_used(use: Use, now: int, score: float, camera: str) -> None:
    """Note that use is seen at this moment."""
    use.last = now
    use.idle = 0
    use.score_sum += score
    use.score_count += 1
    if use.cameras is None:
        use.cameras = [camera]
    elif camera not in use.cameras:
        use.cameras.append(camera)


def begin_if_due(use: Use, now: int, after: int, layout_version: int) -> SessionFact | None:
    """Make a candidate that was seen in use for `after` a session."""
    if use.session or use.active < after:
        return None
    use.session, use.told, use.layout_version = True, now, layout_version
    return tell(use, "started")


def update_if_due(use: Use, now: int) -> SessionFact | None:
    """Tell of an open session whose use went on since it was last told of, if that is long ago."""
    if not use.session or now - use.told < UPDATE_MS or use.last <= use.told:
        return None
    use.told = now
    return tell(use, "updated")


def tell(use: Use, kind: Literal["started", "updated", "ended"], ended_by: EndedBy | None = None) -> SessionFact:
    """The session as it is now; one that ends, ends at the last moment at which use was seen."""
    return SessionFact(
        type=kind,
        subject=use.subject,
        equipment=use.equipment,
        unit=use.unit,
        zone=use.zone,
        cameras=tuple(sorted(use.cameras or ())),
        started=use.started,
        ended=use.last if kind == "ended" else None,
        active=use.active,
        confidence=use.confidence,
        ended_by=ended_by,
        layout_version=use.layout_version,
        last=use.last,
    )
