"""`spotter replay`, `truth` and `rules try` with their options, and what they say when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from spotter.cli import cli
from spotter.errors import SettingsError, SpotterError

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


def visits(*times: tuple[float, float], site: str = "gym", camera: str = "cam") -> Film:
    film = Film(camera, site)
    for start, end in times:
        film.show([], start - film.now).show(ON, end - start)
    return film.show([], 30)


@pytest.fixture
def spotter(tmp_path: Path) -> Any:
    """Runs a command on a log of some films."""
    (tmp_path / "gym.yaml").write_text(GYM)

    def run(command: str, *arguments: str, films: tuple[Film, ...] = ()) -> Result:
        lines = [scene.to_json() for film in films for scene in film.end()]
        (tmp_path / "scenes.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        words = [*command.split(), str(tmp_path / "scenes.jsonl"), *arguments, "--config", str(tmp_path / "gym.yaml")]
        return CliRunner().invoke(cli, words, catch_exceptions=False)

    return run


def starts(result: Result) -> list[tuple[str, str]]:
    return [(line["site"], line["started"][14:19]) for line in map(json.loads, result.stdout.splitlines())]


def test_an_empty_log_says_so_and_fails_nothing(spotter: Any) -> None:
    result = spotter("replay")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no scenes" in result.stderr


@pytest.mark.parametrize("begin", ["50", "2026-01-01T00:00:50Z"])
def test_replay_begins_where_it_is_told_to(spotter: Any, begin: str) -> None:
    assert starts(spotter("replay", "--from", begin, films=(visits((5, 20), (80, 100)),))) == [("gym", "01:20")]


def test_replay_takes_one_site_of_several(spotter: Any) -> None:
    films = visits((5, 20)), visits((7, 20), site="other")
    assert starts(spotter("replay", "--site", "gym", films=films)) == [("gym", "00:05")]
    with pytest.raises(SpotterError, match="no scene is of site gim; it has gym, other"):
        spotter("replay", "--site", "gim", films=films)


def test_a_site_that_the_settings_do_not_know_has_no_zones_unless_it_is_taken_for_another(spotter: Any) -> None:
    films = (visits((5, 20), site="other"),)
    result = spotter("replay", films=films)
    assert result.stdout == ""
    assert "site other is not in" in result.stderr
    assert starts(spotter("replay", "--as-site", "gym", films=films)) == [("gym", "00:05")]


def test_cameras_may_be_mixed_in_any_order(spotter: Any) -> None:
    mine = visits((5, 20))
    other = Film("desk").show([kettlebell("k", 0.6, 0.8, moving=True), person("p", 0.6, 0.9)], 10)
    result = spotter("replay", films=(mine, other))
    assert result.stdout == spotter("replay", films=(other, mine)).stdout
    assert "camera desk of site gym is not in" in result.stderr


def test_with_a_speed_every_event_is_printed_as_it_becomes_known(spotter: Any) -> None:
    lines = spotter("replay", "--speed", "1000000", films=(visits((5, 20)),)).stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["started", "updated", "ended"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "yesterday"], "write it as 2026-01-01T00:00:00Z"),
        (["--site", "a/b"], "use letters"),
        (["--keep-times"], "goes with --mqtt"),
        (["--speed", "0"], "--speed"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(spotter: Any, arguments: list[str], said: str) -> None:
    result = spotter("replay", *arguments, films=(visits((5, 20)),))
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_start_beyond_the_end_is_told(spotter: Any) -> None:
    with pytest.raises(SpotterError, match=r"the last one is of 2026-01-01T00:00:50\.000Z"):
        spotter("replay", "--from", "500", films=(visits((5, 20)),))


# rules try


def tried(spotter: Any, *assignments: str) -> dict[str, Any]:
    words = [word for assignment in assignments for word in ("--set", assignment)]
    result = spotter("rules try", *words, "--json", films=(visits((5, 20), (42, 60), (100, 102)),))
    found: dict[str, Any] = json.loads(result.stdout)["units"][0]
    return found


def test_a_longer_grace_joins_two_sessions(spotter: Any) -> None:
    found = tried(spotter, "leave_after=30")
    assert found["sessions"] == {"before": 2, "after": 1}
    assert found["minutes"] == {"before": 0.55, "after": pytest.approx(0.9167, abs=1e-4)}
    assert [(change["kind"], change["seconds"]) for change in found["changes"]] == [("lost", -15), ("longer", 37)]


def test_a_shorter_start_gains_a_session(spotter: Any) -> None:
    found = tried(spotter, "t-1.enter_after=1")
    assert (found["gained"], found["lost"], found["sessions"]) == (1, 0, {"before": 2, "after": 3})


def test_what_would_change_is_shown_as_a_table(spotter: Any) -> None:
    films = (visits((5, 20), (42, 60)),)
    output = spotter("rules try", "--set", "leave_after=30", films=films).stdout
    assert "2 → 1" in output
    assert "longer" in output
    assert "No session would change" in spotter("rules try", "--set", "leave_after=16", films=films).stdout


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("leave_aftr=3", "did you mean leave_after"),
        ("leave_after", "write it as NAME=VALUE"),
        ("leave_after=soon", "soon is no number"),
        ("leave_after=-1", "greater than or equal to 0"),
        ("t-2.leave_after=3", "there is no zone t-2; did you mean t-1"),
    ],
)
def test_a_wrong_threshold_is_named(spotter: Any, assignment: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        spotter("rules try", "--set", assignment, films=(visits((5, 20)),))
