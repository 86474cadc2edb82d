"""Lock-out after wrong passwords, in such a way that a stranger can't lock the owner out.

Who signs in leaves a signed mark in that browser. Wrong passwords for a name are counted once for all browsers without
a mark for it, and by itself for each with one (OWASP, "Slow down online guessing attacks with device cookies"). A
guesser thus locks out other strangers; the browser in which somebody signed in before still lets them in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from flask import Response, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dashboard.people.secret import hashed
from dashboard.users import spelled
from spotter.database.people_tables import SignInFailureRow

MOST_FAILURES = 10
LOCKED = timedelta(minutes=15)
"""From the last wrong password on; also how long failures are remembered."""

COOKIE = "spotter_device"
_COOKIE_DAYS = 365


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a try to sign in before the password is looked at."""

    name: str
    """SHA-256 of the name."""
    device: str
    """The mark of this browser for that name; empty for an unknown one."""


def attempt(name: str) -> Attempt:
    """The attempt that this request makes on `name`."""
    key = hashed(spelled(name).casefold())
    mark = request.cookies.get(COOKIE, "")
    try:
        of, device = cast("list[str]", _serializer().loads(mark, max_age=_COOKIE_DAYS * 86400))
    except (BadData, ValueError, TypeError):
        return Attempt(key, "")
    return Attempt(key, device if of == key else "")


def is_locked(session: Session, tried: Attempt, now: datetime) -> bool:
    """Whether no password is looked at for now."""
    row = session.get(SignInFailureRow, (tried.name, tried.device), populate_existing=True)
    return row is not None and row.failures >= MOST_FAILURES and row.last_at > now - LOCKED


def failed(session: Session, tried: Attempt, now: datetime) -> bool:
    """Count a wrong password and commit; true when it was the one that locks."""
    row = SignInFailureRow
    session.execute(delete(row).where(row.last_at <= now - LOCKED))
    this = (row.name == tried.name, row.device == tried.device)
    counted = update(row).where(*this).values(failures=row.failures + 1, last_at=now).returning(row.failures)
    failures = session.scalar(counted)
    if failures is None:
        try:
            with session.begin_nested():
                session.add(SignInFailureRow(name=tried.name, device=tried.device, failures=1, last_at=now))
            failures = 1
        except IntegrityError:  # another request was the first
            failures = session.scalar(counted)
    session.commit()
    return failures == MOST_FAILURES


def forgive(session: Session, name: str) -> None:
    """Forget all wrong passwords for a name; to be committed by the caller."""
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.name == hashed(spelled(name).casefold())))


def forgive_device(session: Session, tried: Attempt) -> None:
    """After a right password: forget the wrong ones of this browser; to be committed by the caller.

    Not those of unknown browsers, or a guesser could go on whenever the owner signs in.
    """
    if tried.device:
        row = SignInFailureRow
        session.execute(delete(row).where(row.name == tried.name, row.device == tried.device))


def locked_names(session: Session, names: list[str], now: datetime) -> set[str]:
    """Those of `names` that are locked for unknown browsers."""
    row = SignInFailureRow
    keys = {hashed(spelled(name).casefold()): name for name in names}
    locked = select(row.name).where(row.failures >= MOST_FAILURES, row.last_at > now - LOCKED)
    return {keys[key] for key in session.scalars(locked) if key in keys}


def mark(response: Response, name: str) -> None:
    """Mark the browser as one in which `name` signed in."""
    known = attempt(name)
    response.set_cookie(
        COOKIE,
        _serializer().dumps([known.name, known.device or secrets.token_hex(16)]),
        max_age=_COOKIE_DAYS * 86400,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/login",
    )


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(cast(bytes, current_app.secret_key), salt="spotter device")
