"""Kit that lies somewhere: left out (outside its rack with nobody in reach), or a hazard (in a walkway).

What lies is remembered by its place on the picture and not by its track, which breaks whenever someone walks by. See
`docs/rules/left-out.md` and `docs/rules/walkway.md`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from consumers.facts import AlertFact
from consumers.layout import Layout
from consumers.picture import Kit, Picture
from consumers.rules.alerts import Alerts, OpenAlert, clear, raise_if_new, seconds
from consumers.rules.use import FLICKER_MS
from consumers.view import Box
from consumers.zones import CameraZones, area, centre, distance_in_sizes, overlap
from spotter.events import AlertKind

SAME_SIZES = 0.5
"""A thing is still in its place while its centre is off by no more than this share of its size."""

ALIKE_AREAS = 3.0
"""Areas of a thing, seen under two labels, differ by no more than this factor."""


Lying = tuple[AlertKind, str, str]
"""(kind of alert, zone, label)"""


@dataclass(slots=True)
class Spot:
    """A thing at rest, where it lies. Durations in watched milliseconds."""

    track: str
    box: Box
    votes: dict[str, float]
    """label -> sum of its scores"""
    zone: str | None
    walkway: str | None
    rested: int = 0
    alone: int = 0
    """With nobody in reach, or only in passing."""
    near: int = 0
    """With someone in reach, without a break."""
    moved: int = 0
    """Shown as moving, though still in its place."""
    unseen: int = 0
    """Not seen with nobody before it."""
    shown: bool = True
    """It was seen at rest in the newest picture."""
    left_out: bool = False
    hazard: bool = False
    settled: bool = False
    """More time alone changes neither."""
    attended: bool = False
    """Someone has been in reach for so long that more time with them changes neither."""

    @property
    def label(self) -> str:
        """What it most probably is."""
        return max(sorted(self.votes), key=self.votes.__getitem__)


@dataclass(slots=True)
class RestState:
    """What lies on one camera's picture."""

    spots: list[Spot] = field(default_factory=list)
    layout_version: int | None = None
    """That by which they are judged."""


def step(state: RestState, picture: Picture, watched: int, layout: Layout) -> bool:
    """Take a picture of the camera into account; gives whether anything is left out, or a hazard, that was not before.

    Or the other way round: after either, `tell` says what follows.
    """
    changed = state.layout_version != layout.version
    if changed:
        state.layout_version = layout.version
        for spot in state.spots:
            spot.settled = spot.attended = False
    if not state.spots and not picture.kit:
        return changed
    lying = [kit for kit in picture.kit if not kit.moving and kit.home is None]
    if _are_as_before(state.spots, lying):  # nearly always
        for spot, kit in zip(state.spots, lying, strict=True):
            changed = _rest(spot, kit, picture, watched, layout) or changed
        return changed
    places = _matched(state.spots, lying)
    kept = []
    for position, spot in enumerate(state.spots):
        found = places.pop(position, None)
        if found is not None:
            changed = _rest(spot, found, picture, watched, layout) or changed
        elif _is_gone(spot, picture, watched, layout):
            changed = changed or spot.left_out or spot.hazard
            continue
        kept.append(spot)
    state.spots = kept
    known = {id(found) for found in places.values()}
    for kit in lying if known else ():
        if id(kit) in known:
            spot = Spot(kit.track, kit.box, {kit.label: kit.score}, *picture.zones.lies(kit.zones))
            kept.append(spot)
            changed = _judge(spot, layout) or changed
    return changed


def redraw(state: RestState, zones: CameraZones, layout: Layout) -> None:
    """Look anew where things lie on a camera whose zones may have changed, whether or not they are seen again."""
    for spot in state.spots:
        where = zones.lies(zones.at(*centre(spot.box)))
        if where != (spot.zone, spot.walkway):
            spot.zone, spot.walkway = where
            _judge(spot, layout)


def tell(cameras: dict[str, RestState], alerts: Alerts, place: str, now: int, layout: Layout) -> list[AlertFact]:
    """Raise and clear alerts by what lies in the zones of a place; of what several cameras see, the most counts."""
    wanted: dict[Lying, tuple[int, str]] = {}
    for camera, state in sorted(cameras.items()):
        seen: Counter[Lying] = Counter()
        for spot in state.spots:
            if spot.left_out:
                seen["left_out", spot.zone or "", spot.label] += 1
            if spot.hazard:
                seen["walkway", spot.walkway or "", spot.label] += 1
        for lying, count in seen.items():
            if count > wanted.get(lying, (0, ""))[0]:
                wanted[lying] = count, camera
    facts: list[AlertFact] = []
    keys = set()
    for (kind, zone, label), (count, camera) in sorted(wanted.items()):
        for number in range(1, count + 1):
            alert = OpenAlert(
                kind,
                f"{zone or place}/{label}/{number}",
                now,
                camera=camera,
                zone=zone or None,
                equipment=label,
                layout_version=layout.version,
            )
            keys.add(f"{kind}/{alert.subject}")
            facts += raise_if_new(alerts, alert, _detail(kind, zone or None, label, layout))
    for key, alert in sorted(alerts.items()):
        if alert.kind in ("left_out", "walkway") and key not in keys:
            facts += clear(alerts, alert.kind, alert.subject, now, f"{alert.equipment} does not lie there any more")
    return facts


