"""What the rules see of a scene: people and kit with their boxes, and times as whole milliseconds.

Integers keep the sums exact, so that history interpreted again, or in other pieces, gives equal sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spotter.events import Scene
from spotter.moments import to_ms as to_ms
from spotter.moments import to_time as to_time

PERSON = "person"
"""The one label that is not equipment."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, relative to the picture."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One tracked object in a scene."""

    track: str
    label: str
    score: float
    box: Box
    moving: bool


@dataclass(frozen=True, slots=True)
class View:
    """One scene of one camera; `time` in milliseconds since 1970."""

    camera: str
    stream: str
    seq: int
    time: int
    picture: bool = True
    people: tuple[Sighting, ...] = ()
    kit: tuple[Sighting, ...] = ()


def believed(view: View, confidence: float) -> View:
    """The view without what was seen with less than `confidence`: a tracker drags such boxes along on a guess."""
    if all(found.score >= confidence for found in (*view.people, *view.kit)):
        return view
    people = tuple(found for found in view.people if found.score >= confidence)
    return replace(view, people=people, kit=tuple(found for found in view.kit if found.score >= confidence))


def seconds_to_ms(seconds: float) -> int:
    """A duration in whole milliseconds."""
    return round(seconds * 1000)


def view_of(scene: Scene) -> View:
    """What the rules see of `scene`."""
    people: list[Sighting] = []
    kit: list[Sighting] = []
    for found in scene.objects:
        sighting = Sighting(found.id, found.label, found.score, found.box, found.moving)
        (people if found.label == PERSON else kit).append(sighting)
    return View(scene.camera, scene.stream, scene.seq, to_ms(scene.time), scene.picture, tuple(people), tuple(kit))
