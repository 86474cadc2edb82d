"""Kit sessions: a portable item is in use while it moves, or a person is in reach of it, outside its rack.

Items have no identity beyond their tracks, and a track breaks whenever a hand covers the item: an item that is lost
is stitched to a new track of its label that appears near by or with the same person. See `docs/rules/kit.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import SessionFact
from consumers.layout import Layout
from consumers.picture import Kit, Picture
from consumers.rules.thresholds import Thresholds
from consumers.rules.use import (
    FLICKER_MS,
    Use,
    begin_if_due,
    see_used,
    spend_used,
    tell,
    update_if_due,
)
from consumers.view import Box
from consumers.zones import area, distance_in_sizes, grown, overlap
from spotter.events import EndedBy

NEAR_SIZES = 1.5
"""An item's centre may be off by so many of its sizes and still be "near where it was last seen"."""

SAME_SIZES = 0.5
"""By no more than this, it is in the very place."""

ALIKE_AREAS = 3.0
"""Areas of a thing, seen under two labels, differ by no more than this factor."""

CALLED_SHARE = 0.2
"""A label that got so much of an item's score is one of its own: a detector that wavers comes back to it."""

VOTES_BEFORE = 3.0
"""What was seen before a use says no more about the label than so many scenes of it."""

COAST_MS = 1500
"""A tracker may show a track for so long after its last detection, where that was."""

RETURNED_MS = 3000
"""At rest in its rack for so long, a thing was returned: whatever is taken from there next may be another one."""

APART_SCENES = 3
"""In so many scenes two things in the same hands must really be seen apart, to be two and not one that is swung."""


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
    """Track of the person who was last in reach of it."""
    holder_box: Box | None = None
    holder_moves: bool = False
    former: dict[str, int] = field(default_factory=dict)
    """track -> when another one took its place, for tracks that are still shown."""
    use: Use | None = None
    rack: str | None = None
    """The one that it was last seen in."""
    home: bool = False
    """That is where it was last seen."""
    home_at: int = 0
    """When it was last seen there."""
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


@dataclass(slots=True)
class KitState:
    """The items that one camera sees, or saw until a moment ago."""

    items: list[Item] = field(default_factory=list)


def step(state: KitState, picture: Picture, watched: int, layout: Layout) -> tuple[KitState, list[SessionFact]]:
    """Take a picture of the camera into account; `watched` are the milliseconds before it in which it really looked."""
    facts: list[SessionFact] = []
    turn = _Turn(state, picture, watched, layout, facts)
    _forget_lost(turn)
    found = _match(turn, _without_former(turn, picture.kit))
    for item in state.items:
        sighting = found.pop(item.track, None)
        if sighting is None:
            _miss(turn, item)
        else:
            _see(turn, item, sighting)
    for sighting in found.values():
        item = Item(sighting.track, sighting.box, sighting.score, moving=False, in_use=False, votes={})
        state.items.append(item)
        _see(turn, item, sighting)
    _settle(turn)
    return state, facts


def end(state: KitState, ended_by: EndedBy) -> list[SessionFact]:
    """End all open sessions and forget the items, such as when the camera is lost."""
    uses = [item.use for item in state.items if item.use is not None and item.use.session]
    state.items = []
    return [tell(use, "ended", ended_by) for use in uses]


@dataclass(slots=True)
class _Turn:
    """One scene, with what it is taken into."""

    state: KitState
    picture: Picture
    watched: int
    layout: Layout
    facts: list[SessionFact]

    def thresholds(self, use: Use | None) -> Thresholds:
        """Those that hold where the use is."""
        return self.layout.thresholds_in(use.zone if use is not None else None)

    def add(self, fact: SessionFact | None) -> None:
        if fact is not None:
            self.facts.append(fact)


def _forget_lost(turn: _Turn) -> None:
    """Let more time pass for the items that are not seen, and end what nobody found again."""
    for item in turn.state.items:
        if item.lost is not None:
            break
    else:
        return
    kept = []
    for item in turn.state.items:
        if item.lost is not None:
            item.lost += turn.watched
            if item.home and not item.moving:
                _spend(turn, item, used=False, returned=True)  # somebody stands before the rack that it is back in
            if item.lost > turn.thresholds(item.use).lost_after:
                if item.use is not None and item.use.session:
                    turn.facts.append(tell(item.use, "ended", "lost"))
                continue
        kept.append(item)
    turn.state.items = kept


def _without_former(turn: _Turn, kit: list[Kit]) -> list[Kit]:
    """Without tracks that another one has followed and that the tracker goes on to show for a moment."""
    shown: set[str] = set()
    ignored: set[str] = set()
    for item in turn.state.items:
        if item.former:
            shown = shown or {found.track for found in kit}
            item.former = {track: since for track, since in item.former.items() if track in shown}
            ignored |= {track for track, since in item.former.items() if turn.picture.time - since <= COAST_MS}
    return [found for found in kit if found.track not in ignored] if ignored else kit


