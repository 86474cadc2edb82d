"""Kit that several cameras of a place see: one use of one piece, told once and never summed.

Items have no identity across cameras. What joins their uses is where they are: of one label, in one zone (or both in
none) or from one rack, and seen by cameras of which neither has another piece in that use. See `docs/rules/kit.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from consumers.facts import SessionFact
from consumers.rules.kit import KitState
from consumers.rules.stitching import Item
from consumers.rules.use import Use, tell, update_if_due

JOIN_MS = 3000
"""A camera's use joins one that others saw not longer ago than this: cameras differ by moments, and what is taken from
a rack a little after another piece was put back is a use of its own."""


@dataclass(slots=True)
class Member:
    """One camera's own use, which is part of a joint one."""

    camera: str
    subject: str
    started: int
    active: int = 0
    """Of it, what is booked already."""
    score_sum: float = 0.0
    score_count: int = 0


@dataclass(slots=True)
class Joint:
    """A use as told of a place, with the cameras' own uses that it is made of now."""

    use: Use
    members: list[Member] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """The zones that the piece was used in, and racks that it came from, in any camera; `""` is outside all zones."""


def step(
    joints: list[Joint], camera: str, state: KitState, news: list[SessionFact], now: int
) -> tuple[list[Joint], list[SessionFact]]:
    """What a camera's kit rule found (`news`), as told of the place; `state` is the camera's after it."""
    facts: list[SessionFact] = []
    items = {(item.use.subject, item.use.started): item for item in state.items if item.use is not None}
    for joint in joints:
        for member in joint.members:
            item = items.get((member.subject, member.started)) if member.camera == camera else None
            if item is not None and item.use is not None:
                _book(joint, member, item.use)
    for fact in news:
        if fact.type == "started":
            facts += _begin(joints, camera, fact, items[fact.subject, fact.started])
        elif fact.type == "ended":
            facts += _end(joints, camera, fact)
    joints = [joint for joint in joints if joint.members]
    for joint in joints:
        update = update_if_due(joint.use, now)
        if update is not None:
            facts.append(update)
    return joints, facts


def part(joints: list[Joint], kit: Mapping[str, KitState], known: Collection[str]) -> list[Joint]:
    """The uses that go with some cameras of a place that is parted, those of `kit`; `known` are the layout's cameras.

    A use goes with the first of its cameras that the layout still has. What another one saw of it was told with it, so
    that camera begins anew.
    """
    own: list[Joint] = []
    for joint in joints:
        home = next((member.camera for member in joint.members if member.camera in known), joint.members[0].camera)
        here = [member for member in joint.members if member.camera in kit]
        if home in kit:
            own.append(replace(joint, members=here))
            continue
        for member in here:
            item = _item(member, kit[member.camera])
            if item is not None:
                item.use = None
    return own


def dissolve(joints: list[Joint], kit: KitState | None) -> list[SessionFact]:
    """Let the items of a place's only camera go on with its joint uses; those that none of them has are over."""
    facts: list[SessionFact] = []
    for joint in joints:
        found = [_item(member, kit) for member in joint.members if kit is not None]
        item = next((item for item in found if item is not None), None)
        if item is None or item.use is None:
            facts.append(tell(joint.use, "ended", "layout"))
        else:
            joint.use.idle = item.use.idle
            item.use = joint.use
    return facts


def _item(member: Member, kit: KitState) -> Item | None:
    """The item whose use a member is."""
    for item in kit.items:
        if item.use is not None and (item.use.subject, item.use.started) == (member.subject, member.started):
            return item
    return None


def _begin(joints: list[Joint], camera: str, fact: SessionFact, item: Item) -> list[SessionFact]:
    """A camera's own use begins: it joins one that other cameras see already, or is a new one."""
    use = item.use
    assert use is not None
    places = {use.zone or "", *((item.rack,) if item.rack is not None else ())}
    member = Member(camera, fact.subject, fact.started)
    fitting = [
        joint
        for joint in joints
        if joint.use.equipment == fact.equipment
        and places & {*joint.places}
        and all(other.camera != camera for other in joint.members)
        and fact.started - joint.use.last <= JOIN_MS
    ]
    if fitting:
        joint = max(fitting, key=lambda joint: (joint.use.last, -joint.use.started, joint.use.subject))
        joint.members.append(member)
        joint.places = sorted(places | {*joint.places})
        _book(joint, member, use)
        return []
    member.active, member.score_sum, member.score_count = use.active, use.score_sum, use.score_count
    joints.append(Joint(replace(use, cameras=list(use.cameras or ())), [member], sorted(places)))
    return [fact]


def _end(joints: list[Joint], camera: str, fact: SessionFact) -> list[SessionFact]:
    """A camera's own use ends; the joint one does when no camera sees it any more."""
    for joint in joints:
        for member in joint.members:
            if (member.camera, member.subject, member.started) == (camera, fact.subject, fact.started):
                _add(joint.use, fact.active - member.active, fact.ended or joint.use.last)
                joint.members.remove(member)
                return [] if joint.members else [tell(joint.use, "ended", fact.ended_by)]
    return [fact]  # of a time when the camera was a place by itself


def _book(joint: Joint, member: Member, use: Use) -> None:
    """Add what a camera has seen of the use since it was last asked."""
    joint_use = joint.use
    _add(joint_use, use.active - member.active, use.last)
    joint_use.score_sum += use.score_sum - member.score_sum
    joint_use.score_count += use.score_count - member.score_count
    member.active, member.score_sum, member.score_count = use.active, use.score_sum, use.score_count
    if member is joint.members[0]:
        joint_use.equipment = use.equipment
    if member.camera not in (joint_use.cameras or ()):
        joint_use.cameras = [*(joint_use.cameras or ()), member.camera]


def _add(use: Use, active: int, last: int) -> None:
    """Book seconds that a camera saw; those that another one saw too count once."""
    use.active += max(0, min(active, last - use.last))
    use.last = max(use.last, last)
