"""Frames of real clips as training pictures: kit in the hands of somebody who moves, which photos hardly show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2

from models.labels import DataError
from models.video import Video

BOXES = Path(__file__).parent / "weights" / "clip-boxes.json"
"""Our boxes for clips of the shipped detector's data: clip -> frame -> rows of label and relative corners."""

Row = tuple[str, float, float, float, float]


class Filmed(NamedTuple):
    """Where the frames are."""

    labelled: Path
    """`images/` and `labels/`, of frames that show kit."""
    empty: Path
    """Pictures that show none."""


def take(clips: Path, out: Path, names: tuple[str, ...], boxes: Path = BOXES) -> Filmed:
    """Write the frames that `boxes` names, of `clips/NAME.mp4`. Raises DataError for a clip that is missing."""
    filmed = Filmed(out / "labelled", out / "empty")
    for folder in (filmed.labelled / "images", filmed.labelled / "labels", filmed.empty):
        folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, dict[str, list[Row]]] = json.loads(boxes.read_text(encoding="utf-8"))
    for clip, frames in listed.items():
        path = clips / f"{clip}.mp4"
        if not path.is_file():
            raise DataError(f"{path} is missing; its boxes are in {boxes.name}")
        for number, _, pixels in Video(path).frames_at(frozenset(map(int, frames)).__contains__):
            name, rows = f"{clip}-{number:05d}", frames[str(number)]
            folder = filmed.labelled / "images" if rows else filmed.empty
            cv2.imwrite(str(folder / f"{name}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
            if rows:
                (filmed.labelled / "labels" / f"{name}.txt").write_text("".join(_line(names, row) for row in rows))
    return filmed


def _line(names: tuple[str, ...], row: Row) -> str:
    label, x1, y1, x2, y2 = row
    return f"{names.index(label)} {(x1 + x2) / 2:.4f} {(y1 + y2) / 2:.4f} {x2 - x1:.4f} {y2 - y1:.4f}\n"
