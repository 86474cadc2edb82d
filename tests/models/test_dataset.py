"""Frames from clips, and the care of a data set: split, check, preview, suggest."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from models.cli import model
from models.labels import DataError, Sample, read_data_set
from models.splitting import clip_of, split_samples

SIDE = 96


def call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(model, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def scene(seed: int) -> np.ndarray:
    """A picture with coarse structure of its own."""
    coarse = np.random.default_rng(seed).integers(30, 225, (12, 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def film(path: Path, images: list[np.ndarray], fps: int = 10) -> Path:
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def data_set(folder: Path, pictures: dict[str, np.ndarray], labels: dict[str, str] | None = None) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for name, image in pictures.items():
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        row = (labels or {}).get(name, "0 0.5 0.5 0.5 0.5\n")
        (folder / "labels" / f"{name}.txt").write_text(row)
    (folder / "data.yaml").write_text("train: images\nnames: [person, kettlebell]\n")
    return folder


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_frames_leave_out_blurred_ones_and_near_copies_and_say_so(tmp_path: Path) -> None:
    sharp = [np.kron(scene(seed)[::4, ::4], np.ones((6, 8, 1))).astype(np.uint8) for seed in range(5)]
    blurred = cv2.GaussianBlur(sharp[4], (0, 0), 12)
    clip = film(tmp_path / "kit.mp4", [*(im for im in sharp[:3] for _ in range(10)), *[blurred] * 5, *[sharp[3]] * 5])
    output = call("frames", clip, "--out", tmp_path / "out", "--every", "0.5s", "--size", 64).stdout
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["kit-000000.jpg", "kit-000010.jpg", "kit-000020.jpg", "kit-000035.jpg"]
    assert "4 of 8 frames" in output
    assert "3 near-copies" in output
    assert "1 blurred (frames 30)" in output
    kept = cv2.imread(str(tmp_path / "out" / "kit-000000.jpg"))
    assert kept.shape == (64, 64, 3)
    assert np.abs(kept[:4].astype(int) - 114).max() < 12  # wider than high: grey above

    call("frames", clip, "--out", tmp_path / "all", "--size", 64, "--stretch", "--keep-blurred", "--keep-copies")
    assert len(list((tmp_path / "all").iterdir())) == 8
    stretched = cv2.imread(str(tmp_path / "all" / "kit-000000.jpg"))
    assert np.abs(stretched[:4].astype(int) - 114).max() > 30


def test_frames_of_what_is_no_video_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(Exception, match=r"a\.mp4: not a video") as error:
        call("frames", tmp_path / "a.mp4")
    assert "\n" not in str(error.value)
    assert "no duration" in call("frames", tmp_path / "a.mp4", "--every", "often", code=2).output


def test_a_split_never_parts_a_clip_and_fits_the_ratio(tmp_path: Path) -> None:
    pictures = {f"clip{c}-{i:03d}": noisy(scene(c), i) for c in range(10) for i in range(4)}
    folder = data_set(tmp_path / "set", pictures)
    for seed in (0, 1, 7):
        call("split", folder, "--seed", seed)
        data = read_data_set(folder / "data.yaml")
        sides = [{clip_of(sample.path) for sample in side} for side in (data.train, data.val)]
        assert not sides[0] & sides[1]
        assert (len(data.train), len(data.val)) == (28, 12)
        call("check", folder)
    first = (folder / "val.txt").read_text()
    call("split", folder, "--seed", 7)
    assert (folder / "val.txt").read_text() == first
    call("split", folder, "--ratio", "90/10")
    assert len(read_data_set(folder / "data.yaml").val) == 4


def test_a_set_whose_pictures_lie_elsewhere_is_split_too(tmp_path: Path) -> None:
    """As a notebook leaves it: Train and Val beside each other, and a data.yaml that points there."""
    for side, seeds in (("Train", range(4)), ("Val", range(4, 6))):
        data_set(tmp_path / "drive" / side, {f"clip{seed}-1": scene(seed) for seed in seeds})
    (tmp_path / "yolov5").mkdir()
    data = tmp_path / "yolov5" / "data.yaml"
    data.write_text("path: ../drive\ntrain: Train/images\nval: Val/images\nnames: [person, kettlebell]\n")
    call("split", data, "--ratio", "50/50")
    split = read_data_set(data)
    assert (len(split.train), len(split.val)) == (3, 3)
    assert all(len(sample.rows) == 1 for sample in (*split.train, *split.val))


def test_near_copies_under_other_names_stay_together(tmp_path: Path) -> None:
    """The same scene was exported twice, once as a clip's frames and once as photos."""
    pictures = {f"clip-{i}": noisy(scene(1), i) for i in range(3)}
    pictures |= {name: noisy(scene(1), 9) for name in ("photo", "other")}
    pictures |= {f"far-{i}": noisy(scene(2), i) for i in range(2)}
    folder = data_set(tmp_path / "set", pictures)
    call("split", folder)
    sides = read_data_set(folder / "data.yaml")
    assert {p.path.stem.split("-")[0] for p in sides.val} == {"far"}


