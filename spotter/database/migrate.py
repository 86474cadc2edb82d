"""Brings the database's tables up to date; several parts may try at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, OperationalError

from spotter.database.engine import explain
from spotter.errors import ServerError

_POSTGRESQL_LOCK = 0x5B0773B
"""Names the advisory lock that keeps two migrations apart; any number that is always the same."""


def upgrade(engine: Engine) -> tuple[str | None, str | None]:
    """Run the migrations that the database lacks, all or none; gives the revision before and after.

    Raises ServerError when the database can't be reached, is damaged, or is of a newer Spotter.
    """
    try:
        with engine.connect() as connection:
            _begin_alone(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            config = _config()
            if before != ScriptDirectory.from_config(config).get_current_head():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            after = MigrationContext.configure(connection).get_current_revision()
            connection.commit()
            return before, after
    except CommandError as error:
        raise ServerError(
            f"database {engine.url.render_as_string(hide_password=True)}: its tables are of another Spotter ({error}); "
            "install the newest version"
        ) from error
    except OperationalError as error:
        raise explain(error, engine) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # its kinds are faults of ours; SQLite gives none for a damaged file
            raise
        raise ServerError(
            f"database {engine.url.render_as_string(hide_password=True)}: damaged ({error.orig}); put a backup in its "
            "place, or move the file away to begin anew"
        ) from error


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be read as the start of an option's name.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _begin_alone(connection: Connection) -> None:
    """Begin a transaction that only one process at a time can be in; it ends with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")
    else:
        # Python's sqlite3 begins no transaction for CREATE TABLE by itself: a killed migration would leave half of it.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
