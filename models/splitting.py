"""Splits a data set by clip or scene, so that near-copies never stand on both sides."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.frames import thumbnail_of
from models.labels import DataError, Sample
from models.likeness import hashes_of, near_pairs
from models.pixels import read_pixels

By = Literal["clip", "scene", "time"]

DEFAULT_TRAIN_SHARE = 0.7
TRIES = 400
CUT_LEVELS = 40.0
"""Mean grey levels by which the picture changes at a cut; a walking camera stays below 25 at two frames a second."""

_UPLOAD = re.compile(r"^(?!0000|(?:19|20)\d\d[01]\d[0-3]\d-)[0-9a-f]{8}-")
"""Label Studio's random word before a name; a date or a counter of eight digits is none."""

_ROBOFLOW = re.compile(r"_(?:jpe?g|png)\.rf\.[0-9a-zA-Z]+$")

_VERSION = re.compile(r"^(.*\d)-(v\d+)$")
"""A picture whose name was taken, as some data sets call it: `000123-v2` is one of clip `v2`."""

_SPLIT_FOLDERS = frozenset({"train", "val", "valid", "validation", "test", "images"})
"""Folders that say on which side an earlier split put a picture, not where it was taken."""

_FRAME_NUMBER = re.compile(r"[-_ .]*(?:frame)?[-_ .]*\d+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Split:
    """Numbers of the samples on each side, the groups that they came in, and those left out at a border in time."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    groups: int
    left_out: tuple[int, ...] = ()


def split_samples(
    samples: Sequence[Sample], classes: int, *, share: float = DEFAULT_TRAIN_SHARE, seed: int = 0, by: By = "clip"
) -> Split:
    """Divide samples into training and validation; `share` of the pictures are for training.

    `clip` keeps what has one name up to its number together, `scene` what lies between two cuts of a clip, `time`
    takes the end of each clip for validation and leaves out what looks the same at the border. In each case pictures
    that look alike go to one side. Raises DataError where that leaves one group alone.
    """
    if len(samples) < 2:
        raise DataError("a split needs at least two pictures")
    hashes = hashes_of([sample.path for sample in samples])
    if by == "time":
        return _split_by_time(samples, hashes, share)
    keys = [clip_of(sample.path) for sample in samples]
    if by == "scene":
        keys = _scenes(samples, keys)
    groups = _joined(keys, hashes)
    if len(groups) < 2:
        raise DataError(
            "all pictures belong together (one clip, or near-copies of each other), and a split among them would put "
            "near-copies on both sides; film a second clip, or split with --by scene or --by time"
        )
    chosen = _choose(groups, samples, classes, share, seed)
    val = {i for number in chosen for i in groups[number]}
    train = tuple(i for i in range(len(samples)) if i not in val)
    return Split(train, tuple(sorted(val)), len(groups))


def clip_of(path: Path) -> str:
    """What a picture's file name says it was taken from: the name without the number at its end.

    What Label Studio and Roboflow put around names is left out, and so are the folders of an earlier split.
    """
    folder = Path(*(part for part in path.parent.parts if part.lower() not in _SPLIT_FOLDERS))
    name = _own_name(path)
    return str(folder / (_FRAME_NUMBER.sub("", name) if _FRAME_NUMBER.search(name) else name + path.suffix))


def _own_name(path: Path) -> str:
    return _VERSION.sub(r"\2-\1", _ROBOFLOW.sub("", _UPLOAD.sub("", path.stem)))


def _scenes(samples: Sequence[Sample], keys: Sequence[str]) -> list[str]:
    """The clip's key with the number of the scene in it."""
    scenes, number, before = list(keys), 0, None
    for i in sorted(range(len(samples)), key=lambda i: (keys[i], _own_name(samples[i].path), samples[i].path)):
        thumbnail = thumbnail_of(read_pixels(samples[i].path))
        if before is not None and (before[0] != keys[i] or float(np.abs(thumbnail - before[1]).mean()) > CUT_LEVELS):
            number += 1
        before = (keys[i], thumbnail)
        scenes[i] = f"{keys[i]}#{number}"
    return scenes


def _joined(keys: Sequence[str], hashes: NDArray[np.uint8]) -> list[list[int]]:
    """Groups of equal keys, joined where pictures of two of them look alike (a union of sets)."""
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, key in enumerate(keys):
        parent[root(i)] = root(first.setdefault(key, i))
    for i, j, _ in near_pairs(hashes, hashes):
        parent[root(i)] = root(j)
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(keys)):
        groups[root(i)].append(i)
    return list(groups.values())


def _choose(
    groups: Sequence[Sequence[int]], samples: Sequence[Sample], classes: int, share: float, seed: int
) -> list[int]:
    """The groups for validation: of many random choices the one nearest to the wanted share, in every class."""
    random = np.random.default_rng(seed)
    # One row a group: its pictures, then its boxes of each class.
    counts = np.zeros((len(groups), 1 + classes))
    for row, members in zip(counts, groups, strict=True):
        row[0] = len(members)
        for i in members:
            row[1:] += np.bincount(samples[i].rows[:, 0].astype(int), minlength=classes)
    total = counts.sum(0)
    present = total > 0
    best: tuple[float, list[int]] | None = None
    for _ in range(TRIES):
        order = random.permutation(len(groups))
        sums = np.cumsum(counts[order], axis=0)
        # Validation takes groups from the front, up to wherever the shares fit best; one stays for training.
        shares = sums[:-1][:, present] / total[present]
        off = np.abs(shares - (1 - share))
        cost = off[:, 0] * 2 + off[:, 1:].mean(1) if off.shape[1] > 1 else off[:, 0]
        cost = cost + (shares[:, 1:] >= 1).sum(1)  # a class that training never sees is the worst
        end = int(cost.argmin())
        if best is None or cost[end] < best[0]:
            best = (float(cost[end]), [int(n) for n in order[: end + 1]])
    assert best is not None
    return best[1]


def _split_by_time(samples: Sequence[Sample], hashes: NDArray[np.uint8], share: float) -> Split:
    clips: dict[str, list[int]] = defaultdict(list)
    for i in sorted(range(len(samples)), key=lambda i: (_own_name(samples[i].path), samples[i].path)):
        clips[clip_of(samples[i].path)].append(i)
    train: list[int] = []
    val: list[int] = []
    for members in clips.values():
        end = round(len(members) * share)
        train += members[:end]
        val += members[end:]
    if not train or not val:
        raise DataError("too few pictures of each clip for a split in time; take more frames or use --by clip")
    alike = {train[i] for i, _, _ in near_pairs(hashes[train], hashes[val])}
    kept = tuple(sorted(i for i in train if i not in alike))
    if not kept:
        raise DataError("nothing in the clips changes: every picture looks like one of the other side; film more")
    return Split(kept, tuple(sorted(val)), len(clips), tuple(sorted(alike)))
