"""How much a detection is like what a track followed so far, and ByteTrack (the `trackers` library) that goes by it.

Not imported on an NVIDIA box, where the engine follows objects itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trackers import ByteTrackTracker
from trackers.utils.iou import BIoU
from trackers.utils.state_representations import XYXYStateEstimator

Boxes = NDArray[np.floating]

Followed = tuple[NDArray[np.float64], str, bool]
"""(the box in which a track is expected now, its label, whether it has lain where it is for a while)"""


RESTING_BUFFER = 0.3
"""Of a box's size on each side, for kit at rest or found under another label: what lies may be lifted, but does not
leap to where another one is."""

LEAST_LIKENESS = 0.1
"""A detection that is less like a track is not of it."""

SAME_PLACE_IOU = 0.5
"""What lies and is found under another label is it only there: something else may be carried past it."""

OTHER_LABEL_SHARE = 0.5
"""A detection under another label is by so much less like the track, and not at all where it leaps as far as what is
swung does: where two things cross, the label tells which is which, and where there is only one, a label that wavers
still follows it."""


_CONFIRMED_AFTER = 2  # looks in a row; single ones are mostly the detector's mistakes


class Halting(XYXYStateEstimator):
    """A box that goes on as it went for one look, and then stays where it is until it is seen again.

    What is swung or put down turns within half a second: a guess that goes straight on would soon be far from it, and
    take the next thing on its way for it.
    """

    def __init__(self, bbox: NDArray[np.float64]) -> None:
        super().__init__(bbox)
        self._seen = True

    def predict(self, frame_step: float = 1.0, frame_rate: float | None = None) -> None:
        """Predict one step of the filter."""
        if not self._seen:
            self.kf.state[self._VEL_IDX] = 0.0
        self._seen = False
        super().predict(frame_step, frame_rate)

    def update(self, bbox: NDArray[np.float64] | None) -> None:
        """Take in where it was seen."""
        super().update(bbox)
        self._seen = self._seen or bbox is not None


class KitLikeness(BIoU):
    """Buffered IoU that knows labels, and that things at rest stay where they are."""

    def __init__(self, buffer_ratio: float) -> None:
        super().__init__(buffer_ratio)
        self._resting, self._same = BIoU(RESTING_BUFFER), BIoU(0.0)
        self._tracks: Callable[[], Iterable[Followed]] = tuple
        self._labels: dict[bytes, str] = {}

    def expect(self, tracks: Callable[[], Iterable[Followed]], boxes: Boxes, labels: Iterable[str]) -> None:
        """Say what is to be associated next: the tracks as they are predicted then, and the detections."""
        self._tracks = tracks
        self._labels = {_key(box): label for box, label in zip(boxes, labels, strict=True)}

    def _compute(self, boxes_1: Boxes, boxes_2: Boxes) -> NDArray[np.float64]:
        likeness: NDArray[np.float64] = super()._compute(boxes_1, boxes_2)
        near: NDArray[np.float64] | None = None
        same: NDArray[np.float64] | None = None
        tracks = {_key(expected): (label, rests) for expected, label, rests in self._tracks()}
        labels = np.array([self._labels.get(_key(box), "") for box in boxes_2])
        for row, box in enumerate(boxes_1):
            track = tracks.get(_key(box))
            if track is None:
                continue
            own_label, rests = track
            near = self._resting._compute(boxes_1, boxes_2) if near is None else near
            other = labels != own_label
            if rests:
                likeness[row] = near[row]
                same = self._same._compute(boxes_1, boxes_2) if same is None else same
                likeness[row, other & (same[row] < SAME_PLACE_IOU)] = 0.0
            likeness[row, other] = np.minimum(likeness[row], near[row])[other] * OTHER_LABEL_SHARE
        return likeness


def _key(box: Boxes) -> bytes:
    return np.asarray(box, dtype=np.float64).tobytes()


def byte_track(likeness: BIoU, confidence: float, fps: float, lost_seconds: float) -> Any:
    """ByteTrack by some likeness; a camera is looked at `fps` times a second, a lost track kept for `lost_seconds`."""
    return ByteTrackTracker(
        lost_track_buffer=round(lost_seconds * 30),  # the library counts in frames of 1/30 s
        frame_rate=fps,
        track_activation_threshold=confidence,
        high_conf_det_threshold=confidence,
        minimum_consecutive_frames=_CONFIRMED_AFTER,
        minimum_iou_threshold=LEAST_LIKENESS,
        state_estimator_class=Halting,
        iou=likeness,
    )
