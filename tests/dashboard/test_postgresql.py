"""The same pages over PostgreSQL, and the truth about one that hangs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text

from dashboard.sessions import CSV_COLUMNS
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.settings import Database, Settings

from .gym import Gym, Process, free_port, wait_for

# Run here once more: what people do at once is where databases differ.
from .test_people import (  # noqa: F401
    test_a_code_is_taken_by_one_of_many_at_once,
    test_a_lock_ends_by_itself_or_by_an_owner,
    test_an_invitation_is_used_up_by_one_of_many_at_once,
    test_an_invitation_makes_somebody_what_it_says_and_works_once,
)

EMPTIED = (
    "usage_sessions",
    "alerts",
    "services",
    "outgoing_events",
    "users",
    "invitations",
    "sign_in_failures",
    "api_tokens",
    "audit_log",
)

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Process]:
    if BINARIES is None:
        pytest.skip("needs PostgreSQL (apt install postgresql)")
    # PostgreSQL refuses to run as root, and nobody may not enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="spotter-dashboard-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    options = ["-U", "spotter", "-A", "trust", "-E", "UTF8", "--no-sync"]
    command = [str(BINARIES / "initdb"), "-D", str(folder / "data"), *options]
    subprocess.run(command, check=True, capture_output=True, cwd="/", user=user)
    port = free_port()
    places = ["-D", str(folder / "data"), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
    server = Process([str(BINARIES / "postgres"), *places], port, Path("/"), user, end=signal.SIGINT)
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(settings: Settings, postgresql: Process) -> Settings:
    """The gym's settings, with PostgreSQL for its database."""
    address = f"postgresql+psycopg://spotter@127.0.0.1:{postgresql.port}/postgres"
    named = settings.model_copy(update={"database": Database(url=SecretStr(address))})
    engine = open_database(address)
    wait_for(lambda: _answers(engine))
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(EMPTIED)} RESTART IDENTITY CASCADE"))
    engine.dispose()
    return named


def _answers(engine: object) -> bool:
    from sqlalchemy.exc import OperationalError

    try:
        engine.connect().close()  # type: ignore[attr-defined]
    except OperationalError:
        return False  # it listens, and is still starting
    return True


def test_sessions_filters_pages_and_figures(gym: Gym, signed_in: FlaskClient) -> None:
    now = datetime.now(timezone.utc)
    for number in range(7):
        gym.session("kettlebell", now - timedelta(hours=2, minutes=number // 3), 10, cameras=["cardio", "kiosk"])
    gym.session("treadmill", now - timedelta(minutes=5), None, unit="treadmill-1")
    first = signed_in.get("/api/v1/sessions?limit=4").get_json()
    second = signed_in.get(f"/api/v1/sessions?limit=4&cursor={first['next']}").get_json()
    assert len({one["session"] for one in first["sessions"] + second["sessions"]}) == 8
    assert second["next"] is None
    assert len(signed_in.get("/api/v1/sessions?camera=kiosk").get_json()["sessions"]) == 7
    lines = signed_in.get("/sessions.csv?camera=kiosk&equipment=kettlebell").text.splitlines()
    assert len(lines) == 8
    started = datetime.fromisoformat(lines[1].split(",")[CSV_COLUMNS.index("started")])
    assert started == (now - timedelta(hours=2)).replace(microsecond=0)
    kinds = {kind["equipment"]: kind for kind in signed_in.get("/api/v1/equipment").get_json()["equipment"]}
    assert kinds["treadmill"]["running"] == 1
    assert kinds["kettlebell"]["seconds"] == pytest.approx(4200, abs=1)
    assert signed_in.get("/equipment").status_code == signed_in.get("/sessions").status_code == 200
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)


def test_a_database_that_is_gone_is_said_and_found_again(gym: Gym, signed_in: FlaskClient, postgresql: Process) -> None:
    gym.well()
    wait_for(lambda: signed_in.get("/healthz").status_code == 200)
    postgresql.kill()
    try:
        stranger = signed_in.application.test_client()
        wait_for(lambda: stranger.get("/healthz").get_json()["parts"]["database"] == "degraded", 15)
        for path in ("/", "/sessions", "/equipment/kettlebell"):
            answer = signed_in.get(path)
            assert answer.status_code == 503
            assert "database does not answer" in answer.text
            assert str(postgresql.port) not in answer.text
    finally:
        postgresql.start()
    wait_for(lambda: (gym.well(), signed_in.get("/healthz").status_code == 200)[1], 20)
    assert signed_in.get("/sessions").status_code == 200
