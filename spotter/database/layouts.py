"""The versions of a site's layout: who made each, which one is in force, and how a new one comes to be.

A document is `{"cameras": {camera: {zone: …}}, "rules": …, "timezone": …}`, as `consumers.layout` reads and makes it.
A new version takes effect when the usage worker that owns the site takes it into use: within about a second, between
two scenes, at a moment that it stores with the version (`applied_at`, `positions`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from spotter.database.tables import LayoutRow
from spotter.errors import SpotterError

Source = Literal["settings", "import", "dashboard"]

Document = dict[str, Any]


class StoredLayout(NamedTuple):
    """One version of a layout."""

    version: int
    document: Document
    source: str
    created_at: datetime
    created_by: str | None
    applied_at: datetime | None


def versions(connection: Connection, site: str) -> list[StoredLayout]:
    """All versions of a site's layout, newest first."""
    row = LayoutRow
    query = select(row.version, row.document, row.source, row.created_at, row.created_by, row.applied_at)
    return [
        StoredLayout(*found) for found in connection.execute(query.where(row.site == site).order_by(row.version.desc()))
    ]


def newest(connection: Connection, site: str) -> StoredLayout | None:
    """The newest version, in force or about to be; None where there is none."""
    row = LayoutRow
    query = select(row.version, row.document, row.source, row.created_at, row.created_by, row.applied_at)
    found = connection.execute(query.where(row.site == site).order_by(row.version.desc()).limit(1)).first()
    return StoredLayout(*found) if found else None


def in_force(connection: Connection, site: str) -> int:
    """The version that scenes are interpreted by; 0 for none yet."""
    row = LayoutRow
    query = select(func.max(row.version)).where(row.site == site, row.applied_at.is_not(None))
    return int(connection.scalar(query) or 0)


def newest_versions(connection: Connection) -> dict[str, int]:
    """Every site's newest version."""
    row = LayoutRow
    found = connection.execute(select(row.site, func.max(row.version)).group_by(row.site))
    return {site: int(version) for site, version in found}


class OutdatedError(SpotterError):
    """A layout was changed that is not the newest any more; `newest` is."""

    def __init__(self, newest: StoredLayout) -> None:
        super().__init__(f"version {newest.version} was made meanwhile")
        self.newest = newest


def replace(engine: Engine, site: str, of: int, document: Document, source: Source, by: str | None) -> int:
    """Keep a document as the version after `of` (0: there was none), unless it changes nothing; gives the version.

    Raises OutdatedError where `of` is not the newest one.
    """
    with engine.connect() as connection:
        known = newest(connection, site)
    if known is not None and known.version == of and known.document == document:
        return of
    if (known.version if known else 0) == of:
        try:
            with engine.begin() as connection:
                _insert(connection, site, of + 1, document, source, by)
        except IntegrityError:
            with engine.connect() as connection:
                known = newest(connection, site)
            if known is None or known.version == of:
                raise  # not because another one was quicker
        else:
            return of + 1
    assert known is not None
    raise OutdatedError(known)


def _insert(connection: Connection, site: str, version: int, document: Document, source: str, by: str | None) -> None:
    values = {
        "site": site,
        "version": version,
        "document": document,
        "created_at": datetime.now(timezone.utc),
        "source": source,
        "created_by": by,
    }
    connection.execute(insert(LayoutRow).values(values))


def add(engine: Engine, site: str, document: Document, source: Source, by: str | None = None) -> int:
    """Keep a document as a new version, unless the newest one equals it; gives the version."""
    return _add(engine, site, document, source, by, lambda known: known is not None and known.document == document)


def add_from_settings(engine: Engine, site: str, document: Document) -> int:
    """Keep the settings file's zones where they changed since they were last taken from it; gives the newest version.

    So that a restart does not undo what was drawn or imported since.
    """
    row = LayoutRow
    query = select(row.document).where(row.site == site, row.source == "settings").order_by(row.version.desc()).limit(1)
    with engine.connect() as connection:
        last, known = connection.scalar(query), newest(connection, site)
    if known is not None and last == document:
        return known.version
    return _add(engine, site, document, "settings", None, lambda known: _is_from_settings(known, document))


def _is_from_settings(known: StoredLayout | None, document: Document) -> bool:
    return known is not None and known.source == "settings" and known.document == document


def _add(
    engine: Engine,
    site: str,
    document: Document,
    source: Source,
    by: str | None,
    is_there: Callable[[StoredLayout | None], bool],
) -> int:
    while True:
        with engine.connect() as connection:
            known = newest(connection, site)
        if known is not None and is_there(known):
            return known.version
        version = known.version + 1 if known is not None else 1
        try:
            with engine.begin() as connection:
                _insert(connection, site, version, document, source, by)
        except IntegrityError:
            with engine.connect() as connection:
                again = newest(connection, site)
            if again is None or again.version < version:
                raise  # not because another one was quicker
            continue
        return version
