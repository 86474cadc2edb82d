"""Follows objects from frame to frame: detections in, tracks with ids that are never used again out.

Association is ByteTrack's (the `trackers` library), with buffered IoU, because a swung kettlebell moves further
between two looks than its own size. People and kit are followed apart, so that a person is never taken for an item.
Time stamps drive everything; how many frames a second come does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from pipeline.capture import Frame
from pipeline.movement import Movement

if TYPE_CHECKING:
    from pipeline.association import KitLikeness

PERSON = "person"

FAINT_SCORE = 0.2
"""A box this faint may continue a track; beginning one takes the settings' confidence."""

FAINT_SECONDS = 2.0
"""For so long after it was last clear, faint boxes hold a track in the scene: a hand hides an item no longer, but what
looks a little like one would keep a ghost alive for ever."""

LOST_SECONDS = 2.0
"""For so long a track that is not seen keeps its id; after that a new one begins."""

COAST_SECONDS = 0.4
"""An object that is missed for less stays in the scene: detectors flicker. Not more, for it is said to be there.
When several are there and all are missed at once, that is no flicker: the light went out, or the picture was cut."""

EDGE_SECONDS = 5.0
"""Who was last seen at the picture's edge is blurred in previews for so long: a part of them may still be in it, too
little for the detector."""

_EDGE_PIXELS = 4  # a box so near to the picture's edge has left through it when it is gone, so it never coasts
_SAME_ITEM_IOU = 0.5  # kit boxes of different labels that overlap so much are one item
_RENAMED_BY = 2.0  # times the evidence for the old label
_SETTLED_SECONDS = 1.0  # seen at rest for so long, a thing lies; a swing turns within less
_ECHO_SIZES = 4.0  # how far, in its longer sides, a thing leaps at most from one track to another of its own
_ECHO_LOOKS = 2  # at so many looks the other one was seen, before that says anything
_EVIDENCE_SECONDS = 2.5  # scores for a label fade with this time constant

_PERSON_BUFFER, _KIT_BUFFER = 0.3, 1.2  # of the box's size on each side; measured on real clips, see docs/pipeline.md


@dataclass(frozen=True, slots=True)
class Track:
    """One followed object in one frame."""

    id: str
    label: str
    score: float
    box_px: tuple[float, float, float, float]
    moving: bool
    since: datetime


@dataclass
class _Followed:
    """What is kept of a track between frames."""

    id: str
    label: str
    since: datetime
    movement: Movement
    seen_at: float
    clear_at: float
    """When it was last seen with a score that could begin a track."""
    score: float = 0.0
    box: NDArray[np.float32] = field(default_factory=lambda: np.zeros(4, dtype=np.float32))
    at_edge: bool = False
    """Whether it was last seen at the picture's edge, perhaps only in part."""
    missing_since: float | None = None
    gone: bool = False
    """Missing for too long to be said to be there; the id is kept, should it be found again soon."""
    evidence: dict[str, float] = field(default_factory=dict)
    moved_at: float = 0.0
    """When it was last seen moving, or began."""
    looks: int = 0
    """At how many looks it was seen."""
    beside: set[int] = field(default_factory=set)
    """Tracks that were seen at the same look as this one, ever."""

    @property
    def coasts(self) -> bool:
        """Missing, but still said to be there."""
        return self.missing_since is not None and not self.gone

    def lose(self) -> None:
        """It is no longer said to be there."""
        self.gone, self.movement.moving = True, False


