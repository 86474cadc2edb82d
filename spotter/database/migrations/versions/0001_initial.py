"""The first tables: sessions, layouts, positions, interpreter state, waiting scenes, outgoing events, users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from spotter.database.tables import UtcDateTime

revision = "0001"
down_revision: str | None = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "usage_sessions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("equipment", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64)),
        sa.Column("zone", sa.String(64)),
        sa.Column("cameras", sa.JSON(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("active_seconds", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("ended_by", sa.String(16)),
        sa.Column("layout_version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_usage_sessions_site_started_at", "usage_sessions", ["site", "started_at"])
    op.create_index(
        "ix_usage_sessions_site_equipment_started_at", "usage_sessions", ["site", "equipment", "started_at"]
    )
    still_open = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_usage_sessions_open",
        "usage_sessions",
        ["site", "started_at"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "layouts",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("site", "version"),
    )
    op.create_table(
        "camera_positions",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("camera", sa.String(64), primary_key=True),
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "interpreter_states",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("place", sa.String(255), primary_key=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "waiting_scenes",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("camera", sa.String(64), primary_key=True),
        sa.Column("stream", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("place", sa.String(255), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "outgoing_events",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(255), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("retained", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_outgoing_events_shard", "outgoing_events", ["shard"])
    op.create_table(
        "users",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
