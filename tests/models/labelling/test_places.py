"""What is imported never takes the place of another picture, and frames of a clip stay recognisable as such."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from models.commands.dataset import split
from models.frames import FrameSettings, take_frames
from models.labelling.formats import ReadingOptions
from models.labelling.importing import Imported, import_labels
from models.labelling.names import Names
from models.labels import DataError
from models.splitting import clip_of
from spotter.catalog import load

SIDE = 64


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
    return path


def film(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIDE, SIDE))
    for number in range(4):
        writer.write(np.full((SIDE, SIDE, 3), seed + 20 * number, np.uint8))
    writer.release()
    return path


def labelled(folder: Path, name: str, seed: int, row: str = "0 0.5 0.5 0.5 0.5\n") -> Path:
    picture(folder / name, seed)
    (folder / Path(name).with_suffix(".txt")).write_text(row)
    (folder / "classes.txt").write_text("person\nkettlebell\n")
    return folder


def bring(source: Path, out: Path, pictures: Path | None = None) -> Imported:
    return import_labels(source, out, Names(load()), ReadingOptions(), pictures=pictures)


def names(out: Path, folder: str = "images") -> list[str]:
    return sorted(path.name for path in (out / folder).iterdir())


def test_pictures_of_one_stem_keep_their_own_labels(tmp_path: Path) -> None:
    out = tmp_path / "set"
    bring(labelled(tmp_path / "a", "0001.jpg", 1), out)
    other = labelled(tmp_path / "b", "0001.png", 2, "1 0.5 0.5 0.25 0.25\n")
    for _ in range(2):  # the same again replaces its labels
        bring(other, out)
        assert names(out) == ["0001.jpg", "v2-0001.png"]
        assert (out / "labels" / "0001.txt").read_text().startswith("0 ")
        assert (out / "labels" / "v2-0001.txt").read_text().startswith("1 ")


def test_renamed_frames_of_a_clip_stay_one_clip(tmp_path: Path) -> None:
    out = tmp_path / "set"
    for number, clip in enumerate("ab"):
        for frame in range(3):
            labelled(tmp_path / clip, f"{frame:06d}.jpg", 10 * number + frame)
        bring(tmp_path / clip, out)
    assert names(out) == [f"{tag}{frame:06d}.jpg" for tag in ("", "v2-") for frame in range(3)]
    assert len({clip_of(path) for path in (out / "images").iterdir()}) == 2


def test_frames_of_two_videos_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    out, rows = tmp_path / "set", tmp_path / "rows.csv"
    rows.write_text("0,person,1,8,8,30,30\n2,person,1,8,8,30,30\n")
    clips = [film(tmp_path / "mon" / "kit.mp4", 20), film(tmp_path / "tue" / "kit.mp4", 120)]
    for clip in (*clips, *clips):
        bring(rows, out, clip)
        first = cv2.imread(str(out / "images" / "kit-000000.jpg"))
        assert abs(float(first.mean()) - 20) < 5
    assert names(out) == ["kit-000000.jpg", "kit-000002.jpg", "v2-kit-000000.jpg", "v2-kit-000002.jpg"]


def test_frames_refuses_to_write_over_another_videos(tmp_path: Path) -> None:
    settings = FrameSettings(every=0.1, difference=0.0, sharpness=0.0)
    one, other = film(tmp_path / "mon" / "kit.mp4", 20), film(tmp_path / "tue" / "kit.mp4", 120)
    taken = take_frames(one, tmp_path / "out", settings)
    before = [path.read_bytes() for path in taken.kept]
    assert take_frames(one, tmp_path / "out", settings).kept == taken.kept
    with pytest.raises(DataError, match=r"kit-000000\.jpg exists and is another picture"):
        take_frames(other, tmp_path / "out", settings)
    assert [path.read_bytes() for path in taken.kept] == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("images/1a2b3c4d-clip-000001.jpg", "images/9f8e7d6c-clip-000002.jpg"),
        ("images/clip-000015_jpg.rf.0a1B2c.jpg", "images/clip-000030_jpg.rf.ffee01.jpg"),
        ("images/photo_png.rf.0a1b2c.jpg", "images/photo_png.rf.ffee01.jpg"),
        ("images/000000-v2.jpg", "images/000001-v2.jpg"),
        ("train/images/clip-000001.jpg", "valid/images/clip-000002.jpg"),
        ("images/train/000001.jpg", "images/val/000002.jpg"),
    ],
)
def test_a_clip_is_known_under_the_names_that_tools_give(one: str, other: str) -> None:
    assert clip_of(Path("set") / one) == clip_of(Path("set") / other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("images/20261130-0001.jpg", "images/20261201-0001.jpg"),
        ("images/00000001-0001.jpg", "images/00000002-0001.jpg"),
        ("front/images/000001.jpg", "back/images/000001.jpg"),
        ("images/photo.jpg", "images/other.jpg"),
    ],
)
def test_clips_of_their_own_are_not_joined(one: str, other: str) -> None:
    assert clip_of(Path("set") / one) != clip_of(Path("set") / other)


def existing(out: Path, data: str, *pictures: str) -> Path:
    out.mkdir(exist_ok=True)
    for number, name in enumerate(pictures):
        picture(out / name, 50 + number)
    (out / "data.yaml").write_text(f"{data}names: [person, kettlebell]\n")
    return out


def divided(out: Path) -> set[str]:
    """The pictures that a split shares out."""
    done = CliRunner().invoke(split, [str(out)])
    assert done.exit_code == 0, done.output
    return {Path(line).name for name in ("train", "val") for line in (out / f"{name}.txt").read_text().split()}


ROBOFLOW = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nroboflow: {version: 1}\n"


@pytest.mark.parametrize(
    ("data", "folder"),
    [
        ("train: images\nval: images\ntest: images/test\nnc: 2\n", "images"),
        ("train: images/train\nval: images/val\ntest: images/test\n", "images/train"),
        (ROBOFLOW, "train/images"),
    ],
)
def test_an_import_keeps_what_a_data_set_says(tmp_path: Path, data: str, folder: str) -> None:
    content = yaml.safe_load(data)
    places = [str(content[key]).removeprefix("../") for key in ("train", "val", "test")]
    out = existing(tmp_path / "set", data, *(f"{place}/{key}x.jpg" for place, key in zip(places, "abc", strict=True)))
    bring(labelled(tmp_path / "new", "new.jpg", 9), out)
    written = yaml.safe_load((out / "data.yaml").read_text())
    assert {key: written[key] for key in content} == content
    assert (out / folder / "new.jpg").is_file()
    assert (out / folder.replace("images", "labels") / "new.txt").is_file()
    assert divided(out) == {"ax.jpg", "bx.jpg", "new.jpg"}


def test_an_import_after_a_split_joins_both_sides_again(tmp_path: Path) -> None:
    pictures = ("images/a.jpg", "images/b.jpg", "images/test/c.jpg")
    out = existing(tmp_path / "set", "train: images\ntest: images/test\n", *pictures)
    divided(out)
    bring(labelled(tmp_path / "new", "new.jpg", 9), out)
    written = yaml.safe_load((out / "data.yaml").read_text())
    assert (written["train"], written.get("val"), written["test"]) == ("images", None, "images/test")
    assert divided(out) == {"a.jpg", "b.jpg", "new.jpg"}


def test_an_import_into_a_set_of_the_labels_page_is_listed(tmp_path: Path) -> None:
    out = existing(tmp_path / "set", "train: labelled.txt\nval: labelled.txt\n", "images/a.jpg", "images/b.jpg")
    (out / "labelled.txt").write_text("images/a.jpg\n")
    for number in range(2):
        bring(labelled(tmp_path / f"new{number}", f"n{number}x.jpg", 9 + number), out)
        written = yaml.safe_load((out / "data.yaml").read_text())
        assert (written["train"], written["val"]) == ("labelled.txt", "labelled.txt")
        assert divided(out) == {"a.jpg", *(f"n{done}x.jpg" for done in range(number + 1))}


@pytest.mark.parametrize("data", ["train: [a, b]\n", "train: list.txt\n", "path: ../elsewhere\ntrain: images\n"])
def test_a_data_set_that_has_no_one_place_is_refused(tmp_path: Path, data: str) -> None:
    out = existing(tmp_path / "set", data)
    before = (out / "data.yaml").read_text()
    with pytest.raises(DataError, match="another --out"):
        bring(labelled(tmp_path / "new", "new.jpg", 9), out)
    assert (out / "data.yaml").read_text() == before


def test_a_sources_test_split_stays_out(tmp_path: Path) -> None:
    source = tmp_path / "zip"
    for number, name in enumerate(("train", "test")):
        picture(source / name / "images" / f"{number}x.jpg", number)
        (source / name / "labels").mkdir()
        (source / name / "labels" / f"{number}x.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (source / "data.yaml").write_text("train: ../train/images\nnames: [person]\n")
    done = bring(source, tmp_path / "set")
    assert names(tmp_path / "set") == ["0x.jpg"]
    assert [f.place for f in done.findings] == ["test"]
