"""Photos that a phone stored on their side: boxes lie where they were drawn."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.labelling.formats import ReadingOptions, read_labels
from models.labelling.pictures import locate
from models.labelling.records import Labelled, Reading

WIDTH, HEIGHT = 80, 48


def photo(path: Path, orientation: int) -> Path:
    """A dark photo, white where x is 8 to 24 and y 4 to 12 as stored, with EXIF's orientation."""
    pixels = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    pixels[4:12, 8:24] = 255
    data = cv2.imencode(".jpg", pixels)[1].tobytes()
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path


def labelled(folder: Path, size: tuple[int, int]) -> tuple[Reading, Labelled]:
    box = "<bndbox><xmin>8</xmin><ymin>4</ymin><xmax>24</xmax><ymax>12</ymax></bndbox>"
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    (folder / "a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>{stated}<object><name>sled</name>{box}</object></annotation>"
    )
    reading = read_labels(folder / "a.xml", ReadingOptions("voc"))
    (found,) = locate(reading, folder)
    return reading, found.item


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_on_a_photo_on_its_side_are_turned_with_it(tmp_path: Path, orientation: int) -> None:
    shown = cv2.imread(str(photo(tmp_path / "a.jpg", orientation)))
    assert shown.shape[:2] == (WIDTH, HEIGHT)
    reading, item = labelled(tmp_path, (WIDTH, HEIGHT))
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(item.boxes[0].corners, (HEIGHT, WIDTH, HEIGHT, WIDTH), strict=True))
    assert shown[y1:y2, x1:x2].mean() > 240
    assert (x2 - x1, y2 - y1) == (8, 16)
    assert [f.kind for f in reading.findings] == ["note"]


def test_a_picture_of_another_shape_is_told_as_a_loss(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 1)
    for size in ((HEIGHT, WIDTH), (64, 64)):
        reading, _ = labelled(tmp_path, size)
        assert [f.kind for f in reading.findings] == ["bad box"]
    reading, _ = labelled(tmp_path, (WIDTH * 2, HEIGHT * 2))
    assert [f.kind for f in reading.findings] == ["note"]
