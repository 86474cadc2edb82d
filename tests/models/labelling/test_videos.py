"""Labels of videos: laid over the frames that they were drawn on, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.labelling.formats import ReadingOptions, read_labels
from models.labelling.pictures import locate
from models.labelling.records import Reading
from models.labels import DataError

SIDE = 64


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIDE, SIDE))
    for number in range(4):
        writer.write(np.full((SIDE, SIDE, 3), 40 * number, np.uint8))
    writer.release()
    return path


def task(video: str, label: str, frames: int = 2) -> dict[str, Any]:
    sequence = [{"frame": 1, "x": 10, "y": 10, "width": 40, "height": 40, "enabled": True}]
    value = {"framesCount": frames, "labels": [label], "sequence": sequence}
    return {"data": {"video": video}, "annotations": [{"result": [{"type": "videorectangle", "value": value}]}]}


def export(path: Path, *tasks: dict[str, Any]) -> Reading:
    path.write_text(json.dumps(tasks))
    return read_labels(path, ReadingOptions())


def test_of_several_videos_only_the_given_ones_boxes_are_taken(tmp_path: Path, clip: Path) -> None:
    reading = export(tmp_path / "e.json", task("/up/1a2b3c4d-b.mp4", "sled", 4), task("/up/1a2b3c4d-a.mp4", "person"))
    found = locate(reading, clip)
    assert [(one.frame, [box.name for box in one.item.boxes]) for one in found] == [(0, ["person"]), (1, ["person"])]
    assert [f.kind for f in reading.findings] == ["left out"]


def test_one_video_under_another_name_is_taken(tmp_path: Path, clip: Path) -> None:
    assert len(locate(export(tmp_path / "e.json", task("/up/original.mov", "person")), clip)) == 2


def test_two_videos_of_the_given_name_are_refused(tmp_path: Path, clip: Path) -> None:
    reading = export(tmp_path / "e.json", task("/mon/a.mp4", "person"), task("/tue/a.mp4", "sled"))
    with pytest.raises(DataError, match="export one alone"):
        locate(reading, clip)


def test_boxes_of_a_frame_that_is_labelled_twice_are_both_kept(tmp_path: Path, clip: Path) -> None:
    reading = export(tmp_path / "e.json", task("/up/a.mp4", "person"), task("/up/a.mp4", "sled"))
    assert [[box.name for box in one.item.boxes] for one in locate(reading, clip)] == [["person", "sled"]] * 2


def test_a_task_without_any_text_does_not_end_the_import(tmp_path: Path) -> None:
    reading = export(tmp_path / "e.json", {"data": {"number": 3}, "annotations": []}, task("/up/a.mp4", "person"))
    assert len(reading.items) == 2
    assert [f.kind for f in reading.findings] == ["bad row"]


def test_tracks_of_a_cvat_project_stay_with_their_video(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "project.xml"
    tasks = "".join(f"<task><id>{n}</id><source>{v}.mp4</source></task>" for n, v in ((1, "b"), (2, "a")))
    box = '<box frame="0" outside="0" xtl="1" ytl="1" xbr="30" ybr="30"/>'
    tracks = "".join(f'<track id="{n}" label="{n}" task_id="{n}">{box}</track>' for n in (1, 2))
    path.write_text(f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>{tracks}</annotations>")
    reading = read_labels(path, ReadingOptions())
    assert [[box.name for box in one.item.boxes] for one in locate(reading, clip)] == [["2"]]
    assert [f.kind for f in reading.findings] == ["left out"]
