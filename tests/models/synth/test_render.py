"""A tiny render with Blender: boxes are those of the mask, and labels sit where things are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.synth.boxes import visible_boxes
from models.synth.meshes import Paint, ball, box
from models.synth.scenes import random_scene
from models.synth.stage import Camera, Stage

pytest.importorskip("bpy", reason="Blender (bpy) is not installed; it comes with the extra [synth]")


def test_a_box_is_where_the_projection_says_and_stops_at_what_hides_it() -> None:
    stage = Stage(96, 96, samples=1)
    stage.sky((1, 1, 1), 1.0)
    camera = Camera((0, -4, 0), (0, 0, 0), 50)
    stage.look(camera)
    red = Paint((0.8, 0.1, 0.1))
    stage.add(ball(0.6, red), 1)
    wall = box((1.0, 0.1, 2.0), red).moved(shift=(0.5, -1.0, 0))
    stage.add(wall, 2)
    picture = stage.render()
    found = visible_boxes(picture.index)
    places = camera.project(ball(0.6, red).vertices, 1.0)[:, :2] * 96
    edge = camera.project(wall.vertices, 1.0)[:, 0].min() * 96
    x1, y1, x2, y2 = found[1].box_px
    assert (x1, y1, y2) == pytest.approx((places[:, 0].min(), places[:, 1].min(), places[:, 1].max()), abs=1.5)
    assert x2 == pytest.approx(edge, abs=1.5)
    assert picture.rgba[48, 44, 0] > picture.rgba[48, 44, 2] + 20, "red is red"
    mask = picture.index == 1
    assert np.flatnonzero(mask.any(axis=0))[[0, -1]] == pytest.approx((x1, x2 - 1))


def test_a_crop_is_the_same_picture_cut_out() -> None:
    stage = Stage(80, 60, samples=1)
    stage.sky((1, 1, 1), 1.0)
    stage.look(Camera((0, -4, 0), (0, 0, 0), 50))
    stage.add(ball(0.7, Paint((0.2, 0.5, 0.8))), 1)
    whole = stage.render().index
    for window in ((7, 5, 61, 52), (33, 0, 80, 47)):
        x1, y1, x2, y2 = window
        stage.crop((x1 / 80, y1 / 60, x2 / 80, y2 / 60))
        part = stage.render().index
        assert part.shape == (y2 - y1, x2 - x1)
        assert np.mean(part != whole[y1:y2, x1:x2]) < 0.01


def test_a_training_picture_has_labels_inside_it(tmp_path: Path) -> None:
    pytest.importorskip("anny", reason="bodies (anny) are not installed; they come with the extra [synth]")
    from click.testing import CliRunner

    from models.cli import model

    args = ["synth", "--out", str(tmp_path), "--count", "1", "--seed", "12", "--size", "64", "--samples", "1"]
    args += ["--jobs", "1"]
    run = CliRunner().invoke(model, args, catch_exceptions=False)
    assert run.exit_code == 0
    (picture,) = (tmp_path / "images").iterdir()
    rows = (tmp_path / "labels" / f"{picture.stem}.txt").read_text().splitlines()
    for row in rows:
        number, *box_values = row.split()
        x, y, width, height = map(float, box_values)
        assert 0 <= int(number) <= 8
        assert -1e-6 <= x - width / 2 <= x + width / 2 <= 1 + 1e-6
        assert -1e-6 <= y - height / 2 <= y + height / 2 <= 1 + 1e-6


def test_kit_in_use_is_in_the_hands_of_everybody_and_mostly_a_kettlebell() -> None:
    pytest.importorskip("anny", reason="bodies (anny) are not installed; they come with the extra [synth]")
    lifted = kettlebells = people = 0
    for seed in range(40):
        things = random_scene(np.random.default_rng(seed), with_room=False, view="use").things
        people += sum(thing.label == "person" for thing in things)
        held = [thing.label for thing in things if thing.label != "person" and thing.mesh.vertices[:, 2].min() > 0.02]
        lifted, kettlebells = lifted + len(held), kettlebells + held.count("kettlebell")
    assert people >= 40
    assert lifted >= 0.9 * people
    assert kettlebells >= 0.5 * people


def test_a_kiosk_can_be_asked_for_that_is_shown_kettlebells_only() -> None:
    pytest.importorskip("anny", reason="bodies (anny) are not installed; they come with the extra [synth]")
    for seed in range(6):
        things = random_scene(np.random.default_rng(seed), with_room=False, view="show").things
        held = [thing.label for thing in things if thing.mesh.vertices[:, 2].min() > 0.5]
        assert held == ["kettlebell"], seed


def test_on_the_floor_somebody_treats_themselves_with_a_roller_or_a_small_ball() -> None:
    pytest.importorskip("anny", reason="bodies (anny) are not installed; they come with the extra [synth]")
    rng = np.random.default_rng(0)
    used = []
    for _ in range(30):
        things = random_scene(rng, with_room=False, view="floor").things
        if things and things[0].label == "person":
            person, thing = things[0].mesh.vertices, things[1].mesh.vertices
            assert float(thing[:, 2].min()) == pytest.approx(0, abs=0.01), "it lies on the floor"
            away = np.linalg.norm(person - thing.mean(axis=0), axis=1).min()
            assert float(away) < 0.45, "under them"
            used.append(things[1].label)
    assert {"foam_roller", "lacrosse_ball"} <= set(used)


def test_two_processes_render_what_one_renders(tmp_path: Path) -> None:
    pytest.importorskip("anny", reason="bodies (anny) are not installed; they come with the extra [synth]")
    for jobs in ("1", "2"):  # in processes of their own: Blender's import changes where Python looks for modules
        args = ["--count", "2", "--size", "64", "--samples", "1", "--view", "items", "--jobs", jobs]
        call = [sys.executable, "-m", "spotter", "model", "synth", "--out", str(tmp_path / jobs), *args]
        subprocess.run(call, check=True, timeout=120, capture_output=True)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / jobs).glob("*/*.*")} for jobs in ("1", "2"))
    assert one == two
    assert len(one) == 4


def test_items_by_themselves_are_cut_out_by_their_alpha(tmp_path: Path) -> None:
    from models.cutouts import read_cutouts
    from models.synth.items import CLASSES

    def render(jobs: str) -> str:  # in a process of its own, as above
        args = ["--count", "0", "--products", "2", "--size", "320", "--samples", "1", "--jobs", jobs]
        call = [sys.executable, "-m", "spotter", "model", "synth", "--out", str(tmp_path), *args]
        return subprocess.run(call, check=True, timeout=120, capture_output=True, text=True).stderr

    assert "16 items" in render("2")
    cuts = read_cutouts(tmp_path / "products", CLASSES)
    assert sorted(cut.label for cut in cuts) == sorted([*range(1, 9)] * 2)
    assert all(max(cut.mask.shape) > 160 and cut.mask.max() == 255 for cut in cuts), "whole, and large in the picture"
    written = {path: path.read_bytes() for path in tmp_path.glob("products/*/*.png")}
    next(iter(written)).unlink()
    render("1")
    assert {path: path.read_bytes() for path in tmp_path.glob("products/*/*.png")} == written, "by its seed alone"
