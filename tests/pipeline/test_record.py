from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.recording import record
from spotter.cli import cli
from spotter.errors import CameraError, SettingsError, SpotterError, WeightsError
from spotter.events import Scene, parse, seconds_between
from spotter.settings import Camera, Settings

from .staging import GREEN_PERSON, RED_KETTLEBELL, START, ColourDetector, write_clip
from .weights import write_weights


def lifted_kettlebell(at: float):
    """Rests until 4 s, is carried up and down until 8 s, rests again; a person stands there from 3 to 9 s."""
    height = 60 * abs(((at - 4) % 2) - 1) if 4 <= at < 8 else 60
    blocks = [(RED_KETTLEBELL, (200, 40 + int(height), 230, 75 + int(height)))]
    if 3 <= at < 9:
        blocks.append((GREEN_PERSON, (100, 20, 160, 170)))
    return blocks


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", 16, lifted_kettlebell)


def recorded(clip: Path, **options: object) -> list[Scene]:
    settings = Settings(site="downtown", cameras={"rack": Camera(uri=str(clip))})
    return list(record(settings, "rack", ColourDetector(), start=START, **options))  # type: ignore[arg-type]


def test_a_clip_becomes_its_scenes_much_faster_than_it_plays(clip: Path) -> None:
    began = time.monotonic()
    scenes = recorded(clip)
    assert time.monotonic() - began < 8
    assert [scene.seq for scene in scenes] == list(range(len(scenes)))
    assert {scene.floor for scene in scenes} == {0}
    assert scenes[0].time == START
    assert 14 < seconds_between(START, scenes[-1].time) <= 16


def test_the_same_clip_gives_the_same_scenes(clip: Path) -> None:
    assert recorded(clip) == recorded(clip)


def test_a_recording_tells_the_story_of_the_clip(clip: Path) -> None:
    scenes = recorded(clip)
    moving, present = set(), set()
    for scene in scenes:
        at = seconds_between(START, scene.time)
        for one in scene.objects:
            if one.label == "kettlebell" and one.moving:
                moving.add(at)
            if one.label == "person":
                present.add(at)
    assert min(moving) == pytest.approx(4.3, abs=0.5)
    assert max(moving) == pytest.approx(8.6, abs=0.7)
    assert min(present) == pytest.approx(3.1, abs=0.3)
    assert max(present) <= 9.5
    ids = {one.id for scene in scenes for one in scene.objects}
    assert len(ids) == 2
    gaps = [seconds_between(a.time, b.time) for a, b in itertools.pairwise(scenes)]
    assert max(gaps) <= 5.2, "a still picture is told of every 5 s"


def test_a_part_of_a_clip_can_be_recorded(clip: Path) -> None:
    scenes = recorded(clip, seconds=3.5)
    assert 2.9 < seconds_between(START, scenes[-1].time) < 3.5


def test_a_missing_clip_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no such file"):
        recorded(tmp_path / "missing.mp4")


@pytest.fixture(scope="module")
def config(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    weights = write_weights(folder / "constant.onnx")
    config = folder / "gym.yaml"
    config.write_text(f"uri: {clip}\nmodel: {weights}\n")
    return config


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_writes_scenes_one_a_line_from_the_given_start(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "scenes.jsonl"
    result = run("record", "--config", config, "--out", out, "--start", "2026-01-01T00:00:00Z", "--seconds", "3")
    assert result.exit_code == 0, result.output
    scenes = [parse(Scene, line) for line in out.read_bytes().splitlines()]
    assert scenes[0].time == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert {one.label for one in scenes[-1].objects} == {"person", "kettlebell"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--out", "x.jsonl"), SystemExit),
        (("--config", "CONFIG", "--camera", "nobody", "--out", "x.jsonl"), SettingsError),
        (("--config", "CONFIG", "--out", "no-such-folder/x.jsonl"), SpotterError),
        (("--config", "CONFIG", "--start", "yesterday", "--out", "x.jsonl"), SystemExit),
        (("--config", "CONFIG", "--start", "9999-12-31T23:59:59Z", "--out", "x.jsonl"), SystemExit),
        (("--config", "CONFIG", "--start", "0001-01-01T00:00:00+05:00", "--out", "x.jsonl"), SystemExit),
        (("--uri", "", "--out", "x.jsonl"), SystemExit),
        (("--uri", "rtsp://[bad", "--out", "x.jsonl"), SystemExit),
        (("--uri", "rtsp://user:pw@h/x", "--out", "x.jsonl"), SystemExit),
    ],
)
def test_wrong_use_is_refused(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("record", *(str(config) if argument == "CONFIG" else argument for argument in arguments))
    assert isinstance(result.exception, error)


def test_damaged_weights_are_told_of(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"garbage")
    (tmp_path / "gym.yaml").write_text(f"uri: {clip}\nmodel: bad.onnx\n")
    result = run("record", "--config", tmp_path / "gym.yaml", "--out", tmp_path / "x.jsonl")
    assert isinstance(result.exception, WeightsError)


def test_probing_a_file_tells_what_it_is(clip: Path) -> None:
    result = run("camera", "probe", clip)
    assert result.exit_code == 0
    assert "320x180, 10 frames a second, 16.0 s" in result.output


def test_probing_a_missing_file_fails_with_the_reason() -> None:
    result = run("camera", "probe", "missing.mp4")
    assert isinstance(result.exception, CameraError)
    assert str(result.exception) == "missing.mp4: no such file; check the path"


@pytest.mark.parametrize("address", ["", "rtsp://[bad"])
def test_an_address_that_is_none_is_wrong_use_told_on_one_line(address: str) -> None:
    result = run("camera", "probe", address)
    assert result.exit_code == 2
    assert [line for line in result.output.splitlines() if "rtsp:// or http://" in line]
    assert "pydantic" not in result.output


def test_a_recording_that_fails_leaves_the_former_one_alone(tmp_path: Path) -> None:
    weights, out = write_weights(tmp_path / "constant.onnx"), tmp_path / "scenes.jsonl"
    (tmp_path / "gym.yaml").write_text(f"uri: missing.mp4\nmodel: {weights}\n")
    out.write_text("precious")
    result = run("record", "--config", tmp_path / "gym.yaml", "--out", out)
    assert isinstance(result.exception, CameraError)
    assert out.read_text() == "precious"
    assert not list(tmp_path.glob("*.part"))


def test_what_was_recorded_until_ctrl_c_is_kept(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[Scene]:
        yield from recorded(clip, seconds=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.record_scenes", interrupted)
    out = tmp_path / "scenes.jsonl"
    assert run("record", "--config", config, "--out", out).exit_code == 0
    assert out.read_bytes().splitlines()
    assert not list(tmp_path.glob("*.part"))
