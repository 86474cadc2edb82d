"""Looks a data set over: what it holds, what is wrong with it, what leaks from one split into another."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from models.labelling.checks import empty_classes, usable
from models.labelling.records import Finding, Reading
from models.labelling.yolo import read_label_file
from models.labels import DataError, Layout, label_path, pictures_at, read_layout, read_rows
from models.likeness import hashes_of, near_pairs
from models.progress import progress_bar

NETWORK_SIDE = 640
SMALL, LARGE = 32, 96
"""COCO's borders between small, medium and large, here in pixels as the network sees the picture."""

SPLITS = ("train", "val", "test")


@dataclass(slots=True)
class ClassCount:
    """The boxes of a class in a split."""

    boxes: int = 0
    pictures: int = 0
    small: int = 0
    medium: int = 0
    large: int = 0
    sides: list[float] = field(default_factory=list)
    """Square roots of the boxes' areas, in pixels at `NETWORK_SIDE`."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Two pictures of different splits that look alike."""

    splits: tuple[str, str]
    pictures: tuple[Path, Path]
    bits: int
    """In which their hashes differ."""


@dataclass(slots=True)
class Inspection:
    """What a data set holds and what is wrong with it."""

    labels: tuple[str, ...]
    pictures: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    """Pictures without a box, by split."""
    counts: dict[str, list[ClassCount]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether training on it would give scores that can be trusted."""
        return not self.leaks and all(finding.harmless for finding in self.findings)


def inspect(data: Path) -> Inspection:
    """Look over the data set of a `data.yaml`. Raises DataError where that is unreadable."""
    layout = read_layout(data)
    result = Inspection(layout.labels)
    reading = Reading("yolo", classes=layout.labels)
    paths = _paths(layout, data, reading)
    seen: dict[bytes, tuple[str, Path]] = {}
    with progress_bar("check", sum(len(p) for p in paths.values())) as advance:
        for split in paths:
            counts = result.counts[split] = [ClassCount() for _ in layout.labels]
            result.pictures[split] = len(paths[split])
            result.empty[split] = 0
            for path in paths[split]:
                _look(path, split, layout.labels, reading, counts, result, seen)
                advance()
    _orphans(layout.labels, paths, reading)
    used = {label for c in result.counts.values() for label, count in zip(layout.labels, c, strict=True) if count.boxes}
    empty_classes(reading, used)
    for label in sorted(used):
        if paths["val"] and not result.counts["train"][layout.labels.index(label)].boxes:
            reading.report("note", label, "has no box in train: it cannot be learnt")
    result.leaks = _leaks(paths)
    result.findings = reading.findings
    return result


def json_of(result: Inspection) -> str:
    """Everything as one JSON object."""
    splits = {}
    for split, counts in result.counts.items():
        classes = {
            label: {
                "boxes": c.boxes, "pictures": c.pictures, "small": c.small, "medium": c.medium, "large": c.large,
                "median_side_px": round(float(np.median(c.sides)), 1) if c.sides else None,
            }
            for label, c in zip(result.labels, counts, strict=True)
        }  # fmt: skip
        splits[split] = {"pictures": result.pictures[split], "empty": result.empty[split], "classes": classes}
    findings = [{"kind": f.kind, "place": f.place, "text": f.text, "harmless": f.harmless} for f in result.findings]
    leaks = [
        dict(zip(leak.splits, map(str, leak.pictures), strict=True)) | {"bits": leak.bits} for leak in result.leaks
    ]
    return json.dumps({"sound": result.sound, "splits": splits, "findings": findings, "leaks": leaks})


def print_inspection(result: Inspection, most: int = 20) -> None:
    """Tables and findings on standard output; of each kind of finding at most so many."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for split, counts in result.counts.items():
        if not result.pictures[split]:
            console.print(f"{split}: no pictures", highlight=False)
            continue
        title = f"{split}: {result.pictures[split]} pictures, {result.empty[split]} of them empty"
        table = Table("class", "boxes", "pictures", "small", "medium", "large", "median side", title=title)
        for label, c in zip(result.labels, counts, strict=True):
            side = f"{np.median(c.sides):.0f} px" if c.sides else ""
            table.add_row(label, *(str(v) for v in (c.boxes, c.pictures, c.small, c.medium, c.large)), side)
        console.print(table)
    console.print(f"small, medium, large: under {SMALL}, under {LARGE}, from {LARGE} px at {NETWORK_SIDE} px input")
    shown: Counter[str] = Counter()
    for finding in result.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= most:
            console.print(str(finding), markup=False, highlight=False, soft_wrap=True)
    for kind, count in shown.items():
        if count > most:
            console.print(f"{kind}: and {count - most} more", highlight=False)
    for leak in result.leaks[:most]:
        one, other = leak.pictures
        console.print(f"leak: {one} looks like {other} ({leak.bits} bits apart)", markup=False, soft_wrap=True)
    if len(result.leaks) > most:
        console.print(f"leak: and {len(result.leaks) - most} more")


def _paths(layout: Layout, data: Path, reading: Reading) -> dict[str, tuple[Path, ...]]:
    """The pictures of each split, `test` where the file names one; what training would lack is reported."""
    paths = {split: layout.pictures(split) for split in SPLITS[:2]}
    for split, found in paths.items():
        if not found:
            text = f"`{split}` holds no pictures, and training needs some; run `spotter model split`"
            reading.report("missing picture", str(data), text)
    there = [place for place in layout.test if place.exists()]
    for place in sorted(set(layout.test) - set(there)):
        reading.report("note", str(place), "is named as `test` and does not exist")
    return paths | ({"test": tuple(p for place in there for p in pictures_at(place))} if there else {})


def _look(
    path: Path,
    split: str,
    labels: tuple[str, ...],
    reading: Reading,
    counts: list[ClassCount],
    result: Inspection,
    seen: dict[bytes, tuple[str, Path]],
) -> None:
    image = cv2.imread(str(path)) if path.is_file() else None
    if image is None:
        reading.report("missing picture", str(path), "not there, or not a readable picture")
        return
    digest = hashlib.sha256(path.read_bytes()).digest()
    if digest in seen and seen[digest][0] == split:
        reading.report("duplicate", str(path), f"the same file as {seen[digest][1].name}")
    seen.setdefault(digest, (split, path))
    height, width = image.shape[:2]
    rows_path = label_path(path)
    if not rows_path.is_file():
        reading.report("unlabelled picture", str(path), f"no {rows_path.name}: it counts as empty")
        result.empty[split] += 1
        return
    known = len(reading.findings)
    item = read_label_file(rows_path, path.name, labels, reading)
    boxes = usable(item.boxes, width, height, reading)
    for name in {name for name, _ in boxes} - set(labels):
        reading.report("bad row", str(rows_path), f"{name} is beyond the {len(labels)} names of the data set")
    if all(finding.harmless for finding in reading.findings[known:]):
        try:  # rows of other tools, which an import takes and training does not
            read_rows(rows_path, len(labels))
        except DataError as error:
            reading.report("bad row", str(rows_path), str(error))
    boxes = [(name, corners) for name, corners in boxes if name in labels]
    result.empty[split] += not boxes
    scale = NETWORK_SIDE / max(width, height)
    for name, (x1, y1, x2, y2) in boxes:
        count = counts[labels.index(name)]
        side = float(np.sqrt((x2 - x1) * width * (y2 - y1) * height)) * scale
        count.boxes += 1
        count.sides.append(side)
        count.small += side < SMALL
        count.medium += SMALL <= side < LARGE
        count.large += side >= LARGE
    for name in {name for name, _ in boxes}:
        counts[labels.index(name)].pictures += 1


def _orphans(labels: tuple[str, ...], paths: dict[str, tuple[Path, ...]], reading: Reading) -> None:
    """Label files whose picture is nowhere."""
    known = {label_path(path) for found in paths.values() for path in found}
    for folder in sorted({path.parent for path in known}):
        pictures = {p.stem for p in _pictures_folder(folder).glob("*")} if folder.name == "labels" else set()
        for rows in sorted(folder.glob("*.txt")):
            if rows not in known and rows.stem not in pictures and read_label_file(rows, "", labels, Reading("")).boxes:
                reading.report("missing picture", str(rows), "labels without a picture")


def _pictures_folder(labels: Path) -> Path:
    return labels.parent / "images"


def _leaks(paths: Mapping[str, tuple[Path, ...]]) -> list[Leak]:
    """Pictures of one split that look like one of another; validation chooses weights, so a test must not show it."""
    hashes = {split: hashes_of(found) for split, found in paths.items() if found}
    return [
        Leak((a, b), (paths[a][i], paths[b][j]), bits)
        for a, b in combinations(hashes, 2)
        for i, j, bits in near_pairs(hashes[a], hashes[b])
    ]