class Tracker:
    """The tracks of one camera."""

    def __init__(self, *, id_prefix: str, confidence: float, fps: float, given: bool = False) -> None:
        """`given`: detections come with the numbers of tracks (`tracker_id`) that the engine follows itself."""
        self._prefix, self._count = id_prefix, 0
        person: Any = Given()
        kit: Any = Given()
        likeness: KitLikeness | None = None
        if not given:
            from trackers.utils.iou import BIoU  # not on an NVIDIA box: it wants another NumPy than pyds

            from pipeline import association

            likeness = association.KitLikeness(_KIT_BUFFER)  # people have one label, and do not lie about
            person = association.byte_track(BIoU(_PERSON_BUFFER), confidence, fps, LOST_SECONDS)
            kit = association.byte_track(likeness, confidence, fps, LOST_SECONDS)
        self._groups = (
            _Group(person, confidence, whole_box=False, likeness=None),
            _Group(kit, confidence, whole_box=True, likeness=likeness),
        )

    def update(self, frame: Frame, detections: sv.Detections) -> tuple[Track, ...]:
        """The objects in this frame, oldest first. `detections` have `class_name` and scores from `FAINT_SCORE` up."""
        scores = np.asarray(detections.confidence, dtype=np.float32)
        is_person = _names(detections) == PERSON
        people, kit = self._groups
        followed = people.update(frame, _chosen(detections, is_person & (scores >= FAINT_SCORE)), self._next_id)
        items = _chosen(detections, ~is_person & (scores >= FAINT_SCORE))
        followed += kit.update(frame, items.with_nms(_SAME_ITEM_IOU, class_agnostic=True), self._next_id)
        if len(followed) > 1 and all(one.coasts for one in followed):
            for one in followed:
                one.lose()
            followed = []
        return tuple(
            Track(one.id, one.label, one.score, _as_tuple(one.box), one.movement.moving, one.since)
            for one in sorted(followed, key=lambda one: one.since)
        )

    @property
    def restless(self) -> bool:
        """Whether anything moves, or is not certain to be there or gone: then the next frame matters."""
        return any(group.restless for group in self._groups)

    def person_boxes(self, at: float, seconds: float) -> list[NDArray[np.float32]]:
        """Last boxes (pixels) of all people seen in the last `seconds` (`EDGE_SECONDS` at an edge)."""
        people = self._groups[0]
        return [
            one.box
            for one in (*people.followed.values(), *people.left)
            if at - one.seen_at <= (EDGE_SECONDS if one.at_edge else seconds)
        ]

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"


class _Group:
    """Objects that may be taken for each other."""

    def __init__(self, tracker: Any, confidence: float, *, whole_box: bool, likeness: KitLikeness | None) -> None:
        """`likeness` is what a tracker of ours goes by for kit: it is told what is known of the tracks."""
        self.followed: dict[int, _Followed] = {}
        self.left: list[_Followed] = []
        """Let go of within the last `EDGE_SECONDS` at the picture's edge."""
        self._whole_box, self._confidence = whole_box, confidence
        self._tentative = False
        self._previous: datetime | None = None
        self._tracker, self._likeness = tracker, likeness

    @property
    def restless(self) -> bool:
        return self._tentative or any(one.movement.moving or one.coasts for one in self.followed.values())

    def update(self, frame: Frame, detections: sv.Detections, next_id: Callable[[], str]) -> list[_Followed]:
        if self._likeness is not None:
            self._likeness.expect(self._predicted, np.asarray(detections.xyxy, dtype=np.float64), _names(detections))
        tracked = self._tracker.update(detections, timestamp=frame.at)
        ids = np.asarray(tracked.tracker_id, dtype=int) if len(tracked) else np.empty(0, dtype=int)
        self._tentative = any(tracklet.tracker_id == -1 for tracklet in self._tracker.tracks)
        names = _names(tracked)
        seen: set[int] = set()
        for index in np.flatnonzero(ids >= 0):
            key = int(ids[index])
            seen.add(key)
            self._see(key, frame, tracked.xyxy[index], float(tracked.confidence[index]), str(names[index]), next_id)
        alive = {tracklet.tracker_id for tracklet in self._tracker.tracks}
        lost = [self.followed.pop(key) for key in self.followed.keys() - alive]
        self.left = [one for one in (*self.left, *lost) if one.at_edge and frame.at - one.seen_at <= EDGE_SECONDS]
        for key in seen:
            one = self.followed[key]
            one.beside, one.looks = (one.beside | seen) & alive, one.looks + 1
        for key in self.followed.keys() - seen:
            _miss(self.followed[key], frame)
        self._let_go_of_echoes(seen)
        self._previous = frame.captured_at
        return [one for one in self.followed.values() if not one.gone]

    def _let_go_of_echoes(self, seen: set[int]) -> None:
        """Show no more what moved and is missed, while another track is seen near by that was never seen beside it.

        They are one thing: what is swung fast leaps from the one track to the other and back, and the one that is not
        seen would stay in the scene for a moment, as if there were two.
        """
        if self._likeness is None:
            return
        for key, one in self.followed.items():
            if not (one.coasts and one.movement.moving):
                continue
            reach = _ECHO_SIZES * max(one.box[2] - one.box[0], one.box[3] - one.box[1])
            if any(
                other.looks >= _ECHO_LOOKS
                and key not in other.beside
                and float(np.abs(_centre(other.box) - _centre(one.box)).max()) <= reach
                for other in (self.followed[found] for found in seen)
            ):
                one.lose()

    def _predicted(self) -> list[tuple[NDArray[np.float64], str, bool]]:
        """The tracks that have an id: the boxes in which they are expected now, their labels, and whether they lie."""
        known = [(tracklet, self.followed.get(tracklet.tracker_id)) for tracklet in self._tracker.tracks]
        return [
            (tracklet.get_state_bbox(), one.label, one.seen_at - one.moved_at >= _SETTLED_SECONDS)
            for tracklet, one in known
            if one is not None
        ]

    def _see(
        self, key: int, frame: Frame, box: NDArray[np.float32], score: float, name: str, next_id: Callable[[], str]
    ) -> None:
        one = self.followed.get(key)
        if one is None:
            # Confirmed by two looks in a row: it was there at the look before.
            since = self._previous or frame.captured_at
            one = _Followed(next_id(), name, since, Movement(self._whole_box), frame.at, frame.at)
            self.followed[key] = one
        fade = float(np.exp(-(frame.at - one.seen_at) / _EVIDENCE_SECONDS))
        one.evidence = {label: value * fade for label, value in one.evidence.items()}
        one.evidence[name] = one.evidence.get(name, 0.0) + score
        best = max(one.evidence, key=lambda label: one.evidence[label])
        if best != one.label and one.evidence[best] > _RENAMED_BY * one.evidence.get(one.label, 0.0):
            # An id has one label for life: what turns out to be something else is another object to readers.
            one.id, one.label, one.since = next_id(), best, frame.captured_at
        if score >= self._confidence:
            one.clear_at = frame.at
        elif frame.at - one.clear_at > FAINT_SECONDS:
            _miss(one, frame)
            return
        one.seen_at, one.missing_since, one.gone = frame.at, None, False
        one.box, one.score, one.at_edge = box, score, _touches_edge(box, frame.size)
        if one.movement.add(frame.at, box, max(frame.size)) or one.looks == 0:
            one.moved_at = frame.at


