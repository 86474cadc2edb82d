"""The tables of people: who may do what, where, and what they did. Written by the dashboard and `spotter user`.

Nothing in them is of use to a thief: passwords are argon2 hashes, and of links, sign-ins and tokens only the SHA-256
is kept. The secrets of two-step sign-in are the exception, since they must be computed with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from spotter.database.tables import Base, BigId, UtcDateTime

EVERY_SITE = "*"
"""In place of a site's name, which never has this character: a role at each site of the database."""


class UserRow(Base):
    """A person, or a kiosk's tablet, that may sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    """Argon2; `!` for a tablet, which no password opens."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SiteRoleRow(Base):
    """What a user is at a site, or at EVERY_SITE; the one for the site itself wins."""

    __tablename__ = "site_roles"

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))


class SignInRow(Base):
    """A browser in which somebody is signed in."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what the cookie carries."""
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    site: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))
    """What the browser calls itself."""


class TwoStepRow(Base):
    """The second step of somebody's sign-in: time-based one-time passwords (RFC 6238)."""

    __tablename__ = "two_steps"

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    last_step: Mapped[int] = mapped_column(BigInteger)
    """The time step of the newest code that was taken: no code works twice."""
    recovery: Mapped[str] = mapped_column(Text)
    """SHA-256 of each recovery code that is left, a line each."""


class InvitationRow(Base):
    """A link with which somebody chooses a name and password; gone once used or withdrawn."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the link's token."""
    site: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(64))
    """Whom it is meant for, in the inviter's words; a tablet's name."""
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_invitations_site", "site"),)


class SignInFailureRow(Base):
    """Wrong passwords and codes for a name, from one known device or (device empty) from all unknown ones."""

    __tablename__ = "sign_in_failures"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the name: what was typed as a name may have been a password."""
    device: Mapped[str] = mapped_column(String(32), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApiTokenRow(Base):
    """A program's way into the API."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token."""
    site: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditRow(Base):
    """Who did what, when and from where. Only ever added to."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    """The name at that time, kept when the person is gone; empty for a stranger."""
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    address: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index("ix_audit_log_site", "site", "id"),)


class PushRow(Base):
    """A browser in which somebody wants to be told of alerts. Written by `dashboard.notify.browsers`."""

    __tablename__ = "push_subscriptions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    endpoint_hash: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(Text)
    """The address at the browser's maker to which messages for it are sent; whoever knows it still lacks our key."""
    p256dh: Mapped[str] = mapped_column(String(128))
    auth: Mapped[str] = mapped_column(String(64))
    """Both are what messages are encrypted for (RFC 8291)."""
    kinds: Mapped[list[str]] = mapped_column(JSON)
    """Of the alerts that this browser is told of."""
    language: Mapped[str] = mapped_column(String(8))
    device: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    # A number is never given to another browser: what was told to the one of before would seem to be told to it.
    __table_args__ = (
        Index("ix_push_subscriptions_endpoint", "site", "endpoint_hash", unique=True),
        {"sqlite_autoincrement": True},
    )
