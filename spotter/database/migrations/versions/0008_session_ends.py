"""Let the index of sessions by their start tell their end, too: a day is found without reading the week before it."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Replace the index."""
    op.create_index("ix_usage_sessions_site_times", "usage_sessions", ["site", "started_at", "ended_at"])
    op.drop_index("ix_usage_sessions_site_started_at", "usage_sessions")
