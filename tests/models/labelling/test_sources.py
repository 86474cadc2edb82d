"""Zips and files as tools and systems really write them: read, or refused in one clear line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.labelling.formats import ReadingOptions, read_labels, unpacked
from models.labelling.pictures import locate
from models.labelling.records import Reading
from models.labels import DataError

ROW = "0 0.5 0.5 0.1 0.1\n"


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_of_macos_is_read_from_the_folder_in_it(tmp_path: Path) -> None:
    files = {"set/one/classes.txt": "sled\n", "set/one/labels/a.txt": ROW, "__MACOSX/set/._one": b"\0\5",
             "set/one/labels/._a.txt": b"\0\5\x16\7"}  # fmt: skip
    with unpacked(zipped(tmp_path / "z.zip", files)) as opened:
        reading = read_labels(opened, ReadingOptions())
    assert [box.name for item in reading.items for box in item.boxes] == ["sled"]
    assert not reading.findings


def test_class_names_beside_an_unpacked_zip_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "classes.txt").write_text("person\n")
    source = zipped(tmp_path / "z.zip", {"a.txt": ROW, "b.txt": ROW})
    with pytest.raises(DataError, match="give --classes"), unpacked(source) as opened:
        read_labels(opened, ReadingOptions())


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", {"a.txt": ROW * 200})
    data = bytearray(path.read_bytes())
    start = 30 + len("a.txt")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="not a readable zip"), unpacked(path):
        pass


def test_a_track_without_a_box_does_not_end_the_import(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    box = '<box frame="2" outside="0" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    tracks = f'<track id="0" label="sled"></track><track id="1" label="sled">{box}</track>'
    path.write_text(f"<annotations>{tracks}</annotations>")
    assert [item.picture for item in read_labels(path, ReadingOptions("cvat")).items] == [2]


def test_an_encoding_that_the_reader_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for encoding in ("euc-kr", "no-such"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?><annotations>덤벨</annotations>'.encode("euc-kr"))
        with pytest.raises(DataError, match="not readable as XML"):
            read_labels(path, ReadingOptions("cvat"))


def named(reading: Reading) -> list[str]:
    return [box.name for item in reading.items for box in item.boxes]


BOX = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
SHAPE = {**BOX, "rectanglelabels": ["sled"]}
TASK = {"image": "/data/upload/1/a.jpg"}


def drawn(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, **more}


@pytest.mark.parametrize(
    ("results", "lost"),
    [
        ([drawn("rectangle", BOX, id="1"), drawn("labels", {**BOX, "labels": ["sled"]}, id="1")], 0),
        ([drawn("rectangle", BOX, id="1"), drawn("labels", {"labels": ["sled"]}, id="1")], 0),
        ([drawn("rectanglelabels", SHAPE, id="1"), drawn("textarea", {**BOX, "text": ["old"]}, id="1")], 0),
        ([{"type": "relation", "from_id": "a"}, drawn("rating", {"rating": 3}), drawn("rectanglelabels", SHAPE)], 0),
        ([drawn("rectangle", BOX, id="2"), drawn("rectanglelabels", SHAPE, id="1")], 1),
        ([drawn("polygonlabels", {"points": []}, id="2"), drawn("rectanglelabels", SHAPE, id="1")], 1),
    ],
)
def test_label_studio_results_that_belong_together(tmp_path: Path, results: list[dict[str, Any]], lost: int) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([{"data": {"title": "one", **TASK}, "annotations": [{"result": results}]}]))
    reading = read_labels(path, ReadingOptions())
    assert named(reading) == ["sled"]
    assert [f.kind for f in reading.findings] == ["left out"] * lost


@pytest.mark.parametrize(
    "task",
    [
        {**TASK, "tag": [SHAPE], "annotator": 1},
        {"annotator": "me@example.com", **TASK, "bbox": [BOX], "label": [{**BOX, "labels": ["sled"]}]},
        {"video": "/x/a.mp4", "box": [{"sequence": [{**BOX, "frame": 1}], "labels": ["sled"]}]},
    ],
)
def test_label_studio_min_under_any_controls_name(tmp_path: Path, task: dict[str, Any]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([task]))
    reading = read_labels(path, ReadingOptions())
    assert (named(reading), reading.findings) == (["sled"], [])


def test_a_suggestion_for_label_studio_is_known_as_such(tmp_path: Path) -> None:
    (tmp_path / "setup.xml").write_text("<View></View>")
    (tmp_path / "x.json").write_text(json.dumps([{"data": TASK, "annotations": [{"result": []}]}]))
    assert read_labels(tmp_path, ReadingOptions()).form == "label-studio"


def test_the_outline_of_coco_gives_a_box(tmp_path: Path) -> None:
    outline = {"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 50, 2, 50, 60]]}
    images, categories = [{"id": 1, "file_name": "a.jpg"}], [{"id": 1, "name": "sled"}]
    content = {"images": images, "categories": categories, "annotations": [outline]}
    (tmp_path / "README.dataset.txt").write_text("Roboflow's\n")
    (tmp_path / "x.json").write_text(json.dumps(content))
    (item,) = read_labels(tmp_path, ReadingOptions()).items
    assert item.boxes[0].corners == (1, 2, 50, 60)


def test_masks_and_ellipses_of_cvat_give_boxes(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(
        '<annotations><image name="a.jpg"><mask label="sled" left="1" top="2" width="5" height="6"/>'
        '<ellipse label="sled" cx="100" cy="50" rx="20" ry="10" rotation="90"/></image></annotations>'
    )
    (item,) = read_labels(path, ReadingOptions()).items
    assert item.boxes[0].corners == (1, 2, 6, 8)
    assert item.boxes[1].corners == pytest.approx((90, 30, 110, 70))


def test_a_renamed_picture_of_voc_is_found_by_its_files_name(tmp_path: Path) -> None:
    content = "<!DOCTYPE annotation>\n<annotation><filename>old.jpg</filename></annotation>"
    (tmp_path / "new.xml").write_text(content)
    cv2.imwrite(str(tmp_path / "new.jpg"), np.zeros((8, 8, 3), np.uint8))
    assert [one.name for one in locate(read_labels(tmp_path, ReadingOptions()), tmp_path)] == ["new.jpg"]


def test_what_the_labels_page_gives_is_read_without_proposals(tmp_path: Path) -> None:
    files = {"data.yaml": "names: [sled]\n", "labelled.txt": "images/a.jpg\n", "images/a.jpg": b"",
             "labels/a.txt": ROW, "proposals/b.txt": ROW, "proposals/classes.txt": "sled\n"}  # fmt: skip
    with unpacked(zipped(tmp_path / "z.zip", files)) as opened:
        reading = read_labels(opened, ReadingOptions())
    assert [item.picture for item in reading.items] == ["labels/a"]
    assert not reading.findings


def test_roboflows_darknet_folder_names_its_classes(tmp_path: Path) -> None:
    for name in ("train", "valid"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "_darknet.labels").write_text("sled\n")
        (tmp_path / name / "a.txt").write_text(ROW)
    assert named(read_labels(tmp_path, ReadingOptions())) == ["sled", "sled"]