def _match(turn: _Turn, kit: list[Kit]) -> dict[str, Kit]:
    """What is found, by the track of the item that it is (stitched ones too), or by its own when it is new."""
    known = {item.track for item in turn.state.items}
    matches = {found.track: found for found in kit}
    if matches.keys() <= known:
        return matches  # nearly always
    matches = {track: found for track, found in matches.items() if track in known}
    fresh = [found for found in kit if found.track not in known]
    pairs = []
    for item in turn.state.items if fresh else ():
        shown = matches.get(item.track)
        if shown is not None and not _is_coasting(item, shown):
            continue
        for position, found in enumerate(fresh):
            distance = distance_in_sizes(item.box, found.box)
            holder = found.holder.track if found.holder is not None else None
            if found.track not in item.former and _may_be(turn, item, found.label, found.box, distance, holder):
                order = (shown is not None, distance > SAME_SIZES, item.label != found.label, distance, position)
                pairs.append((order, item.track, found))
    pairs.sort(key=lambda pair: pair[:2])  # what is not shown goes first, and what is in the very place
    placed: set[str] = set()
    stitched: set[str] = set()
    for (was_shown, *_), track, found in pairs:
        if found.track not in stitched and track not in placed:
            stitched.add(found.track)
            placed.add(track)
            if was_shown:
                next(item for item in turn.state.items if item.track == track).former[track] = turn.picture.time
            matches[track] = found
    matches.update({found.track: found for found in fresh if found.track not in stitched})
    return matches


def _is_coasting(item: Item, shown: Kit) -> bool:
    """Whether a thing that moves is shown exactly as before: its track goes on without a detection."""
    return shown.moving and item.moving and shown.box == item.box and shown.score == item.score


def _may_be(turn: _Turn, item: Item, label: str, box: Box, distance: float, holder: str | None) -> bool:
    """Whether what appears is an item that is not seen any more.

    Of the same label: near where it was, or with the person who had it. Of another label, since a detector may change
    its mind about what a thing is: within a moment, of about its size, and in its very place or in the same hands.
    """
    if item.home and item.use is not None and item.use.session and distance > SAME_SIZES:
        return False  # it was returned: what is taken from the rack next has a use of its own
    if item.votes.get(label, 0.0) < CALLED_SHARE * sum(item.votes.values()):
        if not _is_alike(item.box, box) or (item.lost or 0) > FLICKER_MS:
            return False
        return distance <= SAME_SIZES or (item.in_use and _with_holder(turn, item, box, holder))
    return distance <= NEAR_SIZES or _with_holder(turn, item, box, holder)


def _is_alike(one: Box, other: Box) -> bool:
    return 1 / ALIKE_AREAS <= (area(one) + 1e-9) / (area(other) + 1e-9) <= ALIKE_AREAS


def _with_holder(turn: _Turn, item: Item, box: Box, holder: str | None) -> bool:
    """Whether a box is in reach of who had the item: by track or, that one gone too, at the place they had.

    `holder` is who overlaps the box most: while the item's own is in the picture, it has to be them.
    """
    if item.holder is None or item.holder_box is None:
        return False
    for person in turn.picture.people:
        if person.track == item.holder:
            if holder is not None and holder != item.holder:
                return False
            return overlap(grown(person.box, turn.layout.thresholds.reach), box) >= 0
    return overlap(grown(item.holder_box, turn.layout.thresholds.reach), box) >= 0


def _miss(turn: _Turn, item: Item) -> None:
    """The item is not in this picture."""
    if item.lost is not None:
        return
    item.lost, item.lost_at = 0, turn.picture.time
    # A scene comes at once when something disappears, so it was there, and as it was, until now.
    _spend(turn, item, used=item.in_use)


def _see(turn: _Turn, item: Item, found: Kit) -> None:
    """The item is in this picture, as `found`."""
    holder, now = found.holder, turn.picture.time
    if item.use is None and holder is None and (found.home is not None or not found.moving):  # nearly always
        item.track, item.box, item.score, item.moving = found.track, found.box, found.score, found.moving
        item.in_use, item.lost, item.rack, item.home = False, None, found.home or item.rack, found.home is not None
        item.votes[found.label] = item.votes.get(found.label, 0.0) + found.score
        item.home_at = now if item.home else item.home_at
        return
    in_use = (found.moving or holder is not None) and found.home is None
    if found.box != item.box or found.score != item.score or item.lost is not None or not item.votes:
        item.changed = now
    if item.lost is None:
        used = item.in_use and (in_use or item.moving or not _walked_off(turn, item))
        _spend(turn, item, used=used, returned=found.home is not None and not found.moving)
    item.track, item.box, item.score, item.moving = found.track, found.box, found.score, found.moving
    item.in_use, item.lost, item.home = in_use, None, found.home is not None
    if found.home is not None:
        item.rack, item.home_at = found.home, now
    item.votes[found.label] = item.votes.get(found.label, 0.0) + found.score
    if holder is not None:
        item.holder, item.holder_box, item.holder_moves = holder.track, holder.box, holder.moving
    if not in_use:
        return
    if item.use is None:
        item.apart = 0
        _weigh_down(item.votes)
        item.use = Use(
            subject=f"{turn.picture.camera}/{found.track}",
            equipment=item.label,
            unit=None,
            zone=turn.picture.zones.place_of(found.box, holder.box if holder else None),
            started=now,
            last=now,
        )
    item.use.equipment = item.label
    see_used(item.use, now, found.score, turn.picture.camera)
    turn.add(update_if_due(item.use, now))


