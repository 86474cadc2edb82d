"""What the rules think of what a camera shows, and why: asked for by a page, answered by the usage worker, not kept."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from spotter.events import Fraction, Name, UtcTime

ASKED_SECONDS = 10
"""The worker goes on answering for so long after a question."""

ANSWER_SECONDS = 3
"""An answer that is older was given by a worker that is gone."""

Rule = Literal["station", "kit", "rack", "queue", "lying", "kiosk", "camera"]

Why = Literal[
    # station
    "nobody",
    "entering",
    "inside",
    "leaving",
    "unseen",
    # kit
    "at_home",
    "alone",
    "moving",
    "held",
    "doubtful",
    "same_hands",
    "resting",
    "covered",
    # rack
    "complete",
    "short",
    "missing",
    "hidden",
    # queue
    "no_queue",
    "unit_free",
    "waiting",
    # lying
    "lying",
    "left_out",
    "in_walkway",
    "hazard",
    # kiosk
    "nothing_shown",
    "looking",
    "recognised",
    "unsure",
    # camera
    "dark",
]
"""Why it is so, as a word that pages put into a sentence. `docs/rules/thinking.md` explains each."""

WHYS: tuple[Why, ...] = get_args(Why)


class Thought(BaseModel):
    """One judgement: about a unit, an item, a rack's kit, a queue, a thing that lies, or the camera itself."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    why: Why
    track: str | None = None
    """The object that it is about, as in the scene."""
    holder: str | None = None
    """The track of the person who was last in reach of it."""
    zone: str | None = None
    unit: str | None = None
    label: str | None = None
    session: bool = False
    """It is a usage session now, not a mere candidate."""
    seconds: float | None = None
    """For how long it has been so."""
    needed: float | None = None
    """After how long it changes what the rules say; None where time alone changes nothing."""
    confidence: float | None = None
    """The mean score of what was seen in use, or that of a name."""
    people: int | None = None
    """How many are in the zone."""
    expected: int | None = None
    seen: int | None = None
    missing: int | None = None
    """Of a rack's label."""
    also: dict[str, Fraction] = {}
    """label -> its share of all that was seen of the item, where it was called more than one thing."""


class Zone(BaseModel):
    """A zone of the camera, as the layout in force has it."""

    model_config = ConfigDict(frozen=True)

    kind: str
    polygon: tuple[tuple[float, float], ...]
    """Corners relative to the frame."""


class Thoughts(BaseModel):
    """All that the rules think of one camera at the time of its newest interpreted scene."""

    model_config = ConfigDict(frozen=True)

    site: Name
    camera: Name
    time: UtcTime
    layout_version: int
    zones: dict[str, Zone]
    thoughts: tuple[Thought, ...]
