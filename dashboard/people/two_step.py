"""The second step of a sign-in: a code from an app on the phone (RFC 6238), or a recovery code from paper."""

from __future__ import annotations

import secrets
from datetime import datetime

import pyotp
import segno
from sqlalchemy import Update, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from dashboard.people.secret import hashed
from spotter.database.people_tables import TwoStepRow

STEP_SECONDS = 30
RECOVERY_CODES = 8
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others when written by hand."""
_CODE_LETTERS = 12


def new_secret() -> str:
    """A secret for an app, in base 32."""
    return pyotp.random_base32()


def qr_code(secret: str, name: str, site: str) -> str:
    """What an app scans, as a data: address of an SVG picture."""
    address = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"Spotter {site}")
    picture: str = segno.make(address, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    return picture


def is_on(session: Session, user_id: int) -> bool:
    """Whether the user signs in with two steps."""
    return session.get(TwoStepRow, user_id) is not None


def turn_on(session: Session, user_id: int, secret: str, code: str, now: datetime) -> list[str] | None:
    """Turn it on if `code` shows that the app has the secret; gives the recovery codes, or None for a wrong code.

    To be committed by the caller.
    """
    step = _step_of(secret, code, now)
    if step is None:
        return None
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS)) for _ in range(RECOVERY_CODES)]
    session.merge(TwoStepRow(user_id=user_id, secret=secret, last_step=step, recovery="\n".join(map(hashed, codes))))
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def turn_off(session: Session, user_id: int) -> bool:
    """Turn it off, to be committed by the caller; false when it was not on."""
    row = session.get(TwoStepRow, user_id)
    if row is None:
        return False
    session.delete(row)
    return True


def take(session: Session, user_id: int, code: str, now: datetime) -> bool:
    """Whether `code` is right, of the app or for recovery; it is used up and committed, whoever asks at once."""
    row = session.get(TwoStepRow, user_id, populate_existing=True)
    if row is None:
        return False
    table = TwoStepRow
    step = _step_of(row.secret, code, now)
    if step is not None:
        used = update(table).where(table.user_id == user_id, table.last_step < step).values(last_step=step)
        return _changed_one(session, used)
    spoken = hashed("".join(letter for letter in code.lower() if letter.isalnum()))
    known = row.recovery.split("\n")
    if spoken not in known:
        return False
    left = "\n".join(one for one in known if one != spoken)
    # Only if the codes are still those that were read: of two at once, one wins.
    used = update(table).where(table.user_id == user_id, table.recovery == row.recovery).values(recovery=left)
    return _changed_one(session, used)


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that `code` is of: this one or a neighbour, since phones' clocks differ."""
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdecimal()):
        return None
    this = int(now.timestamp()) // STEP_SECONDS
    one_time = pyotp.TOTP(secret, interval=STEP_SECONDS)
    steps = (this, this - 1, this + 1)
    return next((step for step in steps if secrets.compare_digest(one_time.generate_otp(step), typed)), None)


def _changed_one(session: Session, statement: Update) -> bool:
    result = session.execute(statement)
    session.commit()
    return isinstance(result, CursorResult) and result.rowcount == 1
