"""How many people and items are in each zone; what several cameras see of a zone is never summed.

Kit in its rack is counted by `rack`, which smooths over longer. See `docs/rules/count.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import CountFact
from consumers.layout import Layout
from consumers.picture import Picture
from consumers.view import PERSON

EMPTY_ZONES = ("station", "floor", "walkway", "waiting")
"""Kinds of zones of which it is told from the start that nobody is there."""


@dataclass(slots=True)
class CountState:
    """Counts in one camera's zones, by `zone/label`; what is left out is 0."""

    now: dict[str, int] = field(default_factory=dict)
    """In the newest picture."""
    steady: dict[str, int] = field(default_factory=dict)
    """That stood for long enough."""
    since: dict[str, int] = field(default_factory=dict)
    """When the count in the newest picture began, where it is not yet steady."""
    layout_version: int | None = None
    """That whose zones are told of."""


def step(states: dict[str, CountState], told: dict[str, int], picture: Picture, layout: Layout) -> list[CountFact]:
    """Take a picture into account: `states` are the cameras' of a place, `told` the counts as told."""
    if not picture.zones.zones:
        return []
    facts: list[CountFact] = []
    state = states.get(picture.camera)
    if state is None:
        state = states[picture.camera] = CountState()
    if state.layout_version != layout.version:
        state.layout_version = layout.version
        for name, zone in picture.zones.zones.items():
            if zone.kind in EMPTY_ZONES:
                facts += _tell(states, told, f"{name}/{PERSON}", picture.time)
    now = {f"{name}/{PERSON}": len(people) for name, people in picture.people_in.items()}
    for name, items in picture.kit_in.items():
        for kit in items:
            if kit.home is None:
                key = f"{name}/{kit.label}"
                now[key] = now.get(key, 0) + 1
    if now == state.now and not state.since:
        return facts
    before, state.now = state.now, now
    changed = {key for key, _ in now.items() ^ before.items()}
    for key in sorted(changed.union(state.since)):
        count = now.get(key, 0)
        if count == state.steady.get(key, 0):
            state.since.pop(key, None)
            continue
        if key not in state.since or count != before.get(key, 0):
            state.since[key] = picture.time
        if picture.time - state.since[key] >= layout.thresholds_in(key.partition("/")[0]).count_after:
            del state.since[key]
            state.steady[key] = count
            if not count:
                del state.steady[key]
            facts += _tell(states, told, key, picture.time)
    return facts


def _tell(states: dict[str, CountState], told: dict[str, int], key: str, time: int) -> list[CountFact]:
    count = max((state.steady.get(key, 0) for state in states.values()), default=0)
    if told.get(key) == count:
        return []
    told[key] = count
    zone, _, label = key.partition("/")
    return [CountFact(zone, label, count, time)]
