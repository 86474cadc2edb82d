from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pipeline.bench import bench_pipeline, measure_pipeline
from pipeline.bench_capture import bench_capture

from .staging import RED_KETTLEBELL, write_clip
from .weights import write_weights


def test_the_bench_measures_both_sides_in_one_run(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 2, lambda at: [(RED_KETTLEBELL, (10, 10, 50, 50))])
    weights = write_weights(tmp_path / "constant.onnx")
    found = measure_pipeline([clip], 1, 1, weights)
    assert found["bare_per_second"] > 0
    assert found["engine_per_second"] > 0
    assert found["turns"] >= 1


def test_the_bench_prints_a_table(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 2, lambda at: [(RED_KETTLEBELL, (10, 10, 50, 50))])
    weights = write_weights(tmp_path / "constant.onnx")
    result = CliRunner().invoke(bench_pipeline, [str(clip), "--model", str(weights), "--seconds", "5"])
    assert result.exit_code == 0, result.output
    assert len([line for line in result.output.splitlines() if line.startswith("| ")]) == 5


def test_the_bench_of_capture_prints_a_row_for_each_engine_that_is_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 2, lambda at: [(RED_KETTLEBELL, (10, 10, 50, 50))])
    result = CliRunner().invoke(bench_capture, [str(clip), "--rounds", "1"])
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 or "GStreamer is not installed" in result.stderr
    assert rows[2].startswith("| opencv | ")
