"""The way to the database: one engine for each process, SQLite in WAL mode or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from spotter.errors import ServerError, SettingsError

SQLITE_BUSY_SECONDS = 10
"""How long a writer waits for another one; the usage worker and the dashboard write the same file."""


def open_database(url: str) -> Engine:
    """An engine for `url`. Raises SettingsError for an address that can't be used; does not connect yet."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "database.url: not a database address; use sqlite:///path or postgresql+psycopg://…"
        ) from error
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    sqlite = address.get_backend_name() == "sqlite"
    if sqlite and address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"connect_args": {"timeout": SQLITE_BUSY_SECONDS}} if sqlite else {"pool_pre_ping": True}
    try:
        engine = create_engine(address, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(f"database.url: {address.drivername} is not supported; use sqlite or postgresql") from error
    event.listen(engine, "connect", _configure_sqlite if sqlite else _configure_postgresql)
    return engine


def explain(error: OperationalError, engine: Engine) -> ServerError:
    """The error that a person reads when the database can't be reached; carries no password."""
    cause = str(error.orig).splitlines()[0] if error.orig else "no answer"
    address = engine.url.render_as_string(hide_password=True)
    return ServerError(f"database {address}: {cause}; check `database:` in the settings and that it runs")


def _configure_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    deadline = time.monotonic() + SQLITE_BUSY_SECONDS
    while not _wal_is_on(cursor, deadline):
        time.sleep(0.02)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _wal_is_on(cursor: Any, deadline: float) -> bool:
    """Turn it on. Of all statements, SQLite lets this one not wait for a writer: parts that start at once meet here."""
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() > deadline:
            raise
        return False
    return True


def _configure_postgresql(connection: Any, _: Any) -> None:
    # All our queries are short. Where PostgreSQL misjudges one, compiling it and starting workers takes far longer than
    # to answer it: 180 ms instead of 1 ms for a camera's sessions of a day.
    cursor = connection.cursor()
    cursor.execute("SET jit = off")
    cursor.execute("SET max_parallel_workers_per_gather = 0")
    cursor.close()
    connection.commit()
