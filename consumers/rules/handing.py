"""Whose hands an item is in, and whether it has changed hands at a rack. See `docs/rules/kit.md`."""

from __future__ import annotations

from consumers.picture import Kit, Picture
from consumers.rules.stitching import COAST_MS, Item
from consumers.view import Sighting
from consumers.zones import overlap

HANDED_MS = 500
"""At rest in its rack for so long, a thing that comes out in another's hands was returned, and taken anew."""


def is_before_it(item: Item, found: Kit, picture: Picture) -> bool:
    """Whether what crosses a rack on the picture is in the hands of its user, who stands too far before the rack."""
    holder = found.holder
    if found.home is None or item.home or item.use is None or not item.use.session or holder is None:
        return False
    zone = picture.zones.zones[found.home]
    if zone.kind != "rack" or holder.track not in (item.holder, item.keeper):
        return False
    _, top, _, feet = holder.box
    return feet - max(y for _, y in zone.polygon) > feet - top


def is_kept(item: Item, holder: Sighting, picture: Picture) -> bool:
    """Whether who has had it is still in reach of it."""
    return holder.track == item.keeper or any(
        person.track == item.keeper and overlap(reach, item.box) >= 0 for reach, person in picture.reaches
    )


def is_taken_by_another(item: Item, found: Kit, picture: Picture) -> bool:
    """Whether what was put into a rack comes out of it with somebody else, while who had it is seen elsewhere."""
    use, holder = item.use, found.holder
    if use is None or not use.session or use.idle < HANDED_MS or holder is None:
        return False
    if item.keeper is None:  # they have left it
        return any(person.track == item.left_by and overlap(person.box, found.box) < 0 for person in picture.people)
    if not any(person.track == item.keeper for person in picture.people):
        return False
    return not is_kept(item, holder, picture)


def is_exchanged(item: Item, items: list[Item]) -> bool:
    """Whether a piece that left a rack in new hands is another one than went in, by what now lies in the rack.

    Then one came to lie where none lay before, and one that lay there is gone.
    """
    others = [other for other in items if other.use is None and other.home and other.label == item.label]
    around = item.homed - COAST_MS
    put = any(other.lost is None and not other.moving and other.since >= around for other in others)
    return put and any(other.lost is not None and other.lost_at >= around for other in others)
