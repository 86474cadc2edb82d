"""The file that is delivered is run itself, beside the one that it was made of, before it is put in place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.curves import pair
from models.evaluation import finder
from models.exporting import ExportError
from models.metrics import Found
from models.pixels import Pixels
from spotter.detector import Detector, open_session, select, suppress


@dataclass(frozen=True, slots=True)
class Gate:
    """How like two files' boxes must be: of those from `sure` up in one, the `share` that the other has, too."""

    sure: float
    faint: float
    """Least score of the other's box: what is shown by one must not hang on a hundredth."""
    iou: float
    score: float
    """Most difference in score."""
    share: float


TAIL = Gate(sure=0.1, faint=0.095, iou=0.95, score=0.01, share=0.99)
"""The same numbers in another order of operations: rounding alone parts them, and where an overlap meets the limit."""

INT8 = Gate(sure=0.4, faint=0.15, iou=0.5, score=1.0, share=0.7)
"""Measured with the shipped detector: 0.97 on 14 validation photos and 1.0 on the demo, calibrated on photos or on
noise; 0.25 and 0.56 where it was calibrated on black and finds hardly anything."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Boxes on either side, and how many of them the other side has."""

    boxes: int
    shared: int

    @property
    def share(self) -> float:
        """Of the boxes; one where there are none."""
        return self.shared / self.boxes if self.boxes else 1.0


def check_int8(small: Path, source: Path, pictures: Sequence[Pixels]) -> Likeness:
    """Compare an INT8 file with its float one on BGR `pictures`. Raises `ExportError` below the share of `INT8`."""
    before, after = (_found_by(Detector(path, confidence=INT8.faint), pictures) for path in (source, small))
    return _passed("INT8", likeness(before, after, INT8), INT8, len(pictures))


def check_tail(made: Path, source: Path, iou: float, pictures: Sequence[Pixels]) -> Likeness:
    """Compare a file with nvinfer's tail with the one without it on BGR `pictures`.

    Both after exact suppression from an overlap of `iou`. Raises `ExportError` below the share of `TAIL`.
    """
    detector, session = Detector(source), open_session(made)
    both = [_without_and_with(detector, session, image, iou) for image in pictures]
    like = likeness([one for one, _ in both], [other for _, other in both], TAIL)
    return _passed("the tail", like, TAIL, len(pictures))


def deliver(made: Path, out: Path) -> None:
    """Put `made` at `out`, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    waiting = out.with_name(f".{out.name}.part")
    try:
        shutil.copyfile(made, waiting)
        waiting.replace(out)
    except OSError as error:
        waiting.unlink(missing_ok=True)
        raise ExportError(f"export {out}: can't be written ({error.strerror}); give another --out") from None


def likeness(one: Sequence[Found], other: Sequence[Found], gate: Gate) -> Likeness:
    """How many boxes two files share over the same pictures: of one class, in one place, of like scores."""
    boxes = shared = 0
    for found in zip(one, other, strict=True):
        for a, b in (found, found[::-1]):  # from either side
            # A box that is cut at the picture's edge may have no area left, and overlaps nothing, not even itself.
            sure = (a.scores >= gate.sure) & (a.boxes[:, 2:] > a.boxes[:, :2]).all(1)
            boxes += int(sure.sum())
            for number in np.unique(a.classes[sure]):
                mine, theirs = np.flatnonzero(sure & (a.classes == number)), np.flatnonzero(b.classes == number)
                for i, j in pair(a.boxes[mine], b.boxes[theirs], gate.iou):
                    shared += bool(abs(a.scores[mine[i]] - b.scores[theirs[j]]) <= gate.score)
    return Likeness(boxes, shared)


def _passed(what: str, like: Likeness, gate: Gate, pictures: int) -> Likeness:
    if like.share < gate.share:
        raise ExportError(
            f"export: only {like.shared} of {like.boxes} boxes on {pictures} pictures are the same with {what} and "
            f"without ({like.share:.0%}; {gate.share:.0%} are wanted); nothing was written; try pictures like your "
            f"gym's (--data, --calibration), or do without {what}"
        )
    return like


def _found_by(detector: Detector, pictures: Sequence[Pixels]) -> list[Found]:
    find = finder(detector, detector.labels)
    return [find(image) for image in pictures]


def _without_and_with(detector: Detector, session: Any, image: Pixels, iou: float) -> tuple[Found, Found]:
    """What a file finds, and what its copy with the tail does, in pixels of the network's input."""
    from spotter.nvinfer_tail import MOST_DETECTIONS

    planes = detector.preprocess(image)[0][None]
    raw = detector.infer(planes)[0]
    exact = Found(*select(raw, detector.layout, confidence=TAIL.faint, iou=iou, max_detections=MOST_DETECTIONS))
    first = session.get_inputs()[0]
    height, width = first.shape[2:]
    batch = np.repeat(planes, first.shape[0], 0) if isinstance(first.shape[0], int) else planes
    kind = np.float16 if first.type == "tensor(float16)" else np.float32
    count, shares, scores, classes = (output[0] for output in session.run(None, {first.name: batch.astype(kind)}))
    # Where its rows are full, it says nothing of fainter boxes.
    least = float(scores[-1]) if int(count[0]) == MOST_DETECTIONS else TAIL.faint
    rows = np.flatnonzero(scores > max(least, TAIL.faint))
    boxes = np.asarray(shares[rows] * np.array([width, height, width, height]), dtype=np.float32)
    numbers = np.asarray(classes[rows], dtype=np.int64)
    kept = suppress(boxes, scores[rows], numbers, iou)
    known = exact.scores > least
    return (
        Found(exact.boxes[known], exact.scores[known], exact.classes[known]),
        Found(boxes[kept], scores[rows][kept], numbers[kept]),
    )
