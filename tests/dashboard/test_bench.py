"""`spotter bench dashboard`: a short year, every route that may be asked for, and the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask, has_request_context
from sqlalchemy import Engine, event

from dashboard import rights
from dashboard.bench import routes, year
from spotter.cli import cli
from spotter.database.engine import open_database


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[str, tuple[Any, ...]]]]:
    """What is asked of the table of sessions while requests are answered."""
    found: set[tuple[str, tuple[Any, ...]]] = set()

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        is_walk = statement.startswith(("SELECT", "DELETE", "UPDATE")) and re.search(
            r"(FROM|UPDATE) usage_sess", statement
        )
        if has_request_context() and is_walk:
            found.add((statement, tuple(parameters)))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def walks(engine: Engine, statement: str, parameters: tuple[Any, ...]) -> list[str]:
    """How SQLite goes through all sessions of a site for an answer, where it does; to read the first few is none."""
    if "LIMIT" in statement or "min(" in statement:
        return []
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = [step for *_, step in plan if re.search(r"(SCAN|SEARCH) usage_sessions\b", step)]
    return [
        step for step in steps if step.startswith("SCAN") or re.search(r"INDEX (?!ix_\w+_open)\S+ \(site=\?\)", step)
    ]


def test_every_page_and_call_is_measured_and_none_walks_through_years_of_sessions(
    asked: set[tuple[str, tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(year, "DAYS", 8)
    address = f"sqlite:///{tmp_path / 'bench.db'}"
    command = ["bench", "dashboard", "--sessions", "2000", "--rounds", "2", "--database", address]
    answer = CliRunner().invoke(cli, command)
    assert answer.exit_code == 0, answer.output
    rows = dict(re.findall(r"^\| `((?:POST )?\S+)`.* \| (\d+) \| \d+ \|$", answer.stdout, re.MULTILINE))
    assert {"/", "/equipment", "/report", "/sessions", "/api/v1/figures", "/healthz", "/cards/kettlebell"} <= set(rows)
    assert "POST /api/v1/sessions/{session}/relabel" in rows
    assert re.search(rf"\d+ of {len(rows)} are under the goal of 150 ms", answer.stdout)
    assert "SELECT" in answer.stdout
    engine = open_database(address)
    built = year.built_sessions(engine)
    assert 1000 < built < 2500
    assert asked
    assert not [(step, statement) for statement, values in asked for step in walks(engine, statement, values)]
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
