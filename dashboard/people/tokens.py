"""Tokens with which programs ask the API: each has a name, scopes and an end, and is shown once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dashboard.people import secret
from spotter.database.people_tables import ApiTokenRow

PREFIX = "spotter_"
"""So that a token that was published by mistake is recognised."""

USED_EVERY = timedelta(minutes=5)
"""How exact `used_at` is."""


def issue(
    session: Session, site: str, name: str, scopes: list[str], days: int | None, by: str, now: datetime
) -> tuple[ApiTokenRow, str]:
    """Add a token, to be committed by the caller; gives the row and the token, which nobody can read again."""
    token = PREFIX + secret.fresh()
    row = ApiTokenRow(
        hash=secret.hashed(token),
        site=site,
        name=name,
        scopes=scopes,
        created_by=by,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(row)
    return row, token


def find(session: Session, site: str, token: str, now: datetime) -> ApiTokenRow | None:
    """The row of a token while it works at `site`; commits, now and then, that it was used."""
    row = session.scalar(select(ApiTokenRow).where(ApiTokenRow.hash == secret.hashed(token), ApiTokenRow.site == site))
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.used_at is None or now - row.used_at >= USED_EVERY:
        session.execute(update(ApiTokenRow).where(ApiTokenRow.id == row.id).values(used_at=now))
        session.commit()
    return row


def of_site(session: Session, site: str) -> list[ApiTokenRow]:
    """Every token of a site, by name; those that have expired too, so that it can be seen why a program fails."""
    return list(session.scalars(select(ApiTokenRow).where(ApiTokenRow.site == site).order_by(ApiTokenRow.name)))
