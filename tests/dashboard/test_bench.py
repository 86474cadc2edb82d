"""`spotter bench dashboard`: a short year, every route that may be asked for, and the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from dashboard import rights
from dashboard.bench import routes, year
from spotter.cli import cli
from spotter.database.engine import open_database


def test_every_page_and_call_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(year, "DAYS", 8)
    address = f"sqlite:///{tmp_path / 'bench.db'}"
    command = ["bench", "dashboard", "--sessions", "2000", "--rounds", "2", "--database", address]
    answer = CliRunner().invoke(cli, command)
    assert answer.exit_code == 0, answer.output
    rows = dict(re.findall(r"^\| `(\S+)`.* \| (\d+) \| \d+ \|$", answer.stdout, re.MULTILINE))
    assert {"/", "/equipment", "/report", "/sessions", "/api/v1/figures", "/healthz"} <= set(rows)
    assert re.search(rf"\d+ of {len(rows)} are under the goal of 150 ms", answer.stdout)
    assert "SELECT" in answer.stdout
    engine = open_database(address)
    built = year.built_sessions(engine)
    assert 1000 < built < 2500
    again = CliRunner().invoke(cli, command)
    assert year.built_sessions(engine) == built  # what is there is used as it is
    assert again.exit_code == 0
    engine.dispose()


def test_what_is_left_out_is_named(app: Flask) -> None:
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert set(routes.LEFT_OUT) <= known
    assert set(routes.LEFT_OUT) <= set(rights.RIGHTS)


def test_changes_reach_every_open_page() -> None:
    answer = CliRunner().invoke(cli, ["bench", "live", "--pages", "3", "--cameras", "2", "--seconds", "2"])
    assert answer.exit_code == 0, answer.output
    (row,) = re.findall(r"^\| 3 \| 2 \| 10 \| [\d.]+ \|.* \| (\d+) of (\d+) \| (\d+) \|$", answer.stdout, re.MULTILINE)
    assert row[1:] == ("60", "0")
