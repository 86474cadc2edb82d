"""`spotter model corrected`: from a recording and what a trainer corrected to a set of the labels page."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

import spotter.detector
from dashboard.labelling import sets
from dashboard.labelling.sets import Box, LabelSet
from models.cli import model
from models.labels import DataError

FPS, SECONDS = 4, 20
START = "2026-11-30T08:00:00+01:00"


class StandIn:
    """Finds one of each at the same places, whatever it is shown."""

    labels = ("person", "Kettle Bell", "dumbbell", "Sled")

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def detect(self, images: list[np.ndarray]) -> list[SimpleNamespace]:
        boxes = np.array([[0, 0, 64, 64], [100, 100, 164, 164], [300, 100, 364, 164], [0, 320, 64, 384]], float)
        names = np.array(self.labels)
        return [SimpleNamespace(xyxy=boxes, confidence=np.full(4, 0.9), data={"class_name": names}) for _ in images]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotter.detector, "Detector", StandIn)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "gym.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (96, 96))
    for second in range(SECONDS):  # every second another scene
        scene = np.random.default_rng(second).integers(30, 225, (12, 12, 3)).astype(np.uint8)
        for _ in range(FPS):
            writer.write(np.kron(scene, np.ones((8, 8, 1), np.uint8)))
    writer.release()
    return path


def correction(begin: int, end: int, was: str, became: str | None, camera: str = "rack", at: int = 0) -> dict[str, Any]:
    return {
        "camera": camera, "begin": f"2026-11-30T07:00:{begin:02}+00:00", "end": f"2026-11-30T07:00:{end:02}+00:00",
        "was_taken_for": was, "is": became, "by": "ann", "at": f"2026-11-30T20:00:{at:02}+00:00",
    }  # fmt: skip


def call(recording: Path, out: Path, lines: Any, *more: object, start: str = START, code: int = 0) -> Result:
    listed = recording.with_name("corrections.json")
    listed.write_text(lines if isinstance(lines, str) else json.dumps(lines))
    arguments = ["corrected", recording, "--corrections", listed, "--camera", "rack", "--start", start, "--out", out]
    result = CliRunner().invoke(model, [str(a) for a in (*arguments, *more)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def labels_at(made: LabelSet) -> dict[int, list[str]]:
    """The proposed labels, by the picture's second."""
    return {
        int(p[4:10]) // FPS: [box.label for box in made.read(p).boxes] for p in made.pictures if p.startswith("gym-")
    }


def test_corrections_become_pictures_to_check_under_the_right_labels(recording: Path, tmp_path: Path) -> None:
    lines = [
        correction(11, 12, "dumbbell", None),
        correction(3, 5, "med_ball", "yoga_block", at=2),  # corrected twice, newest first
        correction(3, 5, "kettlebell", "med_ball", at=1),
        correction(4, 5, "dumbbell", "kettlebell"),  # at once, and no chain with the other
        correction(15, 18, "kettlebell", "yoga_block", camera="door"),
        correction(30, 40, "kettlebell", "yoga_block"),
    ]
    output = call(recording, tmp_path / "corrected", lines).stdout
    made = sets.find(tmp_path, "corrected")
    assert made is not None
    assert labels_at(made) == {
        3: ["person", "yoga_block", "dumbbell"],
        4: ["person", "yoga_block", "kettlebell"],
        5: ["person", "yoga_block", "kettlebell"],
        11: ["person", "kettlebell", "dumbbell"],
        12: ["person", "kettlebell", "dumbbell"],
    }
    assert made.counts() == {"proposed": 5}
    corners = made.read(made.pictures[0]).boxes[1].corners
    assert corners == pytest.approx((100 / 640, 100 / 640, 164 / 640, 164 / 640), abs=1e-5)
    assert "kettlebell → yoga_block 3, dumbbell → kettlebell 2" in output
    assert "corrected sessions: 3;" in output
    assert "no use: dumbbell" in output
    made.save(made.pictures[0], [Box("yoga_block", (0, 0, 1, 1))], made.read(made.pictures[0]).version)
    call(recording, tmp_path / "corrected", lines)  # again: what was accepted stays
    assert LabelSet(made.folder).counts() == {"proposed": 4, "done": 1}


def test_a_set_of_the_labels_page_is_added_to_and_keeps_its_numbers(recording: Path, tmp_path: Path) -> None:
    made = sets.create(tmp_path, "kit", ["Kettlebell", "person"])
    (made.folder / "images" / "old.jpg").write_bytes(b"")
    (made.folder / "proposals").mkdir()
    (made.folder / "proposals" / "classes.txt").write_text("sled\nperson\n")
    (made.folder / "proposals" / "old.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    call(recording, made.folder, [correction(3, 3, "dumbbell", "foam_roller")])
    made = LabelSet(made.folder)
    assert made.labels == ("Kettlebell", "person", "foam_roller")
    assert [box.label for box in made.read("old.jpg").boxes] == ["person"]
    assert labels_at(LabelSet(made.folder))[3] == ["person", "Kettlebell", "foam_roller"]


def test_a_start_without_time_zone_is_read_in_the_gyms(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "gym.yaml").write_text("site: gym\ntimezone: Europe/Berlin\ncameras: {}\n")
    lines, start = [correction(3, 3, "dumbbell", "foam_roller")], START[:-6]
    assert "has no time zone" in call(recording, tmp_path / "set", lines, start=start, code=2).output
    call(recording, tmp_path / "set", lines, "--config", tmp_path / "gym.yaml", start=start)
    assert len(LabelSet(tmp_path / "set").pictures) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "there are none at all"),
        ([correction(30, 40, "dumbbell", None)], r"2026-11-30T08:00:00\+01:00 to 2026-11-30T08:00:20\+01:00, which it"),
        (
            [correction(3, 4, "dumbbell", None, "door")],
            r"1 of door \(2026-11-30T08:00:03\+01:00 to .*08:00:04\+01:00\)",
        ),
        ("{}", r"corrections\.json: not what \*Download for training"),
        ("no JSON", r"corrections\.json: not what"),
        ([{**correction(3, 4, "dumbbell", None), "begin": "2026-11-30T07:00:03"}], r"0\.begin: "),
    ],
)
def test_what_gives_no_picture_is_one_clear_line(recording: Path, tmp_path: Path, lines: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        call(recording, tmp_path / "set", lines)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "set").exists()


def test_a_data_set_that_trains_what_nobody_looked_at_is_left_alone(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"train": "images", "names": ["person"]}))
    with pytest.raises(DataError, match="not of the labels page"):
        call(recording, tmp_path, [correction(3, 4, "dumbbell", None)])
    assert not (tmp_path / "images").exists()


def test_sessions_between_two_frames_and_starts_that_are_none_are_refused(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frame within the corrected sessions; give a smaller --every"):
        call(recording, tmp_path / "set", [correction(3, 4, "dumbbell", None)], "--every", "10s")
    assert not (tmp_path / "set" / "data.yaml").exists()
    assert "is no time" in call(recording, tmp_path, [], start="yesterday", code=2).output
