"""Migrations and transactions, on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import Engine, select, text

from consumers.changes import Changes, StateChange, WaitingScene, session_row
from consumers.facts import SessionFact
from consumers.storage import FencedError, Store
from spotter.commands.db import db
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.database.tables import Base, UsageSessionRow
from spotter.errors import ServerError
from spotter.settings import Settings

KEY = ("gym", "cam", "S1")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    upgrade(engine)
    return Store(engine)


def fact(kind: str = "started", active: int = 1000, started: int = 1_767_225_600_000) -> SessionFact:
    ended = started + 5000 if kind == "ended" else None
    by = "left" if kind == "ended" else None
    return SessionFact(
        kind, "t-1", "treadmill", "t-1", "t-1", ("cam",), started, ended, active, 0.9, by, 1, ended or started
    )  # type: ignore[arg-type]


def changes(before: int | None, after: int, *facts: SessionFact, revision: int | None = None) -> Changes:
    made = Changes(0, positions={KEY: (before, after)})
    for one in facts:
        row = session_row("gym", one)
        made.sessions[row["id"]] = row
        made.events.append(("spotter/gym/usage/treadmill", b"{}"))
    if revision is not None:
        made.states.append(StateChange("gym", "cam", revision, f"state {after}".encode()))
    return made


def rows(engine: Engine) -> list[tuple[float, bool]]:
    with engine.connect() as connection:
        query = select(UsageSessionRow.active_seconds, UsageSessionRow.ended_at)
        return [(active, ended is not None) for active, ended in connection.execute(query)]


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    assert upgrade(engine)[0] is None
    before, after = upgrade(engine)
    assert before == after
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_several_parts_may_migrate_at_once(database_url: str) -> None:
    engines = [open_database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(upgrade, engines))
    assert [before for before, _ in results].count(None) == 1
    for engine in engines:
        engine.dispose()


def test_a_new_sqlite_file_that_another_part_writes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "spotter.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE theirs (a)")
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.execute, ["COMMIT"])
    done.start()
    engine = open_database(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    done.join()
    other.close()
    engine.dispose()


def test_a_database_of_a_newer_spotter_is_refused_in_words(engine: Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServerError, match="of another Spotter"):
        upgrade(engine)


@pytest.mark.parametrize("whole_pages", [0, 1])
def test_a_damaged_sqlite_file_is_told_in_one_line(tmp_path: Path, whole_pages: int) -> None:
    path = tmp_path / "spotter.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    content = path.read_bytes()
    whole = whole_pages * 4096
    path.write_bytes(content[:whole] + b"x" * (len(content) - whole))
    with pytest.raises(ServerError, match=r"spotter\.db: damaged \(.*put a backup in its place") as error:
        upgrade(open_database(f"sqlite:///{path}"))
    assert "\n" not in str(error.value)


def test_db_upgrade_says_what_it_did(tmp_path: Path) -> None:
    config = tmp_path / "gym.yaml"
    config.write_text("uri: a.mp4\ndatabase: {url: 'sqlite:///here.db'}\n")
    first, second = (CliRunner().invoke(db, ["upgrade", "--config", str(config)]).output for _ in range(2))
    assert first.startswith("upgraded from empty to ")
    assert second.startswith("up to date at ")
    assert (tmp_path / "here.db").is_file()


def test_a_session_told_of_again_stays_one_row(engine: Engine, store: Store) -> None:
    store.commit(changes(None, 5, fact()))
    store.commit(changes(5, 9, fact("updated", 2000)))
    store.commit(changes(9, 12, fact("ended", 3000)))
    assert rows(engine) == [(3.0, True)]
    assert {key: seq for key, (seq, _) in store.positions().items()} == {KEY: 12}


@pytest.mark.parametrize(
    "late",
    [
        changes(5, 9, fact("ended")),
        changes(None, 9, fact("ended")),
        changes(7, 9, fact("ended"), revision=0),
        changes(7, 9, fact("ended"), revision=2),
    ],
    ids=["position moved on", "position begun", "state begun", "state moved on"],
)
def test_a_worker_that_was_followed_by_another_can_change_nothing(engine: Engine, store: Store, late: Changes) -> None:
    store.commit(changes(None, 5, fact(), revision=0))
    store.commit(changes(5, 7, revision=1))
    store.commit(Changes(0, states=[StateChange("gym", "cam", 2, b"newer")]))
    with pytest.raises(FencedError):
        store.commit(late)
    assert rows(engine) == [(1.0, False)]
    assert {key: seq for key, (seq, _) in store.positions().items()} == {KEY: 7}
    assert [(state.revision, bytes(state.payload)) for state in store.states("gym")] == [(3, b"newer")]
    assert len(store.outgoing(0, 1, 10)) == 1


def test_waiting_scenes_come_back_and_go(store: Store) -> None:
    from .scenes import scene

    made = Changes(0)
    for seq in (1, 0, 2):
        made.waiting.append(WaitingScene("gym", "cam", "S1", seq, "cam", scene(seq, seq=seq).to_json()))
    store.commit(made)
    assert [entry.view.seq for entry in store.waiting("gym")] == [0, 1, 2]
    store.commit(Changes(0, released=[("gym", "cam", "S1", 0), ("gym", "cam", "S1", 1)]))
    assert [entry.view.seq for entry in store.waiting("gym")] == [2]


def test_a_layout_gets_a_version_when_it_changed(store: Store, gym: Callable[[str], Settings]) -> None:
    one = gym("site: gym\ncameras: {cam: {uri: a.mp4}}")
    other = gym(
        "site: gym\ncameras: {cam: {uri: a.mp4, zones: "
        "{t: {kind: station, equipment: treadmill, polygon: [[0, 0], [1, 0], [1, 1]]}}}}"
    )
    assert [store.import_layout(settings) for settings in (one, one, other, other, one)] == [1, 1, 2, 2, 3]
    assert store.layout("gym").version == 3
    assert store.layout("elsewhere").version == 0