def test_one_clip_alone_is_refused_with_the_mend_and_can_be_split_in_time(tmp_path: Path) -> None:
    # A slow pan: neighbours look alike, the ends do not.
    long = np.concatenate([scene(seed) for seed in range(8)], 1)
    pictures = {f"pan-{i:03d}": np.ascontiguousarray(long[:, i * 12 : i * 12 + SIDE]) for i in range(50)}
    folder = data_set(tmp_path / "set", pictures)
    with pytest.raises(DataError, match=r"film a second clip, or split with --by scene or --by time"):
        call("split", folder)
    call("split", folder, "--by", "time")
    data = read_data_set(folder / "data.yaml")
    assert [s.path.stem for s in data.val] == [f"pan-{i:03d}" for i in range(35, 50)]
    assert 25 <= len(data.train) <= 35
    call("check", folder)


def test_scenes_between_cuts_can_be_parted(tmp_path: Path) -> None:
    dark, light = np.full((SIDE, SIDE, 3), 20, np.uint8), np.full((SIDE, SIDE, 3), 200, np.uint8)
    dark[20:60, 20:60], light[30:80, 10:40] = 90, 255
    samples = []
    for i, image in enumerate([dark, dark, light, light]):
        path = tmp_path / f"clip-{i}.png"
        cv2.imwrite(str(path), noisy(image, i) if i % 2 else image)
        samples.append(Sample(path, np.zeros((0, 5), np.float32)))
    done = split_samples(samples, 1, by="scene", share=0.5)
    assert {done.train, done.val} == {(0, 1), (2, 3)}


