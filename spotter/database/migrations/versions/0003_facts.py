"""Alerts, services, racks, retained topics, figures by hour and day, and from when on each layout holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from spotter.database.tables import UtcDateTime

revision = "0003"
down_revision = "0002"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; a layout that was newest before is in force."""
    _extend_known_tables()
    _create_fact_tables()
    _create_figures()


def _extend_known_tables() -> None:
    op.add_column("usage_sessions", sa.Column("last_at", UtcDateTime()))
    with op.batch_alter_table("layouts") as table:
        table.add_column(sa.Column("source", sa.String(16), nullable=False, server_default="settings"))
        table.add_column(sa.Column("created_by", sa.String(64)))
        table.add_column(sa.Column("applied_at", UtcDateTime()))
        table.add_column(sa.Column("positions", sa.JSON()))
    op.execute("UPDATE layouts SET applied_at = created_at")
    with op.batch_alter_table("layouts") as table:
        table.alter_column("source", server_default=None)


def _create_fact_tables() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        *(sa.Column(name, sa.String(64)) for name in ("camera", "zone", "unit", "equipment")),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime()),
        sa.Column("acknowledged_by", sa.String(64)),
        sa.Column("cleared_at", UtcDateTime()),
        sa.Column("cleared_detail", sa.Text()),
        sa.Column("layout_version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_alerts_site_raised_at", "alerts", ["site", "raised_at"])
    still_open = sa.text("cleared_at IS NULL")
    op.create_index(
        "ix_alerts_open", "alerts", ["site", "raised_at"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_table(
        "services",
        sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime()),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_index("ix_services_unit", "services", ["site", "unit", "began_at"])
    op.create_table(
        "rack_changes",
        *(sa.Column(name, sa.String(64), primary_key=True) for name in ("site", "zone", "label")),
        sa.Column("at", UtcDateTime(), primary_key=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("expected", "seen", "missing")),
    )
    op.create_table(
        "retained_topics",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("topic", sa.String(255), primary_key=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
    )


def _create_figures() -> None:
    unit_keys = ("equipment", "unit", "zone")
    op.create_table(
        "unit_hours",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime(), primary_key=True),
        *(sa.Column(name, sa.String(64), primary_key=True) for name in unit_keys),
        *_calendar(),
        *_figures(),
        sa.Column("median_ms", sa.BigInteger()),
    )
    op.create_index("ix_unit_hours_unit", "unit_hours", ["site", "unit", "hour"])
    op.create_index("ix_unit_hours_day", "unit_hours", ["site", "day"])
    op.create_table(
        "group_hours",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime(), primary_key=True),
        *_calendar(),
        *_figures(),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
        sa.Column("median_ms", sa.BigInteger()),
    )
    op.create_index("ix_group_hours_day", "group_hours", ["site", "day"])
    op.create_table(
        "unit_days",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        *(sa.Column(name, sa.String(64), primary_key=True) for name in unit_keys),
        *_figures(),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_unit_days_unit", "unit_days", ["site", "unit", "day"])
    op.create_table(
        "group_days",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        *_figures(),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "session_lengths",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("step", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
    )
    op.create_table(
        "camera_hours",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("camera", sa.String(64), primary_key=True),
        sa.Column("hour", UtcDateTime(), primary_key=True),
        *_calendar(),
        sa.Column("watched_ms", sa.BigInteger(), nullable=False),
    )


def _calendar() -> list[sa.Column[object]]:
    return [
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
    ]


def _figures() -> list[sa.Column[object]]:
    return [
        sa.Column("in_use_ms", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("watched_ms", sa.BigInteger(), nullable=False),
        sa.Column("queue_ms", sa.BigInteger(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
    ]
