"""People who may sign in: names, argon2 passwords, roles."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, get_args

import argon2
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.language import mark
from spotter.database.tables import UserRow
from spotter.errors import SpotterError

Role = Literal["owner", "trainer", "viewer"]
ROLES: tuple[Role, ...] = get_args(Role)
ROLE_NAMES = {"owner": mark("owner"), "trainer": mark("trainer"), "viewer": mark("viewer")}

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 256
"""Length is what makes a password strong (NIST SP 800-63B); the upper bound keeps hashing cheap for us."""

LONGEST_NAME = 64

_hasher = argon2.PasswordHasher()
_NOBODY = _hasher.hash("the password of nobody")


class UserError(SpotterError):
    """A name or password that can't be taken."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody signed in; the shape that Flask-Login asks for."""

    id: int
    name: str
    role: str
    stamp: str
    """Changes with the password, so that a new password ends every older sign-in."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What the signed cookie carries."""
        return f"{self.id}:{self.stamp}"


def add_user(session: Session, name: str, password: str, role: Role, *, now: datetime | None = None) -> User:
    """Add a person and commit. Raises UserError for a bad or taken name or a weak password."""
    name = clean_name(name)
    check_password(name, password)
    row = UserRow(
        name=name,
        password_hash=_hasher.hash(password),
        role=role,
        created_at=now or datetime.now(timezone.utc),
    )
    session.add(row)
    try:
        session.commit()
    except IntegrityError as error:
        session.rollback()
        message = gettext("there is already somebody called %(name)s; choose another name", name=name)
        raise UserError(message) from error
    return _user(row)


def change_password(session: Session, name: str, password: str) -> None:
    """Set a new password, which ends that person's sign-ins, and commit. Raises UserError."""
    row = session.scalar(select(UserRow).where(UserRow.name == clean_name(name)))
    if row is None:
        raise UserError(f"there is nobody called {name}; `spotter user list` shows who there is")
    check_password(row.name, password)
    row.password_hash = _hasher.hash(password)
    session.commit()


def authenticate(session: Session, name: str, password: str) -> User | None:
    """The user whom name and password name, or None; it takes as long for names that nobody has."""
    row = session.scalar(select(UserRow).where(UserRow.name == unicodedata.normalize("NFKC", name).strip()))
    try:
        _hasher.verify(row.password_hash if row else _NOBODY, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return None
    if row is None:
        return None
    if _hasher.check_needs_rehash(row.password_hash):
        row.password_hash = _hasher.hash(password)
        session.commit()
    return _user(row)


def user_of_cookie(session: Session, cookie_id: str) -> User | None:
    """The user of a signed cookie, unless they are gone or their password has changed since."""
    number, _, stamp = cookie_id.partition(":")
    if not number.isdecimal():
        return None
    row = session.get(UserRow, int(number))
    if row is None or not hmac.compare_digest(_stamp(row), stamp):
        return None
    return _user(row)


def clean_name(name: str) -> str:
    """The name as stored. Raises UserError for one that is empty, too long or unprintable."""
    name = unicodedata.normalize("NFKC", name).strip()
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


def _user(row: UserRow) -> User:
    return User(id=row.id, name=row.name, role=row.role, stamp=_stamp(row))


def _stamp(row: UserRow) -> str:
    return hashlib.sha256(row.password_hash.encode()).hexdigest()[:16]
