"""Roles per site, sign-ins, invitations, two-step sign-in, lock-out, API tokens and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from spotter.database.tables import UtcDateTime

revision = "0002"
down_revision = "0001"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; everybody keeps their role, at every site."""
    op.create_table(
        "site_roles",
        _user_key(),
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
    )
    op.execute("INSERT INTO site_roles (user_id, site, role) SELECT id, '*', role FROM users")
    op.drop_column("users", "role")
    _create_ways_in()
    op.create_table(
        "audit_log",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_log_site", "audit_log", ["site", "id"])


def _create_ways_in() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", _BIG_ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("created_at", "seen_at", "expires_at")),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
    )
    op.create_index("ix_sign_ins_user_id", "sign_ins", ["user_id"])
    op.create_table(
        "two_steps",
        _user_key(),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("recovery", sa.Text(), nullable=False),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("note", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("created_at", "expires_at")),
    )
    op.create_index("ix_invitations_site", "invitations", ["site"])
    op.create_table(
        "sign_in_failures",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(32), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        *(sa.Column(name, UtcDateTime()) for name in ("expires_at", "used_at")),
    )


def _user_key() -> sa.Column[object]:
    return sa.Column("user_id", _BIG_ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
