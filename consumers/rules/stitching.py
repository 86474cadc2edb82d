"""Which of the items that were seen before each thing in a picture is.

Items have no identity beyond their tracks, and a track breaks whenever a hand covers the item: one that is lost is
stitched to a new track of its label that appears near by or with the same person. See `docs/rules/kit.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.picture import Kit, Picture
from consumers.rules.use import FLICKER_MS, Use
from consumers.view import Box
from consumers.zones import area, distance_in_sizes, grown, overlap

NEAR_SIZES = 1.5
"""An item's centre may be off by so many of its sizes and still be "near where it was last seen"."""

SAME_SIZES = 0.5
"""By no more than this, it is in the very place."""

ALIKE_AREAS = 3.0
"""Areas of a thing, seen under two labels, differ by no more than this factor."""

CALLED_SHARE = 0.2
"""A label that got so much of an item's score is one of its own: a detector that wavers comes back to it."""

COAST_MS = 1500
"""A tracker may show a track for so long after its last detection, where that was."""


@dataclass(slots=True)
class Item:
    """One item, by the track that shows it now."""

    track: str
    box: Box
    score: float
    moving: bool
    in_use: bool
    """As it was last seen."""
    votes: dict[str, float]
    """label -> sum of its scores"""
    lost: int | None = None
    """Watched milliseconds since it was last seen; None while it is in the newest picture."""
    holder: str | None = None
    """Track of the person in reach who overlapped it most when it was last seen."""
    keeper: str | None = None
    """Track of the person who has been in reach of it without a break, whoever else came by."""
    left_by: str | None = None
    """Track of the keeper who left it to rest last."""
    holder_box: Box | None = None
    holder_moves: bool = False
    former: dict[str, int] = field(default_factory=dict)
    """track -> when another one took its place, for tracks that are still shown."""
    former_box: Box | None = None
    """Where the last of these was shown then."""
    use: Use | None = None
    rack: str | None = None
    """The one that it was last seen in."""
    home: bool = False
    """That is where it was last seen."""
    home_at: int = 0
    """When it last lay there."""
    homed: int = 0
    """When it was last seen there, lying or on its way."""
    since: int = 0
    """When it was first seen."""
    lost_at: int = 0
    """When it was last missed first."""
    changed: int = 0
    """When its box or score last changed; a track that goes on without a detection shows the same ones."""
    apart: int = 0
    """In how many scenes it was really seen apart from another thing that the same hands use."""

    @property
    def label(self) -> str:
        """What it most probably is."""
        votes = self.votes
        return next(iter(votes)) if len(votes) == 1 else max(sorted(votes), key=votes.__getitem__)


def match(items: list[Item], picture: Picture, reach: float) -> dict[str, Kit]:
    """What is found, by the track of the item that it is (stitched ones too), or by its own when it is new."""
    _give_back(items, picture)
    kit = _without_former(items, picture)
    known = {item.track for item in items}
    matches = {found.track: found for found in kit}
    if matches.keys() <= known:
        return matches  # nearly always
    matches = {track: found for track, found in matches.items() if track in known}
    fresh = [(found, _tracks_near(found.box, picture)) for found in kit if found.track not in known]
    pairs = []
    for item in items if fresh else ():
        shown = matches.get(item.track)
        if shown is not None and not _is_coasting(item, shown):
            continue
        for position, (found, near) in enumerate(fresh):
            distance = distance_in_sizes(item.box, found.box)
            if item.use is None and item.home and found.home and not found.moving and distance > SAME_SIZES:
                continue  # each in its own place of the rack
            holder = found.holder.track if found.holder is not None else None
            asked = holder if found.moving or not is_called(item, found.label) else None  # put down: whoever is nearest
            if found.track not in item.former and may_be(item, found.label, found.box, distance, asked, picture, reach):
                order = (
                    shown is not None,
                    item.use is not None and not item.use.session,  # what may be nothing
                    item.in_use and item.holder not in near,
                    distance > SAME_SIZES,
                    item.label != found.label,
                    item.in_use and found.home is not None and not found.moving,  # another one may lie there
                    distance,
                    position,
                )
                pairs.append((order, item.track, found))
    pairs.sort(key=lambda pair: pair[:2])  # what is not shown goes first, and what is in the very place
    placed: set[str] = set()
    stitched: set[str] = set()
    for (was_shown, *_), track, found in pairs:
        if found.track not in stitched and track not in placed:
            stitched.add(found.track)
            placed.add(track)
            if was_shown:
                item = next(item for item in items if item.track == track)
                item.former[track], item.former_box = picture.time, item.box
            matches[track] = found
    _uncross(items, matches)
    matches.update({found.track: found for found, _ in fresh if found.track not in stitched})
    return matches


