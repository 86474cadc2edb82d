"""DarkLabel: which class list and which cells are meant, and what is asked where the files do not say."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from models.labelling.formats import ReadingOptions, read_labels, unpacked
from models.labelling.records import Reading
from models.labelling.yolo import class_list
from models.labels import DataError

STOCK = """%YAML:1.0
---
classes_set: "{used}"
mine: ["YogaBlock", "Kettlebell"]
other: ["Sled"]
coco_classes: ["person", "bicycle"]
format1:
  data_fmt: [classid, ncx, ncy, nw, nh]
  gt_merged: 0
  classes_set: "coco_classes"
format2:
  data_fmt: [fn, id, x1, y1, w, h, c=1, c=-1]
  gt_merged: 1
format3:
  data_fmt: [fn, label, x1, y1]
  gt_merged: 1
format4:
  data_fmt: [fn, cname, id, x1, y1, w, h]
  gt_merged: 1
format8:
  data_fmt: [classid, ncx, ncy, nw, nh]
  gt_merged: 0
  classes_set: "mine"
format9:
  data_fmt: [fn, cname, id, x1, y1, x2, y2]
  gt_merged: 1
"""

NUMBERED = """mine: [Sled, Rope]
format8:
  data_fmt: [iname, classid, id, x1, y1, w, h]
  gt_merged: 1
  classes_set: mine
"""


def read(folder: Path, settings: str, files: dict[str, str], **options: str) -> Reading:
    (folder / "darklabel.yml").write_text(settings)
    for name, content in files.items():
        (folder / name).write_text(content)
    return read_labels(folder, ReadingOptions(**options))  # type: ignore[arg-type]


def boxes(reading: Reading) -> list[tuple[str | int, str, tuple[float, ...]]]:
    return [(item.picture, box.name, box.corners) for item in reading.items for box in item.boxes]


@pytest.mark.parametrize(("used", "name"), [("mine", "YogaBlock"), ("coco_classes", "person")])
def test_of_several_lists_the_one_in_use_is_taken_and_said(tmp_path: Path, used: str, name: str) -> None:
    reading = read(tmp_path, STOCK.format(used=used), {"a.txt": "0 0.5 0.5 0.2 0.2\n"})
    assert [one for _, one, _ in boxes(reading)] == [name]
    assert [f"class list {used}" in str(finding) for finding in reading.findings] == [True]


def test_several_lists_none_of_them_in_use_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name one with --classes-set"):
        read(tmp_path, STOCK.format(used="other"), {"a.txt": "0 0.5 0.5 0.2 0.2\n"})


@pytest.mark.parametrize(
    ("settings", "row", "wanted"),
    [
        ('classes_set: "gone"\nmine: [Sled]\n', "a.jpg,Sled,0,1,2,3,4", "Sled"),
        ("classes_set: [Sled, Rope]\n", "1 0.5 0.5 0.2 0.2", "Rope"),
        (NUMBERED, "a.jpg,1,0,1,2,3,4", "Rope"),
    ],
)
def test_settings_that_name_a_list_in_another_way(tmp_path: Path, settings: str, row: str, wanted: str) -> None:
    assert [name for _, name, _ in boxes(read(tmp_path, settings, {"gt.txt": f"{row}\n"}))] == [wanted]


def test_settings_under_another_name_and_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "my_own.yaml"
    path.write_text(STOCK.format(used="mine"))
    assert class_list(path) == ("mine", ("YogaBlock", "Kettlebell"))
    path.write_bytes("classes_set: mine\nmine: [덤벨]\n".encode("cp949"))
    with pytest.raises(DataError, match="save it as UTF-8"):
        class_list(path)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("0,Sled,0,50,60,10,20\n1,Sled,0,1,2,30,40\n", (50, 60, 60, 80)),
        ("0,Sled,0,5,6,50,60\n1,Sled,0,1,2,30,40\n", None),
    ],
)
def test_cells_that_the_rows_leave_open_are_asked_about(
    tmp_path: Path, rows: str, wanted: tuple[float, ...] | None
) -> None:
    settings = STOCK.format(used="mine")
    if wanted is not None:
        reading = read(tmp_path, settings, {"gt.txt": rows})
        assert boxes(reading)[0][2] == wanted
        assert "fn,cname,id,x1,y1,w,h" in str(reading.findings[0])
        return
    with pytest.raises(DataError, match=r"w,h or fn,.*x2,y2; say which with --fields"):
        read(tmp_path, settings, {"gt.txt": rows})
    reading = read(tmp_path, settings, {"gt.txt": rows}, fields="fn,cname,id,x1,y1,x2,y2")
    assert boxes(reading)[0][2] == (5, 6, 50, 60)


def test_rows_without_a_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"say no class.*--fields"):
        read(tmp_path, STOCK.format(used="mine"), {"gt.txt": "0,7,10,10,90,90,1,-1\n"})


def test_a_merged_file_is_read_from_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("gt.txt", "a.jpg,Sled,0,1,2,3,4\n")
        archive.writestr("a.jpg", b"")
    with unpacked(tmp_path / "z.zip") as opened:
        reading = read_labels(opened, ReadingOptions())
    assert boxes(reading) == [("a.jpg", "Sled", (1, 2, 4, 6))]


def test_rows_in_pixels_for_each_picture(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    settings = "format7:\n  data_fmt: [cname, x1, y1, w, h]\n  gt_merged: 0\n"
    reading = read(tmp_path, settings, {"a.txt": "Sled,1,2,3,4\n", "b.txt": ""})
    assert boxes(reading) == [("a", "Sled", (1, 2, 4, 6))]
    assert [item.picture for item in reading.items] == ["a", "b"]


@pytest.mark.parametrize(("name", "row"), [("a.txt", "2 0.5 0.5 0.2 0.2"), ("gt.csv", "a.jpg,2,0,1,2,3,4")])
def test_a_class_beyond_the_list_is_told_as_a_loss(tmp_path: Path, name: str, row: str) -> None:
    reading = read(tmp_path, NUMBERED, {name: f"{row}\n"})
    assert not boxes(reading)
    assert [f.kind for f in reading.findings if not f.harmless] == ["bad row"]
