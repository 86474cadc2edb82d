"""Every label format: what its tool writes is read as the boxes that were drawn."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labelling.darklabel_settings import read_settings
from models.labelling.formats import ReadingOptions, read_labels, unpacked
from models.labelling.importing import Imported, import_labels, labels_of
from models.labelling.names import Names, own_label
from models.labelling.writing import WRITERS, Proposed
from models.labels import GYM_LABELS, DataError, read_data_set
from spotter.catalog import load

WIDTH, HEIGHT = 200, 100
DARKLABEL = """%YAML:1.0
---
gt_merged: 0                  # 0: a file for each image
delimiter: ","
classes_set: "coco_classes"
my_classes1:  [ "YogaBlock", "Kettlebell","MedBall","FoamRoller","LacrosseBall", "AquaBall"]
coco_classes: ["person", "bicycle"]
format1:    # darknet yolo (predefined format]
  fixed_filetype: 1
  data_fmt: [classid, ncx, ncy, nw, nh]
  gt_file_ext: "txt"
  gt_merged: 0
  delimiter: " "
  classes_set: "my_classes1"
  name: "fitness_accessories"
format4:
  data_fmt: [fn, cname, id, x1, y1, w, h]
  gt_merged: 1
format9:
  data_fmt: [iname, classid, cx, cy, w, h]
  gt_merged: 1
  classes_set: "my_classes1"