def _tracks_near(box: Box, picture: Picture) -> set[str]:
    """Tracks of the people in reach of a box."""
    return {person.track for reach, person in picture.reaches if overlap(reach, box) >= 0}


def _uncross(items: list[Item], matches: dict[str, Kit]) -> None:
    """Exchange what two items show, where each has the other's label: they met, and were found again crosswise."""
    odd = [item for item in items if item.track in matches and matches[item.track].label != item.label]
    for position, one in enumerate(odd):
        for other in odd[position + 1 :]:
            mine, theirs = matches[one.track], matches[other.track]
            if (mine.label, theirs.label) == (other.label, one.label):
                matches[one.track], matches[other.track] = theirs, mine


def _give_back(items: list[Item], picture: Picture) -> None:
    """Let an item go on with a track that it was thought to have left for another thing.

    A track that only goes on without a detection stays where it is; one that is found moving elsewhere was no such,
    if what took its place rests in a rack or has another label.
    """
    for item in items:
        if not item.former:
            continue
        shown = {found.track: found for found in picture.kit}
        track, since = next(reversed(item.former.items()))
        found, follower = shown.get(track), shown.get(item.track)
        if found is None or found.home is not None or not found.moving or found.box == item.former_box:
            continue
        other = (item.home and not item.moving) or (follower is not None and follower.label != found.label)
        if other and picture.time - since <= COAST_MS:
            del item.former[track]
            item.track, item.home = track, False


def _without_former(items: list[Item], picture: Picture) -> list[Kit]:
    """Without tracks that another one has followed and that the tracker goes on to show for a moment."""
    kit = picture.kit
    shown: set[str] = set()
    ignored: set[str] = set()
    for item in items:
        if item.former:
            shown = shown or {found.track for found in kit}
            item.former = {track: since for track, since in item.former.items() if track in shown}
            ignored |= {track for track, since in item.former.items() if picture.time - since <= COAST_MS}
    return [found for found in kit if found.track not in ignored] if ignored else kit


def _is_coasting(item: Item, shown: Kit) -> bool:
    """Whether a thing that moves is shown exactly as before: its track goes on without a detection."""
    return shown.moving and item.moving and shown.box == item.box and shown.score == item.score


def may_be(
    item: Item, label: str, box: Box, distance: float, holder: str | None, picture: Picture, reach: float
) -> bool:
    """Whether what appears is an item that is not seen any more.

    Of the same label: near where it was, or with the person who had it. Of another label, since a detector may change
    its mind about what a thing is: within a moment, of about its size, and in its very place or in the same hands.
    """
    use = item.use
    rests = use is not None and use.session and use.idle > COAST_MS  # what is swung crosses a rack on the picture, too
    if item.home and not item.moving and rests and distance > SAME_SIZES:
        return False  # it was returned: what is taken from the rack next has a use of its own
    if not is_called(item, label):
        if not is_alike(item.box, box) or (item.lost or 0) > FLICKER_MS:
            return False
        return distance <= SAME_SIZES or (item.in_use and _with_holder(item, box, holder, picture, reach))
    return distance <= NEAR_SIZES or _with_holder(item, box, holder, picture, reach)


def is_called(item: Item, label: str) -> bool:
    """Whether a label is one of those that the item is known by."""
    return item.votes.get(label, 0.0) >= CALLED_SHARE * sum(item.votes.values())


def is_alike(one: Box, other: Box) -> bool:
    """Whether two boxes are of about the size of one thing."""
    return 1 / ALIKE_AREAS <= (area(one) + 1e-9) / (area(other) + 1e-9) <= ALIKE_AREAS


def _with_holder(item: Item, box: Box, holder: str | None, picture: Picture, reach: float) -> bool:
    """Whether a box is in reach of who had the item: by track or, that one gone too, at the place they had.

    `holder` is who overlaps the box most: while one who had the item is in the picture, it has to be them, or nobody
    at the place that they have left just now, where they put it down.
    """
    if item.holder is None or item.holder_box is None:
        return False
    had = [person for person in picture.people if person.track in (item.holder, item.keeper)]
    if had:
        if holder is not None and holder not in (item.holder, item.keeper):
            return False
        if any(overlap(grown(person.box, reach), box) >= 0 for person in had):
            return True
        if not (item.in_use or item.moving) or (item.lost or 0) > COAST_MS:
            return False
    return overlap(grown(item.holder_box, reach), box) >= 0
