"""Kit sessions: a portable item is in use while it moves, or a person is in reach of it, outside its rack.

An item that a hand covers is the same one afterwards, by `stitching`. See `docs/rules/kit.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.facts import SessionFact
from consumers.layout import Layout
from consumers.picture import Kit, Picture
from consumers.rules.handing import is_before_it, is_exchanged, is_kept, is_taken_by_another
from consumers.rules.stitching import COAST_MS, SAME_SIZES, Item, is_alike, is_called, match, may_be
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
from consumers.zones import distance_in_sizes, overlap
from spotter.events import EndedBy

VOTES_BEFORE = 3.0
"""What was seen before a use says no more about the label than so many scenes of it."""

RETURNED_MS = 3000
"""At rest in its rack for so long, a thing was returned: whatever is taken from there next may be another one."""

APART_SCENES = 3
"""In so many scenes two things in the same hands must really be seen apart, to be two and not one that is swung."""


@dataclass(slots=True)
class KitState:
    """The items that one camera sees, or saw until a moment ago."""

    items: list[Item] = field(default_factory=list)


def step(state: KitState, picture: Picture, watched: int, layout: Layout) -> tuple[KitState, list[SessionFact]]:
    """Take a picture of the camera into account; `watched` are the milliseconds before it in which it really looked."""
    facts: list[SessionFact] = []
    turn = _Turn(state, picture, watched, layout, facts)
    if _is_as_before(state.items, picture.kit):  # nearly always
        for item, shown in zip(state.items, picture.kit, strict=True):
            _see(turn, item, shown)
        _settle(turn)
        return state, facts
    _forget_lost(turn)
    found = match(state.items, picture, layout.thresholds.reach)
    for item in state.items:
        sighting = found.pop(item.track, None)
        if sighting is None:
            _miss(turn, item)
        else:
            _see(turn, item, sighting)
    for sighting in found.values():
        item = Item(
            sighting.track, sighting.box, sighting.score, moving=False, in_use=False, votes={}, since=picture.time
        )
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


def _is_as_before(items: list[Item], kit: list[Kit]) -> bool:
    """Whether the very tracks are shown that the items had, none lost and none followed by another."""
    if len(items) != len(kit):
        return False
    for item, found in zip(items, kit, strict=True):
        if item.track != found.track or item.lost is not None or item.former:
            return False
    return True


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
            if item.lost > turn.thresholds(item.use).lost_after and not _is_pending(turn, item):
                if item.use is not None and item.use.session:
                    _unbook_coasting(item, item.use)
                    turn.facts.append(tell(item.use, "ended", "lost"))
                continue
        kept.append(item)
    turn.state.items = kept


def _is_pending(turn: _Turn, item: Item) -> bool:
    """Whether a candidate that appeared in time may still turn out to be the lost item."""
    if item.lost is None or item.use is None or not item.use.session:
        return False
    thresholds = turn.thresholds(item.use)
    for other in turn.state.items:
        if other.use is not None and not other.use.session:
            age = turn.picture.time - other.use.started
            if item.lost - age <= thresholds.lost_after and age <= 2 * thresholds.use_after:
                return True
    return False


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
        if item.home and not found.moving:
            item.home_at = now
        return
    home = found.home if found.home is None or not is_before_it(item, found, turn.picture) else None
    in_use = (found.moving or holder is not None) and home is None
    if found.box != item.box or found.score != item.score or item.lost is not None or not item.votes:
        item.changed = now
    if item.home and in_use and is_taken_by_another(item, found, turn.picture):
        _end_returned(turn, item)
    if item.lost is None:
        used = item.in_use and (in_use or item.moving or not _walked_off(turn, item))
        _spend(turn, item, used=used, returned=home is not None and not found.moving)
    elif item.in_use and in_use:
        _bridge(item.use, item.lost)
    elif not (item.in_use or item.home or in_use) and distance_in_sizes(item.box, found.box) <= SAME_SIZES:
        _rest(turn, item, item.lost)  # it was only not seen
    item.track, item.box, item.score, item.moving = found.track, found.box, found.score, found.moving
    item.in_use, item.lost, item.home = in_use, None, home is not None
    if home is not None:
        item.rack, item.homed, item.home_at = home, now, item.home_at if found.moving else now
    item.votes[found.label] = item.votes.get(found.label, 0.0) + found.score
    if holder is not None and not (item.home and item.use is not None and item.use.session):
        item.holder, item.holder_box, item.holder_moves = holder.track, holder.box, holder.moving
        if not is_kept(item, holder, turn.picture):
            if item.keeper is not None and now - item.homed <= RETURNED_MS and is_exchanged(item, turn.state.items):
                _end_at_the_rack(turn, item)
            item.keeper = holder.track
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


def _bridge(use: Use | None, unseen: int) -> None:
    """Book a moment in which a thing in use was not seen, such as what is swung fast, as use of its session."""
    if use is not None and use.session and unseen <= COAST_MS:
        use.active += unseen


def _unbook_coasting(item: Item, use: Use) -> None:
    """Take back the time for which a track of something moving was shown on though nothing was found of it."""
    coasted = use.last - item.changed
    if item.moving and 0 < coasted <= COAST_MS:
        use.last -= coasted
        use.active = max(0, use.active - coasted)


def _spend(turn: _Turn, item: Item, *, used: bool, returned: bool = False) -> None:
    """Book the watched time before this scene as use or as rest; `returned`: it rests in its rack."""
    use = item.use
    if use is None:
        return
    if used:
        spend_used(use, turn.watched, turn.picture.time if turn.watched else use.last)
    else:
        _rest(turn, item, turn.watched, returned=returned)


def _rest(turn: _Turn, item: Item, watched: int, *, returned: bool = False) -> None:
    """Book watched milliseconds as rest, and end a use that has rested for long enough."""
    use = item.use
    if use is None:
        return
    use.idle += watched
    if use.idle > COAST_MS:
        item.left_by = item.keeper or item.left_by
        item.holder = item.keeper = item.holder_box = None  # they have left it: what they hold next is another one
    rest_after = turn.thresholds(use).rest_after
    if use.session and use.idle >= (min(rest_after, RETURNED_MS) if returned else rest_after):
        item.use = None
        turn.facts.append(tell(use, "ended", "rest"))
    elif not use.session and use.idle > FLICKER_MS:
        item.use = None


def _end_returned(turn: _Turn, item: Item) -> None:
    """End the use of what was put away; whose hands it was in says nothing about what comes next."""
    if item.use is not None:
        turn.facts.append(tell(item.use, "ended", "rest"))
    item.use = item.holder = item.keeper = item.holder_box = None


def _end_at_the_rack(turn: _Turn, item: Item) -> None:
    """End the use of what was put away while its track went on with another piece, which has been used since then."""
    use = item.use
    if use is None or not use.session:
        return
    after = max(0, use.last - item.homed)
    begun = Use(f"{turn.picture.camera}/{item.track}", item.label, None, item.homed, item.homed + after, after)
    use.last, use.active = use.last - after, max(0, use.active - after)
    turn.facts.append(tell(use, "ended", "rest"))
    begun.zone, begun.cameras, begun.score_sum, begun.score_count = use.zone, use.cameras, use.confidence, 1
    item.use = begun


def _settle(turn: _Turn) -> None:
    """Join candidates to the uses that they go on with, and make sessions of those that have lasted.

    A tracker may begin a new track while it still shows the old one, or find the thing under a wrong label first. So
    a candidate takes over from an item that was lost a moment ago, and, when it would be a session, from one before.
    """
    for item in tuple(turn.state.items):
        use = item.use
        if use is None or use.session:
            continue
        thresholds = turn.thresholds(use)
        due = use.active >= thresholds.use_after and use.confidence >= thresholds.use_confidence
        for other in turn.state.items:
            if other is item or other.use is None:
                continue
            if _has_jumped(turn, other, item):
                _take_over(item, other)
                break
            if other.lost is None or not (due or other.lost <= COAST_MS):
                continue
            if item.home_at >= other.lost_at and item.home_at > item.since:
                continue  # it lay in its rack when the other one was gone already
            if use.started <= other.changed and not is_called(other, item.label):
                continue  # both were really seen at once, and it was called otherwise
            distance = distance_in_sizes(other.box, item.box)
            if item.lost is None and may_be(
                other, item.label, item.box, distance, item.holder, turn.picture, turn.layout.thresholds.reach
            ):
                _take_over(item, other)
                turn.state.items.remove(other)  # it is the same thing: its track, should it come back, is this one's
                break
        use = item.use
        if use is None or use.session or item.lost is not None or not _is_apart(turn, item, due=due):
            continue
        if use.confidence >= thresholds.use_confidence:
            turn.add(begin_if_due(use, turn.picture.time, thresholds.use_after, turn.layout.version))


def _has_jumped(turn: _Turn, other: Item, item: Item) -> bool:
    """Whether a track in use has gone over to a thing in a rack, and left its own to a new one in the same hands.

    Nobody puts a thing away and takes the next one within a second. Where others are in reach of it, too, it may be
    theirs.
    """
    use = other.use
    if use is None or not use.session or not other.home or other.lost is not None or use.idle > FLICKER_MS:
        return False
    if item.lost is not None or item.label != other.label:
        return False
    near = {person.track for reach, person in turn.picture.reaches if overlap(reach, item.box) >= 0}
    return bool(near) and near <= {other.holder, other.keeper}


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
        and other.keeper == item.keeper
        and (other.label == item.label or is_alike(item.box, other.box))
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
    _bridge(session, max(0, use.started - session.last))
    session.last, session.idle = max(session.last, use.last), 0
    session.active = min(session.active + max(0, use.active - both), session.last - session.started)
    session.score_sum += use.score_sum
    session.score_count += use.score_count
    item.use, other.use = session, None
    for label, votes in other.votes.items():
        item.votes[label] = item.votes.get(label, 0.0) + votes
    session.equipment = item.label