@dataclass(frozen=True, slots=True)
class _Tracklet:
    tracker_id: int


class Given:
    """Tracks that an engine follows itself, in the shape of a tracker.

    A number that is seen again after `LOST_SECONDS` is another object: engines may begin to count anew.
    """

    def __init__(self) -> None:
        self._own: dict[int, tuple[int, float]] = {}
        self._count = 0

    @property
    def tracks(self) -> list[_Tracklet]:
        """All that were seen lately."""
        return [_Tracklet(number) for number, _ in self._own.values()]

    def update(self, detections: sv.Detections, timestamp: float) -> sv.Detections:
        """The same detections, with numbers that are never used again."""
        self._own = {key: one for key, one in self._own.items() if timestamp - one[1] <= LOST_SECONDS}
        given = detections.tracker_id if detections.tracker_id is not None else ()
        numbers = np.empty(len(detections), dtype=int)
        for index, key in enumerate(map(int, given)):
            if key not in self._own:
                self._count += 1
            number = self._own[key][0] if key in self._own else self._count
            self._own[key] = (number, timestamp)
            numbers[index] = number
        detections.tracker_id = numbers
        return detections


def _names(detections: sv.Detections) -> NDArray[np.str_]:
    return np.asarray(detections.data.get("class_name", ()), dtype=str)


def _chosen(detections: sv.Detections, mask: NDArray[np.bool_]) -> sv.Detections:
    return cast(sv.Detections, detections[mask])


def _miss(one: _Followed, frame: Frame) -> None:
    if one.missing_since is None:
        one.missing_since = frame.at
    if frame.at - one.missing_since >= COAST_SECONDS or one.at_edge:
        one.lose()


def _centre(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return cast(NDArray[np.float32], (box[:2] + box[2:]) / 2)


def _touches_edge(box: NDArray[np.float32], size: tuple[int, int]) -> bool:
    width, height = size
    return bool(min(box[0], box[1]) < _EDGE_PIXELS or box[2] > width - _EDGE_PIXELS or box[3] > height - _EDGE_PIXELS)


def _as_tuple(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right, bottom
