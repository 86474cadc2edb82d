"""Labelled pictures: data sets in YOLO's form (`data.yaml`, `images/`, `labels/`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from spotter.class_names import class_names
from spotter.errors import SpotterError

GYM_LABELS = (
    "person", "kettlebell", "med_ball", "foam_roller", "yoga_block", "lacrosse_ball", "aqua_ball", "exercise_ball",
    "dumbbell",
)  # fmt: skip
"""The classes of the shipped detector, in the order of its outputs."""

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class DataError(SpotterError):
    """A data set is missing or has a mistake."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and its rows `[N, 5]`: class, then centre x, centre y, width, height relative to the picture."""

    path: Path
    rows: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a `data.yaml` names."""

    labels: tuple[str, ...]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a `data.yaml` says, before any label is read: labels, and folders or lists of pictures by split."""

    labels: tuple[str, ...]
    places: Mapping[str, tuple[Path, ...]]
    test: tuple[Path, ...] = ()
    """Folders or lists of pictures that are kept for a test."""
    others: Mapping[str, object] = field(default_factory=dict)
    """Keys that mean nothing here."""

    def pictures(self, split: str) -> tuple[Path, ...]:
        """The pictures of a split; those that a list names may be missing."""
        return tuple(p for place in self.places[split] for p in pictures_at(place))


def read_layout(path: Path) -> Layout:
    """Read a `data.yaml` (`path`, `train`, `val`, `names`). Raises DataError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"data set {path}: no such file; give a data.yaml with path, train, val and names") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = str(error).splitlines()[0]
        raise DataError(f"data set {path}: not readable as YAML ({cause}); mend the file") from None
    if not isinstance(content, dict) or "names" not in content or not ("val" in content or "train" in content):
        raise DataError(f"data set {path}: needs `names` and `train` or `val`; see docs/model.md")
    try:
        labels = class_names(content["names"])
    except ValueError as error:
        raise DataError(f"data set {path}: {error}; mend it") from None
    if not labels:
        raise DataError(f"data set {path}: `names` is empty; list the classes in the order of their numbers")
    root = path.parent / str(content.get("path", "."))
    places = {
        split: tuple(_place(root, place) for place in _listed(content.get(split))) for split in ("train", "val", "test")
    }
    test = places.pop("test")
    known = ("path", "train", "val", "test", "names")
    return Layout(labels, places, test, {str(k): v for k, v in content.items() if k not in known})


def read_data_set(path: Path) -> DataSet:
    """Read a `data.yaml` and every label file that it leads to. Raises DataError at the first mistake."""
    layout = read_layout(path)
    count = len(layout.labels)
    splits = {
        split: tuple(sample for place in places for sample in read_samples(place, count))
        for split, places in layout.places.items()
    }
    return DataSet(layout.labels, splits["train"], splits["val"])


def read_folder(folder: Path, classes: int) -> tuple[Sample, ...]:
    """Every picture under `folder`, with its rows from the neighbouring `labels/` (none: an empty picture)."""
    return tuple(Sample(p, read_rows(label_path(p), classes)) for p in pictures_at(folder))


def read_samples(place: Path, classes: int) -> tuple[Sample, ...]:
    """The pictures of a folder or of a list, with their rows. Raises DataError for a listed one that is missing."""
    pictures = pictures_at(place)
    missing = next((p for p in pictures if not p.is_file()), None)
    if missing is not None:
        raise DataError(f"list of pictures {place}: {missing} does not exist; run `spotter model split` again")
    return tuple(Sample(p, read_rows(label_path(p), classes)) for p in pictures)


def pictures_at(place: Path) -> tuple[Path, ...]:
    """The pictures under a folder, or those that a text file names, one a line, relative to its folder."""
    if place.suffix != ".txt":
        if not place.is_dir():
            raise DataError(f"pictures {place}: no such folder; check the data set's paths")
        return tuple(sorted(p for p in place.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES))
    try:
        lines = place.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"list of pictures {place}: not readable ({error}); run `spotter model split`") from None
    return tuple(place.parent / line.strip() for line in lines if line.strip())


def label_path(picture: Path) -> Path:
    """Where YOLO keeps a picture's rows: the last `images` in its path becomes `labels`, the ending `.txt`."""
    parts = list(picture.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def read_rows(path: Path, classes: int) -> NDArray[np.float32]:
    """Rows of one label file, `[0, 5]` where there is none; raises `DataError` with the line of a mistake."""
    if not path.is_file():
        return np.zeros((0, 5), dtype=np.float32)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"labels {path}: not readable ({error}); save it as UTF-8") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != 5 or not 0 <= row[0] < classes or row[0] % 1 or not all(0 <= v <= 1 for v in row[1:]):
            raise DataError(
                f"labels {path}, line {number}: {line.strip()[:60]!r} is not "
                f"`class x y width height` with a class below {classes} and the rest in 0..1; mend the line"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def count_boxes(samples: Sequence[Sample], classes: int) -> NDArray[np.int64]:
    """How many boxes of each class `samples` hold."""
    if not samples:
        return np.zeros(classes, dtype=np.int64)
    return np.bincount(np.concatenate([s.rows[:, 0] for s in samples]).astype(np.int64), minlength=classes)


def _place(root: Path, place: str) -> Path:
    """A folder or list. Roboflow writes `../train/images` for what lies below the file, and YOLOv5 takes it so."""
    path, below = root / place, root / place.removeprefix("../")
    return below if not path.exists() and below.exists() else path


def _listed(places: object) -> list[str]:
    if places is None:
        return []
    return [str(place) for place in (places if isinstance(places, list) else [places])]