def _weigh_down(votes: dict[str, float]) -> None:
    total = sum(votes.values())
    if total > VOTES_BEFORE:
        for label in votes:
            votes[label] *= VOTES_BEFORE / total


def _walked_off(turn: _Turn, item: Item) -> bool:
    """Whether the holder went out of reach somewhere before this scene.

    A holder who was at rest, or is not found any more, was there until now: a scene comes at once when someone starts
    to move or disappears. So is kit that moved and has stopped.
    """
    return item.holder_moves and any(person.track == item.holder for person in turn.picture.people)


def _spend(turn: _Turn, item: Item, *, used: bool, returned: bool = False) -> None:
    """Book the watched time before this scene as use or as rest; `returned`: it rests in its rack."""
    use = item.use
    if use is None:
        return
    if used:
        spend_used(use, turn.watched, turn.picture.time if turn.watched else use.last)
        return
    use.idle += turn.watched
    rest_after = turn.thresholds(use).rest_after
    if use.session and use.idle >= (min(rest_after, RETURNED_MS) if returned else rest_after):
        item.use = None
        turn.facts.append(tell(use, "ended", "rest"))
    elif not use.session and use.idle > FLICKER_MS:
        item.use = None


def _settle(turn: _Turn) -> None:
    """Join candidates to the uses that they go on with, and make sessions of those that have lasted.

    A tracker may begin a new track while it still shows the old one, or find the thing under a wrong label first. So
    a candidate takes over from an item that is lost now, and, when it would be a session, from one lost before.
    """
    for item in turn.state.items:
        use = item.use
        if use is None or use.session:
            continue
        thresholds = turn.thresholds(use)
        due = use.active >= thresholds.use_after and use.confidence >= thresholds.use_confidence
        for other in turn.state.items:
            if other is item or other.use is None or other.lost is None or not (due or other.lost == 0):
                continue
            if item.home_at >= other.lost_at:
                continue  # it lay in its rack when the other one was gone already
            distance = distance_in_sizes(other.box, item.box)
            if item.lost is None and _may_be(turn, other, item.label, item.box, distance, item.holder):
                _take_over(item, other)
                break
        use = item.use
        if use is None or use.session or not _is_apart(turn, item, due=due):
            continue
        if use.confidence >= thresholds.use_confidence:
            turn.add(begin_if_due(use, turn.picture.time, thresholds.use_after, turn.layout.version))


def _is_apart(turn: _Turn, item: Item, *, due: bool) -> bool:
    """Whether a candidate is a thing of its own beside those that the same hands use.

    A thing that is swung leaves tracks behind it that go on for a moment without a detection. The candidate that is
    really seen goes on with the use of one that is not; two that are really seen, apart from each other, are two.
    """
    now = turn.picture.time
    rivals = [
        other
        for other in turn.state.items
        if other is not item
        and other.use is not None
        and other.lost is None
        and other.holder is not None
        and other.holder == item.holder
        and (other.label == item.label or _is_alike(item.box, other.box))
    ]
    if not rivals:
        return True
    enough = turn.thresholds(item.use).use_confidence
    if item.apart < APART_SCENES and _is_seen(item, now) and item.score >= enough:
        seen = (other for other in rivals if _is_seen(other, now) and other.score >= enough)
        item.apart += any(overlap(item.box, other.box) < 0 for other in seen)
    sessions = [other for other in rivals if other.use is not None and other.use.session]
    if not sessions or item.apart >= APART_SCENES:
        return True
    if due and _is_seen(item, now):
        for other in sessions:
            if not _is_seen(other, now):
                _take_over(item, other)
                break
    return False


def _is_seen(item: Item, now: int) -> bool:
    """Whether the thing is really seen: its box is a new one, or the same for longer than a track goes on without."""
    return item.changed == now or now - item.changed > COAST_MS


def _take_over(item: Item, other: Item) -> None:
    """Go on with the use of a lost item; time in which both were seen counts once."""
    session, use = other.use, item.use
    if session is None or use is None:
        return
    if not session.session and session.started > use.started:
        session, use = use, session
    both = max(0, min(session.last, use.last) - max(session.started, use.started))
    session.last, session.idle = max(session.last, use.last), 0
    session.active = min(session.active + max(0, use.active - both), session.last - session.started)
    session.score_sum += use.score_sum
    session.score_count += use.score_count
    item.use, other.use = session, None
    for label, votes in other.votes.items():
        item.votes[label] = item.votes.get(label, 0.0) + votes
    session.equipment = item.label