def _are_as_before(spots: list[Spot], lying: list[Kit]) -> bool:
    """Whether the very tracks are shown that the spots had, each in its place."""
    if len(spots) != len(lying):
        return False
    for spot, kit in zip(spots, lying, strict=True):
        if spot.track != kit.track or distance_in_sizes(spot.box, kit.box) > SAME_SIZES:
            return False
    return True


def _matched(spots: list[Spot], lying: list[Kit]) -> dict[int, Kit]:
    """The things that lie, by the number of the spot that they are at; new ones by numbers beyond."""
    matches: dict[int, Kit] = {}
    if not lying:
        return matches
    by_track = {spot.track: position for position, spot in enumerate(spots)}
    rest = []
    for kit in lying:
        known = by_track.get(kit.track)
        if known is not None and known not in matches and distance_in_sizes(spots[known].box, kit.box) <= SAME_SIZES:
            matches[known] = kit
        else:
            rest.append(kit)
    number = len(spots)
    for kit in rest:
        best, least = number, SAME_SIZES
        for position, spot in enumerate(spots):
            if position not in matches and _may_be(spot, kit):
                distance = distance_in_sizes(spot.box, kit.box)
                if distance <= least:
                    best, least = position, distance
        matches[best] = kit
        number += best == number
    return matches


def _may_be(spot: Spot, kit: Kit) -> bool:
    """Whether what lies there may be the thing of the spot, by its label or, since a detector wavers, by its size."""
    return kit.label in spot.votes or 1 / ALIKE_AREAS <= (area(spot.box) + 1e-9) / (area(kit.box) + 1e-9) <= ALIKE_AREAS


def _rest(spot: Spot, kit: Kit, picture: Picture, watched: int, layout: Layout) -> bool:
    """The thing is still there; gives whether it is now judged otherwise."""
    spot.track, spot.box = kit.track, kit.box
    votes = spot.votes
    votes[kit.label] = votes.get(kit.label, 0.0) + kit.score
    where = picture.zones.lies(kit.zones)
    told_otherwise = len(votes) > 1 or where != (spot.zone, spot.walkway)
    if told_otherwise:
        (spot.zone, spot.walkway), spot.settled = where, False
    if spot.shown and spot.settled and kit.holder is None and not spot.near:
        spot.rested += watched
        spot.alone += watched
        return False
    if spot.attended and spot.shown and kit.holder is not None and not told_otherwise:
        spot.rested += watched
        spot.near += watched
        return False
    if spot.shown:
        spot.rested += watched
        spot.alone += watched
        if spot.near or kit.holder is not None:
            spot.near += watched
            if spot.near >= layout.thresholds_in(spot.zone).use_after:
                spot.alone = 0
    if kit.holder is None:
        spot.near = 0
    spot.shown, spot.unseen, spot.moved = True, 0, 0
    changed = _judge(spot, layout) or (told_otherwise and (spot.left_out or spot.hazard))
    spot.attended = (
        spot.near >= layout.thresholds_in(spot.zone).use_after
        and not (spot.alone or spot.left_out)
        and spot.hazard == (spot.walkway is not None)
    )
    return changed


def _is_gone(spot: Spot, picture: Picture, watched: int, layout: Layout) -> bool:
    """The thing was not found at rest in its place: whether it was taken, rather than covered or overlooked."""
    if spot.shown:
        spot.rested += watched  # a scene comes at once when something changes, so it was there until now
        spot.alone += watched
    spot.shown = False
    for kit in picture.kit:
        if kit.track == spot.track:
            if kit.home is not None or distance_in_sizes(spot.box, kit.box) > SAME_SIZES:
                return True
            spot.moved += watched
            return spot.moved > FLICKER_MS
    if any(overlap(reach, spot.box) >= 0 for reach, _ in picture.reaches):
        return False
    spot.unseen += watched
    return spot.unseen > layout.thresholds_in(spot.zone).gone_after


def _judge(spot: Spot, layout: Layout) -> bool:
    """Decide whether the thing is left out and whether it is a hazard; gives whether that changed."""
    left_out = spot.alone >= layout.thresholds_in(spot.zone).left_out_after and _has_home(spot, layout)
    hazard = spot.walkway is not None and spot.rested >= layout.thresholds_in(spot.walkway).walkway_after
    changed = (left_out, hazard) != (spot.left_out, spot.hazard)
    spot.settled = left_out == _has_home(spot, layout) and hazard == (spot.walkway is not None)
    spot.left_out, spot.hazard = left_out, hazard
    return changed


def _has_home(spot: Spot, layout: Layout) -> bool:
    """Whether the thing belongs elsewhere: a rack holds such things, or where it lies was drawn as to be cleared."""
    return (
        spot.label in layout.racked
        or None in layout.racked
        or layout.kinds.get(spot.zone or "") in ("floor", "walkway")
    )


def _detail(kind: AlertKind, zone: str | None, label: str, layout: Layout) -> str:
    thresholds = layout.thresholds_in(zone)
    if kind == "walkway":
        return f"{label} at rest in walkway {zone} for {seconds(thresholds.walkway_after)}"
    return f"{label} at rest for {seconds(thresholds.left_out_after)} with nobody in reach"
