"""`spotter model synth --pasted`: pictures with boxes out of product photos, without Blender."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from models.cli import model
from models.labels import GYM_LABELS, read_data_set


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for folder in ("cutouts/exercise_ball", "backgrounds"):
        (tmp_path / folder).mkdir(parents=True)
    photo = np.full((200, 200, 3), 255, np.uint8)
    cv2.circle(photo, (100, 100), 70, (160, 60, 30), -1)
    cv2.imwrite(str(tmp_path / "cutouts" / "exercise_ball" / "a.png"), photo)
    cv2.imwrite(str(tmp_path / "backgrounds" / "gym.jpg"), np.full((120, 160, 3), 100, np.uint8))
    return tmp_path


def call(sources: Path, out: str, *more: str) -> None:
    options = ["--cutouts", str(sources / "cutouts"), "--backgrounds", str(sources / "backgrounds"), "--size", "128"]
    done = CliRunner().invoke(
        model, ["synth", "--out", str(sources / out), "--count", "0", "--pasted", "4", *options, *more],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_pasted_pictures_have_boxes_and_repeat_by_seed(sources: Path) -> None:
    call(sources, "a")
    call(sources, "b")
    call(sources, "c", "--seed", "50")
    first, again, other = (read_data_set(sources / name / "data.yaml") for name in "abc")
    assert first.labels == GYM_LABELS
    assert len(first.train) == 4
    boxes = np.concatenate([s.rows for s in first.train])
    assert set(boxes[:, 0]) == {GYM_LABELS.index("exercise_ball")}
    for a, b in zip(first.train, again.train, strict=True):
        assert a.path.read_bytes() == b.path.read_bytes()
        np.testing.assert_array_equal(a.rows, b.rows)
    assert {p.path.name for p in other.train}.isdisjoint(p.path.name for p in first.train)


def test_a_stopped_run_goes_on_and_leaves_what_is_there(sources: Path) -> None:
    call(sources, "a")
    kept, lost = (sources / "a" / "images" / f"paste-00000{i}.jpg" for i in (1, 2))
    kept.write_bytes(b"mine")
    lost.unlink()
    call(sources, "a")
    assert kept.read_bytes() == b"mine"
    assert lost.is_file()


def test_pasting_without_sources_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(model, ["synth", "--out", str(tmp_path), "--count", "0", "--pasted", "1"])
    assert done.exit_code == 2
    assert "--cutouts" in done.output
