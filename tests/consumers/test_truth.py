"""`spotter replay` and `spotter truth`, in their fixed forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from spotter.cli import cli
from spotter.errors import SpotterError

from .scenes import Film, kettlebell, person

GYM = """
site: gym
cameras:
  cam:
    uri: a.mp4
    zones:
      t-1: {kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.3, 0.5], [0.3, 1.0], [0.0, 1.0]]}
"""
ON = [person("p", 0.15, 0.9)]


def ran(tmp_path: Path, film: Film, command: str, *arguments: str) -> Result:
    (tmp_path / "gym.yaml").write_text(GYM)
    (tmp_path / "scenes.jsonl").write_bytes(b"\n".join(scene.to_json() for scene in film.end()) + b"\n")
    names = [str(tmp_path / name) if "." in name else name for name in arguments]
    return CliRunner().invoke(
        cli,
        [command, str(tmp_path / "scenes.jsonl"), *names, "--config", str(tmp_path / "gym.yaml")],
        catch_exceptions=False,
    )


def scores(tmp_path: Path, film: Film, sessions: list[tuple[float, float]], **more: Any) -> dict[str, Any]:
    truth = {
        "start": "2026-01-01T00:00:00Z",
        "sessions": [{"equipment": "treadmill", "unit": "t-1", "start": a, "end": b} for a, b in sessions],
        **more,
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    found: dict[str, Any] = json.loads(ran(tmp_path, film, "truth", "truth.json", "--json").output)["overall"]
    return found


def visits(*times: tuple[float, float]) -> Film:
    film = Film()
    for start, end in times:
        film.show([], start - film.now).show(ON, end - start)
    return film.show([], 30)


def test_replay_prints_ended_and_open_sessions(tmp_path: Path) -> None:
    film = visits((5, 20)).show([person("p", 0.6, 0.9), kettlebell("k", 0.6, 0.8, moving=True)], 10)
    lines = [json.loads(line) for line in ran(tmp_path, film, "replay").output.splitlines()]
    assert [(line["type"], line["equipment"], line["ended"]) for line in lines] == [
        ("ended", "treadmill", "2026-01-01T00:00:20.000Z"),
        ("updated", "kettlebell", None),
    ]
    assert {line["schema"] for line in lines} == {"spotter.usage/1"}


@pytest.mark.parametrize(
    ("found", "true", "expected"),
    [
        ([(5, 65)], [(5, 65)], {"error": 0.0, "missed": 0, "false": 0, "split": 0}),
        ([(5, 65)], [(5, 105)], {"error": 0.4, "missed": 0, "false": 0, "split": 0}),
        ([(5, 65)], [(5, 65), (80, 100)], {"error": 0.25, "missed": 1, "false": 0, "split": 0}),
        ([(5, 65), (90, 105)], [(5, 65)], {"error": 0.25, "missed": 0, "false": 1, "split": 0}),
        ([(5, 25), (45, 65)], [(5, 65)], {"error": 0.3333, "missed": 0, "false": 0, "split": 1}),
        ([(5, 65)], [(5, 25), (45, 65)], {"error": 0.5, "missed": 1, "false": 0, "split": 0}),
        ([], [(5, 65)], {"error": 1.0, "missed": 1, "false": 0, "split": 0}),
        ([(5, 65)], [], {"error": None, "missed": 0, "false": 1, "split": 0}),
    ],
    ids=["exact", "short", "missed", "false", "split", "two found as one", "nothing found", "nothing true"],
)
def test_truth_counts(
    tmp_path: Path, found: list[tuple[float, float]], true: list[tuple[float, float]], expected: dict[str, Any]
) -> None:
    got = scores(tmp_path, visits(*found), true)
    assert {name: got[name] for name in expected} == expected


def test_uncertain_times_count_neither_way(tmp_path: Path) -> None:
    got = scores(tmp_path, visits((5, 65), (90, 105)), [(5, 60)], uncertain=[[59, 66], [85, 110]])
    assert (got["error"], got["false"], got["true_minutes"]) == (0.0, 0, 0.9)


def test_an_open_session_is_compared_up_to_where_it_was_seen(tmp_path: Path) -> None:
    got = scores(tmp_path, Film().show(ON, 60), [(0, 60)])
    assert got["wrong_minutes"] <= 0.01


def test_the_table_names_units_and_the_sum(tmp_path: Path) -> None:
    scores(tmp_path, visits((5, 65)), [(5, 65)])
    output = ran(tmp_path, visits((5, 65)), "truth", "truth.json").output
    assert "treadmill" in output
    assert "t-1" in output
    assert "0.0%" in output


def test_a_log_of_another_time_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(
        json.dumps({"start": "2027-01-01T00:00:00Z", "sessions": [{"equipment": "treadmill", "start": 1, "end": 2}]})
    )
    with pytest.raises(SpotterError, match="record again with --start 2027-01-01"):
        ran(tmp_path, visits((5, 65)), "truth", "truth.json")


def test_a_line_that_is_no_scene_is_named(tmp_path: Path) -> None:
    (tmp_path / "gym.yaml").write_text(GYM)
    (tmp_path / "scenes.jsonl").write_text("{}\n")
    with pytest.raises(SpotterError, match=r"scenes.jsonl:1: not a valid Scene"):
        CliRunner().invoke(
            cli,
            ["replay", str(tmp_path / "scenes.jsonl"), "--config", str(tmp_path / "gym.yaml")],
            catch_exceptions=False,
        )
