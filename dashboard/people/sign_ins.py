"""Browsers in which somebody is signed in: each can be seen, and ended from elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from dashboard.people import secret
from dashboard.users import User
from spotter.database.people_tables import EVERY_SITE, SignInRow, SiteRoleRow, UserRow

LASTS = timedelta(days=14)

SEEN_EVERY = timedelta(minutes=5)
"""How exact `seen_at` is: the page that stays open all day must not write to the database with each request."""


def begin(session: Session, user_id: int, site: str, now: datetime, address: str, device: str) -> str:
    """Add a sign-in, to be committed by the caller; gives the secret that the cookie carries."""
    session.execute(delete(SignInRow).where(SignInRow.expires_at <= now))
    token = secret.fresh()
    session.add(
        SignInRow(
            id=secret.hashed(token),
            user_id=user_id,
            site=site,
            created_at=now,
            seen_at=now,
            expires_at=now + LASTS,
            address=address[:64],
            device=device[:200],
        )
    )
    return token


def find(session: Session, token: str, site: str, now: datetime, address: str) -> User | None:
    """Who is signed in with `token` at `site`, with the role of this moment; None once ended, expired or without role.

    Commits, at most once in SEEN_EVERY, when and from where they were seen. A kiosk that is in use never expires.
    """
    query = (
        select(SignInRow, UserRow, SiteRoleRow)
        .join(UserRow, UserRow.id == SignInRow.user_id)
        .join(SiteRoleRow, and_(SiteRoleRow.user_id == UserRow.id, SiteRoleRow.site.in_((site, EVERY_SITE))))
        .where(SignInRow.id == secret.hashed(token), SignInRow.site == site, SignInRow.expires_at > now)
    )
    found = session.execute(query).all()
    if not found:
        return None
    sign_in, user, role = max(found, key=lambda one: one[2].site == site)
    renewed = now - sign_in.seen_at >= SEEN_EVERY
    if renewed:
        values = {"seen_at": now, "address": address[:64]}
        if role.role == "kiosk":
            values["expires_at"] = now + LASTS
        session.execute(update(SignInRow).where(SignInRow.id == sign_in.id).values(values))
        session.commit()
    return User(user.id, user.name, role.role, token, renewed=renewed)


def of_site(session: Session, site: str, now: datetime) -> list[tuple[SignInRow, str]]:
    """Every sign-in at a site with its user's name, last seen first."""
    query = (
        select(SignInRow, UserRow.name)
        .join(UserRow, UserRow.id == SignInRow.user_id)
        .where(SignInRow.site == site, SignInRow.expires_at > now)
        .order_by(SignInRow.seen_at.desc())
    )
    return [(row, name) for row, name in session.execute(query)]


def of_user(session: Session, user_id: int, now: datetime) -> list[SignInRow]:
    """Every sign-in of a user, last seen first."""
    query = select(SignInRow).where(SignInRow.user_id == user_id, SignInRow.expires_at > now)
    return list(session.scalars(query.order_by(SignInRow.seen_at.desc())))


def end(session: Session, token: str) -> None:
    """End the sign-in of a cookie and commit."""
    session.execute(delete(SignInRow).where(SignInRow.id == secret.hashed(token)))
    session.commit()


def end_of_user(session: Session, user_id: int, but_token: str | None = None) -> int:
    """End all sign-ins of a user, but for that of `but_token`; to be committed by the caller. Gives how many."""
    query = delete(SignInRow).where(SignInRow.user_id == user_id)
    if but_token is not None:
        query = query.where(SignInRow.id != secret.hashed(but_token))
    result = session.execute(query)
    return result.rowcount if isinstance(result, CursorResult) else 0