"""


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def bring(source: Path, out: Path | None = None, **options: object) -> Imported:
    pictures = options.pop("pictures", None)
    every = options.pop("every", None)
    names = Names(load(), start=labels_of(out) if out else ())
    return import_labels(source, out, names, ReadingOptions(**options), pictures=pictures, every=every)  # type: ignore[arg-type]


def rows(out: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """Label and x1, y1, x2, y2 in pixels, by picture."""
    found = {}
    data = read_data_set(out / "data.yaml")
    for sample in data.train:
        scale = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
        corners = np.concatenate(
            (sample.rows[:, 1:3] - sample.rows[:, 3:] / 2, sample.rows[:, 1:3] + sample.rows[:, 3:] / 2), 1
        )
        found[sample.path.name] = [
            (data.labels[int(n)], [round(float(v), 1) for v in box])
            for n, box in zip(sample.rows[:, 0], corners * scale, strict=True)
        ]
    return found


def test_darklabel_as_a_trainer_leaves_it(tmp_path: Path) -> None:
    """Pictures in `images/`, rows beside it, class names from the list that the yolo format names."""
    picture(tmp_path / "clip" / "images" / "00000000.png")
    picture(tmp_path / "clip" / "images" / "00000001.png", 1)
    (tmp_path / "clip" / "00000000.txt").write_text("0 0.5 0.5 0.2 0.4\n1 0.25 0.25 0.1 0.1\n")
    (tmp_path / "clip" / "darklabel.yml").write_text(DARKLABEL)
    done = bring(tmp_path / "clip", tmp_path / "out")
    assert done.form == "darklabel"
    assert done.names == {"YogaBlock": "yoga_block", "Kettlebell": "kettlebell"}
    assert rows(tmp_path / "out") == {
        "00000000.png": [("yoga_block", [80.0, 30.0, 120.0, 70.0]), ("kettlebell", [40.0, 20.0, 60.0, 30.0])]
    }
    assert any("1 pictures have no labels" in str(finding) for finding in done.findings)
    assert read_data_set(tmp_path / "out" / "data.yaml").labels == GYM_LABELS


@pytest.mark.parametrize(
    ("content", "options", "wanted"),
    [
        ("1,Kettlebell,0,10,20,30,40\n1,MedBall,1,50,50,10,10\n", {},
         {"b.png": [("kettlebell", [10, 20, 40, 60]), ("med_ball", [50, 50, 60, 60])]}),
        ("a.png,Kettlebell,0,10,20,30,40\n", {}, {"a.png": [("kettlebell", [10, 20, 40, 60])]}),
        ("b.png,2,25,40,30,40\n", {"classes": "darklabel.yml", "classes_set": "my_classes1"},
         {"b.png": [("med_ball", [10, 20, 40, 60])]}),
        ("0,2,7,10,20,40,60,Kettlebell,8,50,50,60,60,MedBall\n1,0\n",
         {"fields": "fn,n,[id,x1,y1,x2,y2,cname]"},
         {"a.png": [("kettlebell", [10, 20, 40, 60]), ("med_ball", [50, 50, 60, 60])], "b.png": []}),
        ("0;Kettlebell;0.05;0.2;0.2;0.6\n", {"fields": "fn,cname,nx1,ny1,nx2,ny2"},
         {"a.png": [("kettlebell", [10, 20, 40, 60])]}),
    ],
)  # fmt: skip
def test_darklabel_merged_files(
    tmp_path: Path, content: str, options: dict[str, object], wanted: dict[str, object]
) -> None:
    for seed, name in enumerate(("a", "b")):
        picture(tmp_path / "pictures" / f"{name}.png", seed)
    (tmp_path / "gt.txt").write_text(content)
    if "classes" in options:
        (tmp_path / "darklabel.yml").write_text(DARKLABEL)
        options = {**options, "classes": tmp_path / "darklabel.yml"}
    bring(tmp_path / "gt.txt", tmp_path / "out", pictures=tmp_path / "pictures", **options)
    assert rows(tmp_path / "out") == wanted


def test_darklabel_settings_are_read_as_opencv_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "darklabel.yml"
    path.write_text(DARKLABEL)
    read = read_settings(path)
    assert read.class_list()[1][0] == "YogaBlock"  # the yolo format's own list, not the default
    assert read.class_list("coco_classes") == ("coco_classes", ("person", "bicycle"))
    with pytest.raises(DataError, match=r"no class list 'mine' .it has my_classes1, coco_classes"):
        read.class_list("mine")


def test_merged_labels_of_a_video_become_its_frames(tmp_path: Path) -> None:
    clip = tmp_path / "swing.mp4"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"mp4v"), 10, (WIDTH, HEIGHT))
    for i in range(20):
        writer.write(np.full((HEIGHT, WIDTH, 3), i * 12, np.uint8))
    writer.release()
    (tmp_path / "gt.csv").write_text("".join(f"{i},Kettlebell,0,10,20,30,40\n" for i in (*range(15), 25)))
    done = bring(tmp_path / "gt.csv", tmp_path / "out", pictures=clip, every=0.5)
    assert list(rows(tmp_path / "out")) == ["swing-000000.jpg", "swing-000005.jpg", "swing-000010.jpg"]
    levels = [cv2.imread(str(p)).mean() for p in sorted((tmp_path / "out" / "images").iterdir())]
    assert np.abs(np.array(levels) - [0, 60, 120]).max() < 8  # each picture is the frame that its name says
    assert any("no such frame" in str(finding) for finding in done.findings)


def test_voc(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>200</width><height>100</height></size>"
        "<object><name>Medicine ball</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax>"
        "</bndbox></object><object><name>x</name></object></annotation>"
    )
    done = bring(tmp_path, tmp_path / "out")
    assert rows(tmp_path / "out") == {"a.png": [("med_ball", [10, 20, 40, 60])]}
    assert [f.kind for f in done.findings] == ["bad row"]


def test_coco_at_another_size(tmp_path: Path) -> None:
    """Boxes drawn on a copy of half the size are scaled to the picture."""
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "coco.json").write_text(json.dumps({
        "images": [{"id": 7, "file_name": "sub/a.png", "width": 100, "height": 50}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [5, 10, 15, 20]}, {"image_id": 8, "bbox": [1, 1, 1, 1]},
        ],
        "categories": [{"id": 3, "name": "girya"}, {"id": 4, "name": "Dumbbell"}],
    }))  # fmt: skip
    done = bring(tmp_path / "coco.json", tmp_path / "out")
    assert rows(tmp_path / "out") == {"a.png": [("kettlebell", [10, 20, 40, 60])]}
    assert {(f.kind, f.place) for f in done.findings} >= {
        ("empty class", "Dumbbell"),
        ("bad row", "coco.json, annotation 2"),
    }


def test_label_studio_with_a_turned_box(tmp_path: Path) -> None:
    """A box turned by 90 degrees about its top left corner lies to the left of it, its sides exchanged."""
    picture(tmp_path / "img 1.png")
    value = {"x": 50, "y": 20, "width": 20, "height": 10, "rotation": 90, "rectanglelabels": ["FoamRoller"]}
    task = {
        "id": 1,
        "data": {"image": "/data/upload/3/0a1b2c3d-img%201.png"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {"result": [{"type": "rectanglelabels", "original_width": 200, "original_height": 100, "value": value}]},
        ],
    }
    (tmp_path / "export.json").write_text(json.dumps([task, {"data": {"image": "b.png"}, "annotations": []}]))
    done = bring(tmp_path / "export.json", tmp_path / "out")
    # 40 x 10 px at (100, 20), turned clockwise: 10 px wide to the left of x = 100, 40 px high from y = 20.
    assert rows(tmp_path / "out") == {"img 1.png": [("foam_roller", [90, 20, 100, 60])]}
    assert [f.kind for f in done.findings] == ["unlabelled picture"]


def test_label_studio_video_moves_between_drawn_frames(tmp_path: Path) -> None:
    key = {"width": 10, "height": 10, "y": 0, "rotation": 0}
    sequence = [{**key, "frame": 1, "x": 0, "enabled": True}, {**key, "frame": 5, "x": 40, "enabled": False}]
    result = {"type": "videorectangle", "value": {"framesCount": 9, "labels": ["Dumbbell"], "sequence": sequence}}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"data": {"video": "/x/clip.mp4"}, "annotations": [{"result": [result]}]}]))
    reading = read_labels(path, ReadingOptions())
    assert [i.picture for i in reading.items] == [0, 1, 2, 3, 4]
    assert [i.boxes[0].corners[0] for i in reading.items] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_cvat_pictures_in_a_zip(tmp_path: Path) -> None:
    xml = (
        "<annotations><version>1.1</version><meta><task><labels><label><name>Swiss ball</name></label></labels></task>"
        '</meta><image id="0" name="day1/a.png" width="200" height="100">'
        '<box label="Swiss ball" occluded="0" xtl="10.0" ytl="20.0" xbr="40.0" ybr="60.0" rotation="90"/>'
        '<polygon label="Battle rope" points="1,1;9,1;9,8"/><polyline label="x" points="1,1;2,2"/></image>'
        "</annotations>"
    )
    png = picture(tmp_path / "a.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", xml)
        archive.writestr("images/day1/a.png", png)
    done = bring(tmp_path / "task.zip", tmp_path / "out")
    # 30 x 40 px about (25, 40), turned by a quarter: 40 x 30.
    assert rows(tmp_path / "out") == {"a.png": [("exercise_ball", [5, 25, 45, 55]), ("battle_rope", [1, 1, 9, 8])]}
    assert {f.kind for f in done.findings} == {"left out", "unknown class"}
    assert labels_of(tmp_path / "out") == (*GYM_LABELS, "battle_rope")


def test_cvat_video_tracks(tmp_path: Path) -> None:
    box = '<box frame="{}" outside="{}" occluded="0" keyframe="1" xtl="{}" ytl="0" xbr="{}" ybr="10"/>'
    track = "".join(box.format(f, o, x, x + 10) for f, o, x in ((0, 0, 0), (4, 0, 40), (5, 1, 40), (8, 0, 80)))
    path = tmp_path / "annotations.xml"
    path.write_text(
        "<annotations><meta><task><original_size><width>200</width><height>100</height></original_size></task></meta>"
        f'<track id="3" label="Kettlebell">{track}</track></annotations>'
    )
    reading = read_labels(path, ReadingOptions())
    assert [(i.picture, i.boxes[0].corners[0]) for i in reading.items] == [
        (0, 0),
        (1, 10),
        (2, 20),
        (3, 30),
        (4, 40),
        (8, 80),
    ]
    assert reading.items[0].size == (200, 100)


def test_yolo_rows_of_other_tools(tmp_path: Path) -> None:
    """A detector's rows with scores, DarkLabel's with object numbers, and polygons."""
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(
        "0 0.5 0.5 0.2 0.4 0.87\n1 12 0.25 0.25 0.1 0.1\n0 0.1 0.1 0.2 0.1 0.2 0.3\n"
    )
    (tmp_path / "classes.txt").write_text("Kettlebell\nDumbbell\n")
    bring(tmp_path, tmp_path / "out")
    assert rows(tmp_path / "out") == {
        "a.png": [
            ("kettlebell", [80, 30, 120, 70]), ("dumbbell", [40, 20, 60, 30]), ("kettlebell", [20, 10, 40, 30])
        ]
    }  # fmt: skip


def test_check_lists_every_mistake_and_writes_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(
        "0 0.5 0.5 0.2 0.4\n0 0.5 0.5 0.2 0.4\n0 0.5 0.5 0 0.1\n"
        "0 3 3 0.1 0.1\nnonsense\n0 0.95 0.5 0.2 0.2\n0 nan 0.5 0.1 0.1\n"
    )
    (tmp_path / "labels" / "gone.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "classes.txt").write_text("Kettlebell\nDumbbell\n")
    before = sorted(tmp_path.rglob("*"))
    done = bring(tmp_path)
    assert not done.sound
    listed = [(f.kind, f.place.rpartition("line ")[2] if "line" in f.place else f.place) for f in done.findings]
    assert sorted(listed) == sorted([
        ("bad row", "5"), ("missing picture", "labels/gone"), ("duplicate", "2"), ("bad box", "3"), ("bad box", "4"),
        ("clipped box", "6"), ("bad box", "7"), ("empty class", "Dumbbell"),
    ])  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


def test_a_second_clip_is_added_and_a_corrected_one_replaced(tmp_path: Path) -> None:
    for clip, seed in (("one", 1), ("two", 2)):
        picture(tmp_path / clip / "0001.png", seed)
        (tmp_path / clip / "0001.txt").write_text("0 0.5 0.5 0.2 0.4\n")
        (tmp_path / clip / "classes.txt").write_text("Sled\n" if clip == "two" else "Kettlebell\n")
        bring(tmp_path / clip, tmp_path / "out")
    assert {name: boxes[0][0] for name, boxes in rows(tmp_path / "out").items()} == {
        "0001.png": "kettlebell", "v2-0001.png": "sled"
    }  # fmt: skip
    (tmp_path / "one" / "0001.txt").write_text("")
    bring(tmp_path / "one", tmp_path / "out")
    assert rows(tmp_path / "out")["0001.png"] == []


def test_names_are_found_by_alias_in_both_languages_and_others_are_kept() -> None:
    names = Names(load(), given={"Ball": "med_ball"})
    wanted = {
        "YogaBlock": "yoga_block", "MED BALL": "med_ball", "gym-ball": "exercise_ball", "케틀벨": "kettlebell",
        "ball": "med_ball", "BattleRope": "battle_rope", "People": "person",
    }  # fmt: skip
    assert {name: names.label(name) for name in wanted} == wanted
    assert names.unknown == {"BattleRope": "battle_rope"}
    assert names.labels == [*GYM_LABELS, "battle_rope"]
    assert own_label("매트") == "매트"


def test_hostile_and_empty_sources_are_one_clear_line(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xml"
    bomb.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]><annotations>&a;</annotations>')
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 no zip")
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    (numbers / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    for path, message in ((bomb, "declares entities"), (empty, "no label files"), (broken, "not a readable zip"),
                          (numbers, "give --classes"), (tmp_path / "none", "no such file")):  # fmt: skip
        with pytest.raises(DataError, match=message), unpacked(path) as opened:
            read_labels(opened, ReadingOptions())


boxes = st.lists(
    st.tuples(
        st.sampled_from(GYM_LABELS), st.integers(0, 150), st.integers(0, 60), st.integers(4, 49), st.integers(4, 39)
    ),
    max_size=5,
    unique=True,
)


@pytest.mark.parametrize("form", list(WRITERS))
@settings(max_examples=12, deadline=None)
@given(drawn=boxes)
def test_what_is_written_is_read_again(
    form: str, drawn: list[tuple[str, int, int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(form)
    corners = [(label, 0.5, (float(x), float(y), float(x + w), float(y + h))) for label, x, y, w, h in drawn]
    proposed = Proposed(picture(folder / "pictures" / "a.b-1.png"), WIDTH, HEIGHT, tuple(corners))
    written = WRITERS[form]([proposed], GYM_LABELS, folder / "labels")
    if form == "label-studio":  # what a person accepts there becomes an annotation
        tasks = json.loads(written.read_text())
        for task in tasks:
            task["annotations"] = task.pop("predictions")
        written.write_text(json.dumps(tasks))
    if form == "darklabel" and not drawn:
        return  # a merged file has no line for an empty picture
    reading = read_labels(written, ReadingOptions(form))
    found = []
    for box in reading.items[0].boxes:
        scale = (WIDTH, HEIGHT, WIDTH, HEIGHT) if box.relative else (1, 1, 1, 1)
        found.append((box.name, tuple(v * s for v, s in zip(box.corners, scale, strict=True))))
    assert [name for name, _ in found] == [label for label, _, _ in corners]
    assert np.allclose([c for _, c in found], [c for _, _, c in corners], atol=0.02)
