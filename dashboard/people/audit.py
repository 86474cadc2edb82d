"""The audit log: who did what, when and from where. It is only ever added to."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import structlog
from flask import has_request_context
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.security import client_address
from spotter.database.people_tables import AuditRow

log = structlog.get_logger()

PAGE_ROWS = 100
_LONGEST_SUBJECT = 128

COMMAND_LINE = "command line"
"""The actor of what was done with `spotter user` on the machine itself."""


def record(session: Session, site: str, actor: str, action: str, subject: str = "", **detail: Any) -> None:
    """Add a line, to be committed together with what it tells of: neither is ever there without the other."""
    asked = has_request_context()
    address = client_address() if asked else "local"
    session.add(
        AuditRow(
            site=site,
            at=datetime.now(timezone.utc),
            actor=actor,
            action=action,
            subject=subject[:_LONGEST_SUBJECT],
            detail=detail,
            address=address[:64],
        )
    )
    if asked:  # a command prints what it did
        log.info("audit", site=site, actor=actor, action=action, subject=subject, address=address, **detail)


def page(
    session: Session, site: str, before: int | None = None, actor: str | None = None, rows: int = PAGE_ROWS
) -> tuple[list[AuditRow], int | None]:
    """Lines of a site, newest first, and the id before which the next page begins, if there is one."""
    query = select(AuditRow).where(AuditRow.site == site)
    if before is not None:
        query = query.where(AuditRow.id < before)
    if actor is not None:
        query = query.where(AuditRow.actor == actor)
    found = list(session.scalars(query.order_by(AuditRow.id.desc()).limit(rows + 1)))
    return found[:rows], found[rows - 1].id if len(found) > rows else None
