"""One database session a request, and an honest page when the database does not answer."""

from __future__ import annotations

from typing import TypeVar

import structlog
from flask import Flask, g
from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.routing import IntegerConverter, Map

from dashboard.context import current
from dashboard.language import mark
from spotter.database.engine import explain
from spotter.database.people_tables import SiteRoleRow, UserRow
from spotter.database.tables import AlertRow, CorrectionRow, UsageSessionRow
from spotter.errors import ServerError

log = structlog.get_logger()

NEEDED_TABLES = (SiteRoleRow.__tablename__, UsageSessionRow.__tablename__)

Row = TypeVar("Row", UsageSessionRow, AlertRow, CorrectionRow)

MISSING_TABLES = mark("the database has no Spotter tables yet; run: spotter db upgrade")


LARGEST_ID = 2**63 - 1


class IdConverter(IntegerConverter):
    """`<int:…>` in a path: one too large for any database leads nowhere."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_ID)


def init_app(app: Flask) -> None:
    """Close each request's session after it. To be called before routes are added."""
    app.url_map.converters["int"] = IdConverter
    app.teardown_appcontext(_close)


def session() -> Session:
    """The session of this request; what it changes is kept only after `commit`."""
    if "database_session" not in g:
        g.database_session = Session(current().engine)
    opened: Session = g.database_session
    return opened


def of_site(table: type[Row], identity: str | int) -> Row | None:
    """The row of that id, unless it is another site's."""
    row = session().get(table, identity)
    return row if row is not None and row.site == current().settings.site else None


def check_tables(engine: Engine) -> None:
    """Raise ServerError, with the mend, when the database can't be reached or has no tables."""
    try:
        present = set(inspect(engine).get_table_names())
    except OperationalError as error:
        raise explain(error, engine) from error
    if not present.issuperset(NEEDED_TABLES):
        raise ServerError(f"{engine.url.render_as_string(hide_password=True)}: {MISSING_TABLES}")


def what_is_wrong(error: SQLAlchemyError, engine: Engine) -> str:
    """One line for a person about a failed query: tables missing, or no answer; carries no password and no data."""
    if isinstance(error, OperationalError | ProgrammingError) and _lacks_tables(error):
        return MISSING_TABLES
    if isinstance(error, OperationalError):
        return str(explain(error, engine))
    cause = type(error.orig).__name__ if isinstance(error, DBAPIError) and error.orig else type(error).__name__
    return f"the database refused a query ({cause})"


def _lacks_tables(error: DBAPIError) -> bool:
    text = str(error.orig).lower()
    return "no such table" in text or ("relation" in text and "does not exist" in text)


def any_user() -> bool:
    """Whether anybody may sign in yet."""
    return session().scalar(select(UserRow.id).limit(1)) is not None


def _close(_: BaseException | None) -> None:
    opened = g.pop("database_session", None)
    if opened is not None:
        opened.close()
