"""Invitations: a link with which somebody becomes an owner, trainer or viewer of a site, or a tablet its kiosk."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from dashboard.people import secret
from dashboard.rights import Role
from spotter.database.people_tables import InvitationRow

LASTS = timedelta(days=7)


def invite(session: Session, site: str, role: Role, note: str, by: str, now: datetime) -> str:
    """Add an invitation, to be committed by the caller; gives the link's token, which nobody can read again."""
    session.execute(delete(InvitationRow).where(InvitationRow.expires_at <= now))
    token = secret.fresh()
    session.add(
        InvitationRow(
            id=secret.hashed(token),
            site=site,
            role=role,
            note=note,
            created_by=by,
            created_at=now,
            expires_at=now + LASTS,
        )
    )
    return token


def find(session: Session, site: str, token: str, now: datetime) -> InvitationRow | None:
    """The invitation of a link, while it works."""
    row = session.get(InvitationRow, secret.hashed(token))
    return row if row is not None and row.site == site and row.expires_at > now else None


def open_ones(session: Session, site: str, now: datetime) -> list[InvitationRow]:
    """Every invitation that works, newest first."""
    row = InvitationRow
    query = select(row).where(row.site == site, row.expires_at > now)
    return list(session.scalars(query.order_by(row.created_at.desc())))


def use_up(session: Session, identity: str) -> bool:
    """Take an invitation away, to be committed by the caller; true for one of many that try at once."""
    result = session.execute(delete(InvitationRow).where(InvitationRow.id == identity))
    return isinstance(result, CursorResult) and result.rowcount == 1
