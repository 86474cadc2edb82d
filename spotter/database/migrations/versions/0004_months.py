"""Figures of whole months, and an index by which a day of groups is found; months fill with the next scene."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.drop_index("ix_group_hours_day", "group_hours")
    op.create_index("ix_group_hours_day", "group_hours", ["site", "day", "scope", "name"])
    op.create_table(
        "group_months",
        *_group(),
        sa.Column("weekday", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("local_hour", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("in_use_ms", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("watched_ms", sa.BigInteger(), nullable=False),
        sa.Column("queue_ms", sa.BigInteger(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "length_months",
        *_group(),
        sa.Column("step", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )


def _group() -> list[sa.Column[object]]:
    return [
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("month", sa.Date(), primary_key=True),
    ]
