"""YOLO rows: a text file for each picture, as darknet, YOLOv5, DarkLabel and most tools export them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from models.labelling.darklabel import beyond
from models.labelling.darklabel_settings import settings_in
from models.labelling.records import Box, Labelled, Reading
from models.labels import DataError
from spotter.class_names import class_names

NAME_FILES = (
    "data.yaml",
    "dataset.yaml",
    "classes.txt",
    "obj.names",
    "_darknet.labels",
    "darklabel.yml",
    "darklabel.yaml",
)
"""Where class names are looked for, in a folder and the one above it."""

_NO_ROWS = frozenset({
    "classes.txt", "notes.txt", "train.txt", "val.txt", "test.txt", "labelled.txt", "labels.txt",
})  # fmt: skip


def read_yolo(folder: Path, classes: Sequence[str]) -> Reading:
    """Every label file under `folder`; pictures are named by the path below it.

    A row is `class x y width height`, relative to the picture, with the object's number after the class (DarkLabel) or
    the score at the end (a detector's) where there are six cells; a longer row is a polygon, of which the bounding
    box is taken.
    """
    reading = Reading("yolo", classes=tuple(classes))
    for path in label_files(folder):
        name = path.relative_to(folder).with_suffix("")
        reading.items.append(read_label_file(path, str(name), classes, reading))
    return reading


def label_files(folder: Path, *suffixes: str) -> list[Path]:
    """The text files that may hold rows, of `suffixes` (left out: `.txt`).

    Where `images/` and `labels/` lie side by side, only those of `labels/`. Nobody has accepted `proposals/`.
    """
    wanted = suffixes or (".txt",)
    own = folder / "labels"
    places = (own, folder) if own.is_dir() and (folder / "images").is_dir() else (folder,)
    for place in places:
        found = [p for p in sorted(place.rglob("*")) if p.suffix.lower() in wanted and _may_hold_rows(p, folder)]
        if found:
            return found
    return []


def _may_hold_rows(path: Path, folder: Path) -> bool:
    name = path.name.lower()
    return not (name in _NO_ROWS or name.startswith("readme") or "proposals" in path.relative_to(folder).parts)


def find_names(folder: Path, given: Path | None = None) -> Path:
    """The file with class names: `given`, or one of the usual name beside the labels. Raises DataError without any."""
    if given is not None:
        return given
    inside = [folder / name for name in ("train", "valid", "test")]  # as Roboflow lays out darknet
    for place in (folder, folder.parent, *inside):
        for name in NAME_FILES:
            if (place / name).is_file():
                return place / name
    raise DataError(
        f"{folder}: its classes are numbers, and no {', '.join(NAME_FILES[:4])} or darklabel.yml names them; "
        "give --classes FILE"
    )


def class_list(path: Path, set_name: str | None = None) -> tuple[str | None, tuple[str, ...]]:
    """Class names of a `data.yaml`, a `darklabel.yml`, or a text file with a name a line; of the second also which."""
    if not path.is_file():
        raise DataError(f"class names {path}: no such file")
    settings = settings_in(path)
    if settings is not None:
        return settings.class_list(set_name)
    return None, read_names(path)


def read_names(path: Path) -> tuple[str, ...]:
    """Class names of a `data.yaml`, or of a text file with a name a line."""
    if path.suffix.lower() in (".yml", ".yaml"):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            return class_names(content["names"])
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
            raise DataError(f"class names {path}: a YAML file without `names`") from None
        except ValueError as error:
            raise DataError(f"class names {path}: {error}; mend the file") from None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"class names {path}: not readable ({error}); save it as UTF-8") from None
    # A line is a class number: one left empty in the middle keeps its place, and nothing but its number names it.
    lines = [line.strip() for line in text.rstrip().splitlines()]
    return tuple(line or f"class{number}" for number, line in enumerate(lines))


def read_label_file(path: Path, picture: str, classes: Sequence[str], reading: Reading) -> Labelled:
    """The rows of one file; rows with mistakes are reported to `reading`."""
    item = Labelled(picture)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        reading.report("bad row", str(path), "not a text file")
        return item
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        words = line.split()
        box = _box(words, classes, place)
        if box is not None:
            item.boxes.append(box)
        elif (values := _numbers(words)) is not None and values[0] >= len(classes):
            reading.report("bad row", place, beyond(int(values[0]), classes))
        else:
            reading.report("bad row", place, f"{line.strip()[:60]!r} is not `class x y width height`")
    return item


def _box(words: Sequence[str], classes: Sequence[str], place: str) -> Box | None:
    numbers = _numbers(words)
    if numbers is None or numbers[0] >= len(classes):
        return None
    number, *values = numbers
    name = classes[int(number)]
    if len(values) == 5:
        values = values[1:] if _is_object_number(words[1]) else values[:4]
    if len(values) == 4:
        x, y, w, h = values
        return Box(name, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), relative=True, place=place)
    if len(values) % 2:
        return None
    xs, ys = values[::2], values[1::2]
    return Box(name, (min(xs), min(ys), max(xs), max(ys)), relative=True, place=place)


def _numbers(words: Sequence[str]) -> list[float] | None:
    """The cells of a row: a class number and at least four more."""
    try:
        number, *values = [float(word) for word in words]
    except ValueError:
        return None
    return None if number < 0 or number % 1 or len(values) < 4 else [number, *values]


def _is_object_number(word: str) -> bool:
    return word.lstrip("-").isdigit()