def test_check_finds_leaks_mistakes_and_counts(tmp_path: Path) -> None:
    pictures = {"a-1": scene(1), "a-2": noisy(scene(1), 3), "b-1": scene(2), "c-1": scene(3)}
    rows = {
        "a-1": "0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.3 0.3\n",
        "a-2": "1 0.5 0.5 0.3 0.3\n",
        "b-1": "5 0.5 0.5 0.3 0.3\nx\n",
        "c-1": "",
    }
    folder = data_set(tmp_path / "set", pictures, rows)
    (folder / "labels" / "gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "train.txt").write_text("./images/a-1.png\n./images/c-1.png\n./images/none.png\n")
    (folder / "val.txt").write_text("./images/a-2.png\n./images/b-1.png\n")
    (folder / "data.yaml").write_text("train: train.txt\nval: val.txt\nnames: [person, kettlebell, dumbbell]\n")
    found = json.loads(call("check", folder, "--json", code=1).stdout)
    assert not found["sound"]
    assert [(Path(leak["train"]).stem, Path(leak["val"]).stem) for leak in found["leaks"]] == [("a-1", "a-2")]
    train = found["splits"]["train"]
    assert (train["pictures"], train["empty"]) == (3, 1)
    # 0.3 of 640 px is 192 px: large; 0.1 is 64 px: medium.
    assert train["classes"]["kettlebell"] == {
        "boxes": 1, "pictures": 1, "small": 0, "medium": 0, "large": 1, "median_side_px": 192.0
    }  # fmt: skip
    assert train["classes"]["person"]["medium"] == 1
    kinds = sorted((f["kind"], Path(f["place"].split(",")[0]).name) for f in found["findings"])
    assert kinds == [
        ("bad row", "b-1.txt"), ("bad row", "b-1.txt"), ("empty class", "dumbbell"), ("missing picture", "gone.txt"),
        ("missing picture", "none.png"),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"none\.png does not exist"):
        read_data_set(folder / "data.yaml")
    text = call("check", folder, code=1).stdout
    assert "leak: " in text
    assert "not sound" in text


def test_check_finds_leaks_into_the_test_and_a_set_that_cannot_be_trained(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "set", {"a-1": scene(1), "b-1": scene(2)})
    (folder / "test.txt").write_text("images/a-1.png\n")
    (folder / "val.txt").write_text("images/b-1.png\n")
    (folder / "train.txt").write_text("images/a-1.png\n")
    (folder / "data.yaml").write_text("train: train.txt\nval: val.txt\ntest: [test.txt, gone]\nnames: [person]\n")
    found = json.loads(call("check", folder, "--json", code=1).stdout)
    assert [(Path(leak["train"]).stem, Path(leak["test"]).stem) for leak in found["leaks"]] == [("a-1", "a-1")]
    assert found["splits"]["test"]["pictures"] == 1
    assert "gone: is named as `test`" in call("check", folder, code=1).stdout
    (folder / "data.yaml").write_text("train: images\nnames: [person]\n")
    assert "`val` holds no pictures" in call("check", folder, code=1).stdout


@pytest.mark.parametrize(
    "row",
    [
        b"0 0.5 0.5 0.3 0.3 0.9\n",
        b"0 0.1 0.1 0.9 0.1 0.9 0.9\n",
        b"0 0.95 0.5 0.3 1.2\n",
        "0 0.5 0.5 0.3 0.3\n".encode("utf-16"),
    ],
)
def test_check_finds_what_split_and_train_refuse(tmp_path: Path, row: bytes) -> None:
    folder = data_set(tmp_path / "set", {"a-1": scene(1), "b-1": scene(2)})
    path = folder / "labels" / "a-1.txt"
    path.write_bytes(row)
    assert "bad row" in call("check", folder, code=1).stdout
    with pytest.raises(DataError, match=r"a-1\.txt"):
        call("split", folder)
    path.write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.3 0.3\n")  # as Windows saves UTF-8
    call("split", folder)
    call("check", folder)


def test_preview_draws_sheets_and_the_correlogram(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "set", {f"p{i}x": scene(i) for i in range(23)})
    output = call("preview", folder, "--out", tmp_path / "preview").stdout
    assert [Path(line).name for line in output.splitlines()] == ["train-01.jpg", "train-02.jpg", "correlogram.png"]
    sheet = cv2.imread(str(tmp_path / "preview" / "train-01.jpg"))
    assert sheet.shape == (4 * 320, 5 * 320, 3)
    # The box of the first tile is drawn in its class's colour at a quarter of the side.
    assert np.abs(sheet[160, 80].astype(int) - (170, 119, 68)).max() < 60
    assert len(np.unique(cv2.imread(str(tmp_path / "preview" / "correlogram.png")))) > 5


def test_split_takes_only_what_somebody_looked_at_where_the_dashboard_lists_it(tmp_path: Path) -> None:
    names = [f"{clip}-{number:04d}.jpg" for clip in "abc" for number in range(3)]
    (tmp_path / "images").mkdir()
    for number, name in enumerate(names):
        cv2.imwrite(str(tmp_path / "images" / name), scene(number))
    (tmp_path / "data.yaml").write_text("train: labelled.txt\nval: labelled.txt\nnames: [person, kettlebell]\n")
    (tmp_path / "labelled.txt").write_text("".join(f"images/{name}\n" for name in names[:6]))
    call("split", tmp_path)
    done = read_data_set(tmp_path / "data.yaml")
    assert sorted(sample.path.name for sample in (*done.train, *done.val)) == names[:6]


def test_split_leaves_the_test_and_what_else_the_file_says(tmp_path: Path) -> None:
    for number, side in enumerate(("train", "val", "test")):
        (tmp_path / "images" / side).mkdir(parents=True)
        for frame in range(4):
            cv2.imwrite(str(tmp_path / "images" / side / f"clip{number}{frame}x-1.jpg"), scene(10 * number + frame))
    for stated in ("test: images/test\n", ""):
        data = tmp_path / "gym.yaml"
        data.write_text(f"path: .\ntrain: images/train\nval: images/val\n{stated}names: [person]\nlicense: CC0\n")
        for _ in range(2):
            call("split", data)
            lines = [(tmp_path / f"{side}.txt").read_text() for side in ("train", "val")]
            assert sum(text.count("\n") for text in lines) == 8
            assert "images/test" not in "".join(lines)
            content = yaml.safe_load(data.read_text())
            assert content == {
                "license": "CC0", "train": "train.txt", "val": "val.txt", "test": "images/test", "names": ["person"]
            }  # fmt: skip
    assert not (tmp_path / "data.yaml").exists()


def test_suggest_proposes_for_unlabelled_pictures_alone(tmp_path: Path) -> None:
    folder = data_set(tmp_path / "set", {"done": scene(1), "new": scene(2)})
    (folder / "labels" / "new.txt").unlink()
    output = call("suggest", folder / "images", "--out", tmp_path / "out").stdout
    assert output.startswith("1 pictures")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["classes.txt", "darklabel.yml", "new.txt"]
    call("suggest", folder / "images", "--out", tmp_path / "coco", "--format", "coco", "--all")
    assert len(json.loads((tmp_path / "coco" / "suggested.json").read_text())["images"]) == 2
    (folder / "labels" / "new.txt").write_text("")
    with pytest.raises(DataError, match="all are labelled already"):
        call("suggest", folder / "images", "--out", tmp_path / "out")
    assert "none of yolo" in call("suggest", folder, "--format", "tfrecord", code=2).output
