"""Kit sessions: a portable item is in use while it moves, or a person is in reach of it, outside its rack.

Items have no identity beyond their tracks, and a track breaks whenever a hand covers the item: an item that is lost
is stitched to a new track of its label that appears near by or with the same person. See `docs/rules/kit.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.layout import Layout
from consumers.rules.camera import Coverage
from consumers.rules.use import (
    FLICKER_MS,
    EndedBy,
    SessionFact,
    Use,
    begin_if_due,
    see_used,
    spend_used,
    tell,
    update_if_due,
)
from consumers.view import Box, Sighting, View
from consumers.zones import CameraZones, distance_in_sizes, grown, overlap

NEAR_SIZES = 1.5
"""An item's centre may be off by so many of its sizes and still be "near where it was last seen"."""


@dataclass(slots=True)
class Item:
    """One item, by the track that shows it now."""

    track: str
    label: str
    box: Box
    moving: bool
    in_use: bool
    """As it was last seen."""
    lost: int | None = None
    """Watched milliseconds since it was last seen; None while it is in the newest picture."""
    holder: str | None = None
    """Track of the person who was last in reach of it."""
    holder_box: Box | None = None
    use: Use | None = None


@dataclass(slots=True)
class KitState:
    """The items that one camera sees, or saw until a moment ago."""

    items: list[Item] = field(default_factory=list)


def step(state: KitState, view: View, coverage: Coverage, layout: Layout) -> tuple[KitState, list[SessionFact]]:
    """Take a scene of the camera into account; scenes come in the order of their times."""
    facts: list[SessionFact] = []
    if coverage.lost:
        facts += end(state, "camera_lost")
    if not view.picture:
        return state, facts
    zones, thresholds = layout.zones_of(view.camera), layout.thresholds
    _forget_lost(state, coverage.watched, thresholds.lost_after, facts)
    matches = _match(state.items, view, thresholds.reach)
    for item in state.items:
        found = matches.pop(item.track, None)
        if found is None:
            _miss(item, view, coverage.watched, layout, facts)
        else:
            _see(item, found, view, coverage.watched, zones, layout, facts)
    for found in matches.values():
        item = Item(found.track, found.label, found.box, moving=False, in_use=False)
        state.items.append(item)
        _see(item, found, view, 0, zones, layout, facts)
    return state, facts


def end(state: KitState, ended_by: EndedBy) -> list[SessionFact]:
    """End all open sessions and forget the items, such as when the camera is lost."""
    uses = [item.use for item in state.items if item.use is not None and item.use.session]
    state.items = []
    return [tell(use, "ended", ended_by) for use in uses]


def _forget_lost(state: KitState, watched: int, lost_after: int, facts: list[SessionFact]) -> None:
    """Let more time pass for the items that are not seen, and end what nobody found again."""
    kept = []
    for item in state.items:
        if item.lost is not None:
            item.lost += watched
            if item.lost > lost_after:
                if item.use is not None and item.use.session:
                    facts.append(tell(item.use, "ended", "lost"))
                continue
        kept.append(item)
    state.items = kept


def _match(items: list[Item], view: View, reach: float) -> dict[str, Sighting]:
    """What is found, by the track of the item that it is (stitched ones too), or by its own when it is new."""
    known = {item.track for item in items}
    fresh = [found for found in view.kit if found.track not in known]
    matches = {found.track: found for found in view.kit if found.track in known}
    missing = [item for item in items if item.track not in matches] if fresh else []
    people = {person.track: person.box for person in view.people} if missing else {}
    pairs = []
    for position, found in enumerate(fresh):
        for item in missing:
            if item.label == found.label:
                distance = distance_in_sizes(item.box, found.box)
                if distance <= NEAR_SIZES or _with_same_person(item, found, people, reach):
                    pairs.append((distance, position, item))
    pairs.sort(key=lambda pair: (pair[0], pair[1], pair[2].track))
    stitched: set[int] = set()
    for _, position, item in pairs:
        if position not in stitched and item.track not in matches:
            stitched.add(position)
            matches[item.track] = fresh[position]
    for position, found in enumerate(fresh):
        if position not in stitched:
            matches[found.track] = found
    return matches


def _with_same_person(item: Item, found: Sighting, people: dict[str, Box], reach: float) -> bool:
    """Whether it appears in reach of who held the item: by track, or, that one gone, at the place they had."""
    if item.holder is None or item.holder_box is None:
        return False
    return overlap(grown(people.get(item.holder, item.holder_box), reach), found.box) >= 0


def _miss(item: Item, view: View, watched: int, layout: Layout, facts: list[SessionFact]) -> None:
    """The item is not in this picture."""
    if item.lost is not None:
        return
    item.lost = 0
    use = item.use
    if use is None:
        return
    # A scene comes at once when something disappears, so it was there, and as it was, until now.
    if item.in_use:
        spend_used(use, watched, view.time if watched else use.last)
        _add(facts, begin_if_due(use, view.time, layout.thresholds.use_after, layout.version))
    else:
        _idle(item, use, watched, layout, facts)


def _see(
    item: Item, found: Sighting, view: View, watched: int, zones: CameraZones, layout: Layout, facts: list[SessionFact]
) -> None:
    """The item is in this picture, as `found`."""
    holder = _holder(found, view, layout.thresholds.reach)
    in_use = (found.moving or holder is not None) and zones.holding(found.label, found.box) is None
    use = item.use
    if use is not None and item.lost is None:
        # Kit that stops moving does so at this scene; someone who goes out of reach did so somewhere before it.
        if item.in_use and (in_use or item.moving):
            spend_used(use, watched, view.time if watched else use.last)
            _add(facts, begin_if_due(use, view.time, layout.thresholds.use_after, layout.version))
        else:
            _idle(item, use, watched, layout, facts)
    item.track, item.box, item.moving, item.in_use, item.lost = found.track, found.box, found.moving, in_use, None
    if holder is not None:
        item.holder, item.holder_box = holder.track, holder.box
    if not in_use:
        return
    use = item.use
    if use is None:
        use = item.use = Use(
            subject=f"{view.camera}/{found.track}",
            equipment=found.label,
            unit=None,
            zone=zones.place_of(found.box, holder.box if holder else None),
            started=view.time,
            last=view.time,
        )
    see_used(use, view.time, found.score, view.camera)
    due = begin_if_due(use, view.time, layout.thresholds.use_after, layout.version)
    _add(facts, due or update_if_due(use, view.time))


def _idle(item: Item, use: Use, watched: int, layout: Layout, facts: list[SessionFact]) -> None:
    """Book time in which the item was seen out of use."""
    use.idle += watched
    if use.session and use.idle >= layout.thresholds.rest_after:
        item.use = None
        facts.append(tell(use, "ended", "rest"))
    elif not use.session and use.idle > FLICKER_MS:
        item.use = None


def _holder(found: Sighting, view: View, reach: float) -> Sighting | None:
    """The person in reach who overlaps the item most."""
    best, best_area = None, -0.5
    for person in view.people:
        area = overlap(grown(person.box, reach), found.box)
        if area > best_area:
            best, best_area = person, area
    return best


def _add(facts: list[SessionFact], fact: SessionFact | None) -> None:
    if fact is not None:
        facts.append(fact)
