"""People who may sign in: names, argon2 passwords, and what each is at a site."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone

import argon2
from flask_babel import gettext
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.people.secret import hashed
from dashboard.rights import Role
from spotter.database.people_tables import EVERY_SITE, SignInRow, SiteRoleRow, UserRow
from spotter.errors import SpotterError

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 256
"""Length is what makes a password strong (NIST SP 800-63B); the upper bound keeps hashing cheap for us."""

LONGEST_NAME = 64

NO_PASSWORD = "!"  # noqa: S105 - no password has this hash
"""In place of a hash where no password opens: a tablet's."""

_hasher = argon2.PasswordHasher()
_NOBODY = _hasher.hash("the password of nobody")


class UserError(SpotterError):
    """A name or password that can't be taken."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody signed in, at the site of this dashboard; the shape that Flask-Login asks for."""

    id: int
    name: str
    role: str
    token: str
    """The secret of this sign-in, which the signed cookie carries."""
    renewed: bool = False
    """Whether this request is the first in some minutes."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What the signed cookie carries."""
        return self.token


def add_user(
    session: Session, name: str, password: str, role: Role, site: str = EVERY_SITE, *, now: datetime | None = None
) -> UserRow:
    """Add a person with a role at a site and commit. Raises UserError for a bad or taken name or a weak password."""
    name = clean_name(name)
    check_password(name, password)
    row = _add(session, name, role, site, now or datetime.now(timezone.utc), _hasher.hash(password))
    session.commit()
    return row


def join(session: Session, name: str, password: str, role: str, site: str) -> UserRow:
    """Add a person as `add_user` does, to be committed by the caller."""
    name = clean_name(name)
    check_password(name, password)
    return _add(session, name, role, site, datetime.now(timezone.utc), _hasher.hash(password))


def add_tablet(session: Session, name: str, site: str) -> UserRow:
    """Add a kiosk's tablet, which no password opens, to be committed by the caller. Raises UserError."""
    return _add(session, clean_name(name), "kiosk", site, datetime.now(timezone.utc), NO_PASSWORD)


def leave(session: Session, user: UserRow, site: str) -> None:
    """Take a user's role and sign-ins at a site; without a role anywhere they go. To be committed by the caller."""
    session.execute(delete(SignInRow).where(SignInRow.user_id == user.id, SignInRow.site == site))
    session.execute(delete(SiteRoleRow).where(SiteRoleRow.user_id == user.id, SiteRoleRow.site == site))
    if session.scalar(select(SiteRoleRow.user_id).where(SiteRoleRow.user_id == user.id).limit(1)) is None:
        session.delete(user)


def _add(session: Session, name: str, role: str, site: str, now: datetime, password_hash: str) -> UserRow:
    row = UserRow(name=name, password_hash=password_hash, created_at=now)
    try:
        session.add(row)
        session.flush()
    except IntegrityError as error:
        session.rollback()
        raise UserError(gettext("there is already somebody called %(name)s; choose another name", name=name)) from error
    session.add(SiteRoleRow(user_id=row.id, site=site, role=role))
    return row


def change_password(session: Session, name: str, password: str, *, but_token: str | None = None) -> None:
    """Set a new password, which ends that person's sign-ins, but for that of `but_token`.

    To be committed by the caller. Raises UserError.
    """
    row = by_name(session, name)
    check_password(row.name, password)
    row.password_hash = _hasher.hash(password)
    ended = delete(SignInRow).where(SignInRow.user_id == row.id)
    session.execute(ended if but_token is None else ended.where(SignInRow.id != hashed(but_token)))


def by_name(session: Session, name: str) -> UserRow:
    """The user called `name`. Raises UserError when there is none."""
    row = session.scalar(select(UserRow).where(UserRow.name == clean_name(name)))
    if row is None:
        raise UserError(f"there is nobody called {name}; `spotter user list` shows who there is")
    return row


def authenticate(session: Session, name: str, password: str) -> UserRow | None:
    """The user whom name and password name, or None; it takes as long for names that nobody has."""
    row = session.scalar(select(UserRow).where(UserRow.name == spelled(name)))
    has_password = row is not None and row.password_hash != NO_PASSWORD
    try:
        _hasher.verify(row.password_hash if row and has_password else _NOBODY, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return None
    if row is None or not has_password:
        return None
    if _hasher.check_needs_rehash(row.password_hash):
        row.password_hash = _hasher.hash(password)
        session.commit()
    return row


def known_name(session: Session, name: str) -> str:
    """The name as stored, or nothing for one that nobody has: what was typed there may have been a password."""
    return session.scalar(select(UserRow.name).where(UserRow.name == spelled(name))) or ""


def role_at(session: Session, user_id: int, site: str) -> str | None:
    """What a user is at a site, or None for nobody there."""
    rows = session.scalars(
        select(SiteRoleRow).where(SiteRoleRow.user_id == user_id, SiteRoleRow.site.in_((site, EVERY_SITE)))
    ).all()
    return max(rows, key=lambda row: row.site == site).role if rows else None


def of_site(session: Session, site: str) -> list[tuple[UserRow, SiteRoleRow]]:
    """Everybody with a role at a site, by name."""
    query = (
        select(UserRow, SiteRoleRow)
        .join(SiteRoleRow, SiteRoleRow.user_id == UserRow.id)
        .where(SiteRoleRow.site.in_((site, EVERY_SITE)))
        .order_by(UserRow.name)
    )
    found: dict[int, tuple[UserRow, SiteRoleRow]] = {}
    for user, role in session.execute(query):
        if user.id not in found or role.site == site:
            found[user.id] = (user, role)
    return list(found.values())


def spelled(name: str) -> str:
    """A typed name as it would be stored."""
    return unicodedata.normalize("NFKC", name).strip()


def clean_name(name: str) -> str:
    """The name as stored. Raises UserError for one that is empty, too long or unprintable."""
    name = spelled(name)
    if not name:
        raise UserError(gettext("the name is empty"))
    if len(name) > LONGEST_NAME:
        raise UserError(gettext("the name is longer than %(count)s characters", count=LONGEST_NAME))
    if not name.isprintable():
        raise UserError(gettext("the name has characters that can't be shown"))
    return name


def check_password(name: str, password: str) -> None:
    """Raise UserError for a password that is too short, too long, or the name itself."""
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(
            gettext(
                "a password needs at least %(count)s characters; a few unrelated words do well", count=SHORTEST_PASSWORD
            )
        )
    if len(password) > LONGEST_PASSWORD:
        raise UserError(gettext("a password has at most %(count)s characters", count=LONGEST_PASSWORD))
    if password.casefold() == name.casefold() or len(set(password)) < 4:
        raise UserError(gettext("that password is too easy to guess; a few unrelated words do well"))
