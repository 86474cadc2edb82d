"""Boxes of a thing through a video, between the frames at which somebody drew them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.labelling.records import Corners


@dataclass(frozen=True, slots=True)
class Key:
    """A drawn box: the frame's number, counted from 0, and whether the thing is still there after it."""

    frame: int
    corners: Corners
    shown: bool = True
    """Whether it is seen in this frame."""
    goes_on: bool = True
    """Whether it is seen up to the next drawn frame."""


def between(keys: Sequence[Key], last: int | None = None) -> Iterator[tuple[int, Corners]]:
    """Frame and box for every frame in which the thing is seen, moved in a straight line between drawn ones.

    After the last drawn box it stays where it is up to frame `last`, where one is given.
    """
    if not keys:
        return
    ordered = sorted(keys, key=lambda key: key.frame)
    for key, following in zip(ordered, [*ordered[1:], None], strict=True):
        if key.shown:
            yield key.frame, key.corners
        if not (key.shown and key.goes_on):
            continue
        if following is None:
            for frame in range(key.frame + 1, (last if last is not None else key.frame) + 1):
                yield frame, key.corners
            continue
        gap = following.frame - key.frame
        end = following.corners if following.shown else key.corners
        for step in range(1, gap):
            share = step / gap
            x1, y1, x2, y2 = (a + (b - a) * share for a, b in zip(key.corners, end, strict=True))
            yield key.frame + step, (x1, y1, x2, y2)
