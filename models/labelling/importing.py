"""Brings labels from another tool into a data set: pictures, rows, names."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import yaml

from models.labelling.adding import Room, room_in
from models.labelling.checks import empty_classes, usable
from models.labelling.formats import ReadingOptions, read_labels, unpacked
from models.labelling.names import Names
from models.labelling.pictures import Found, locate, read_frames
from models.labelling.places import same_file, targets
from models.labelling.records import Box, Corners, Finding, Reading
from models.labels import DataError, label_path
from models.progress import progress_bar
from spotter.class_names import class_names

JPEG_QUALITY = 95


@dataclass(slots=True)
class Imported:
    """What an import did, or would do."""

    form: str
    pictures: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    """Boxes by label."""
    names: dict[str, str] = field(default_factory=dict)
    """The source's names and the labels that they became."""
    findings: list[Finding] = field(default_factory=list)
    labels: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing was lost."""
        return all(finding.harmless for finding in self.findings)


def import_labels(
    source: Path,
    out: Path | None,
    names: Names,
    options: ReadingOptions,
    *,
    pictures: Path | None = None,
    every: float | None = None,
) -> Imported:
    """Read, check and, where `out` is given, add everything usable to the data set in that folder.

    `pictures` is a folder or the video that was labelled; left out: where the labels are. Raises DataError where
    nothing can be read.
    """
    room = None if out is None else room_in(out)
    with unpacked(source) as opened:
        reading = read_labels(opened, options)
        place = pictures or _pictures_beside(opened)
        found = _without_test(locate(reading, place, every), place, reading)
        done = Imported(reading.form)
        ready = [(one, usable(_scaled(one), one.width, one.height, reading)) for one in found]
        used = Counter(name for _, boxes in ready for name, _ in boxes)
        for name, count in used.items():
            label = names.label(name)
            done.names[name] = label
            done.boxes[label] += count
        empty_classes(reading, used)
        for name, label in names.unknown.items():
            reading.report("unknown class", name, f"not in the catalogue; kept as {label!r}")
        for name in names.unused:
            reading.report("note", name, "given with --map, but the labels have no such name")
        done.pictures = len(ready)
        if out is not None and room is not None and ready:
            _write(ready, out, room, names, reading, place)
    done.findings, done.labels = reading.findings, tuple(names.labels)
    return done


def labels_of(out: Path) -> tuple[str, ...]:
    """The labels of a data set that exists already, empty where there is none."""
    path = out / "data.yaml"
    if not path.is_file():
        return ()
    try:
        return class_names(yaml.safe_load(path.read_text(encoding="utf-8"))["names"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise DataError(f"data set {path}: not readable; mend it or choose another --out") from None


def write_rows(path: Path, boxes: list[tuple[int, Corners]]) -> None:
    """YOLO rows, `class x y width height`, of relative corners."""
    lines = [
        f"{number} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"
        for number, (x1, y1, x2, y2) in boxes
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def write_data_yaml(place: Path, labels: tuple[str, ...] | list[str], **keys: object) -> None:
    """The `data.yaml` in a folder, or the file that is named; paths of splits are below its folder."""
    content = {**keys, "names": list(labels)}
    (place / "data.yaml" if place.is_dir() else place).write_text(
        yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120),
        encoding="utf-8",
    )


def _pictures_beside(opened: Path) -> Path:
    return opened if opened.is_dir() else opened.parent


def _without_test(found: list[Found], place: Path, reading: Reading) -> list[Found]:
    """What is not of the source's own test split: its pictures must stay out of training."""
    tests = [
        base / "test"
        for base in (place, place / "images")
        if (base / "test").is_dir() and any((base / name).is_dir() for name in ("train", "valid", "val"))
    ]
    kept = [one for one in found if one.path is None or not any(one.path.is_relative_to(test) for test in tests)]
    if len(kept) < len(found):
        text = f"{len(found) - len(kept)} pictures of the test split are left out, so that none trains"
        reading.report("note", "test", f"{text}; import that folder alone into a data set of its own")
    return kept


def _scaled(one: Found) -> list[Box]:
    """The boxes at the picture's real size, where they were drawn on a smaller or larger copy."""
    size = one.item.size
    if size in (None, (one.width, one.height)) or size is None:
        return one.item.boxes
    sx, sy = one.width / size[0], one.height / size[1]
    return [
        box if box.relative else Box(box.name, _times(box.corners, sx, sy), relative=False, place=box.place)
        for box in one.item.boxes
    ]


def _times(c: Corners, sx: float, sy: float) -> Corners:
    return c[0] * sx, c[1] * sy, c[2] * sx, c[3] * sy


def _write(
    ready: list[tuple[Found, list[tuple[str, Corners]]]],
    out: Path,
    room: Room,
    names: Names,
    reading: Reading,
    place: Path,
) -> None:
    room.images.mkdir(parents=True, exist_ok=True)
    drawn = {one.path: boxes for one, boxes in ready if one.path is not None}
    by_frame = {one.frame: boxes for one, boxes in ready if one.frame is not None}
    with (
        progress_bar("import", len(ready)) as advance,
        tempfile.TemporaryDirectory(prefix=".frames-", dir=out) as folder,
    ):
        for number, image in read_frames(place, list(by_frame)) if by_frame else ():
            frame = Path(folder) / f"{place.stem}-{number:06d}.jpg"
            cv2.imwrite(str(frame), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            drawn[frame] = by_frame[number]
        goals = targets(room.images, list(drawn), reading)
        for path, target in goals.items():
            if not same_file(path, target):
                shutil.copy2(path, target)
            boxes = [(names.number(name), corners) for name, corners in drawn[path]]
            write_rows(label_path(target), boxes)
            advance()
    room.settle(goals.values())
    write_data_yaml(out, names.labels, **room.keys)
