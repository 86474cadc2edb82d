"""Training pictures without Blender: items cut out of product photos, pasted over backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.cutouts import read_cutouts
from models.labels import DataError, read_folder
from models.mixing import Mixer, MixSettings
from models.synth.boxes import yolo_rows
from models.synth.dataset import write_pair
from models.synth.items import CLASSES

SINGLE = MixSettings(mosaic=0.0)


def paste_pictures(
    out: Path, numbers: range, *, size: int, cutouts: Path, backgrounds: Path, advance: Callable[[], None]
) -> None:
    """Compose a picture for each number, which is its seed, into `out/images` and `out/labels`.

    `cutouts` holds a folder of photos on white for each label. Items stand in rows, lie about, are smeared or turned.
    """
    cuts = read_cutouts(cutouts, CLASSES)
    if not cuts:
        raise DataError(f"cutouts {cutouts}: no item could be cut out; it holds LABEL/*.jpg, photos on white")
    mixer = Mixer(CLASSES, (), read_folder(backgrounds, len(CLASSES)), (), cuts, SINGLE)
    for number in numbers:
        name = f"paste-{number:06d}"
        if not (out / "images" / f"{name}.jpg").exists():
            random = np.random.default_rng(number)
            picture = mixer.draw(size, random)
            boxes = {i: _whole(row) for i, row in enumerate(picture.rows)}
            classes = {i: int(row[0]) for i, row in enumerate(picture.rows)}
            rgb = np.ascontiguousarray(picture.pixels[..., ::-1])
            write_pair(out, name, rgb, yolo_rows(boxes, classes, (size, size)), int(random.integers(70, 95)))
        advance()


def _whole(row: NDArray[np.float32]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(float(v)) for v in row[1:])
    return x1, y1, x2, y2
