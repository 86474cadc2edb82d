"""The tables, as SQLAlchemy models. Others may read them; only the part named in each may write it.

The schema changes through the migrations beside this file alone.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC on every database (SQLite keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; refuses a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database, always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


BigId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables."""


class UsageSessionRow(Base):
    """A usage session, open while `ended_at` is null. Written by the usage worker."""

    __tablename__ = "usage_sessions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    equipment: Mapped[str] = mapped_column(String(64))
    unit: Mapped[str | None] = mapped_column(String(64))
    zone: Mapped[str | None] = mapped_column(String(64))
    cameras: Mapped[list[str]] = mapped_column(JSON)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active_seconds: Mapped[float] = mapped_column(Float)
    confidence: Mapped[float] = mapped_column(Float)
    ended_by: Mapped[str | None] = mapped_column(String(16))
    layout_version: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last moment at which use was seen, as told of, or `ended_at`; null in rows of before 0003."""

    __table_args__ = (
        Index("ix_usage_sessions_site_times", "site", "started_at", "ended_at"),
        Index("ix_usage_sessions_site_equipment_started_at", "site", "equipment", "started_at"),
        Index(  # what is in use now, asked by every open page, must not cost a walk through the past
            "ix_usage_sessions_open",
            "site",
            "started_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class AlertRow(Base):
    """Something that a person should look at, open while `cleared_at` is null.

    Written by the usage worker; acknowledged by `spotter.database.alerts`.
    """

    __tablename__ = "alerts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    camera: Mapped[str | None] = mapped_column(String(64))
    zone: Mapped[str | None] = mapped_column(String(64))
    unit: Mapped[str | None] = mapped_column(String(64))
    equipment: Mapped[str | None] = mapped_column(String(64))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    detail: Mapped[str] = mapped_column(Text)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[str | None] = mapped_column(String(64))
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_detail: Mapped[str | None] = mapped_column(Text)
    layout_version: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_alerts_site_raised_at", "site", "raised_at"),
        Index(
            "ix_alerts_open",
            "site",
            "raised_at",
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )


class DeliveryRow(Base):
    """That somebody is told of an alert. Written by `dashboard.notify`."""

    __tablename__ = "deliveries"

    alert: Mapped[str] = mapped_column(String(36), primary_key=True)
    event: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`raised` or `cleared`."""
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`email`, `webhook`, or `push-` and the number of a browser."""
    site: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    """`waiting`, `sent`, `failed` (given up) or `skipped` (over before anybody was to be told)."""
    tries: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_deliveries_due", "site", "state", "next_at"),)


class ServiceRow(Base):
    """A unit's service: under way while `done_at` is null. Written by `spotter.database.services`."""

    __tablename__ = "services"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    unit: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_services_unit", "site", "unit", "began_at"),)


class CorrectionRow(Base):
    """What a person changed of sessions, whole rows before and after. Written by `spotter.database.corrections`."""

    __tablename__ = "corrections"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    """`relabel`, `discard`, `merge` or `split`."""
    session: Mapped[str] = mapped_column(String(36))
    """The session that was corrected, as the person saw it."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(64))
    before: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    after: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_by: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index("ix_corrections_site", "site", "id"),)


class ReviewRow(Base):
    """That a person looked at a session, and what they wrote of it. Written by `spotter.database.corrections`."""

    __tablename__ = "session_reviews"

    session: Mapped[str] = mapped_column(String(36), primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text)
    client: Mapped[str] = mapped_column(String(40))
    """A nickname, or nothing."""


class RackChangeRow(Base):
    """What a rack lacked of a label from a moment on. Written by the usage worker."""

    __tablename__ = "rack_changes"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    expected: Mapped[int] = mapped_column(Integer)
    seen: Mapped[int] = mapped_column(Integer)
    missing: Mapped[int] = mapped_column(Integer)


class RetainedTopicRow(Base):
    """What the broker is to retain of a site: said again to one that lost it. Written by the usage worker."""

    __tablename__ = "retained_topics"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    topic: Mapped[str] = mapped_column(String(255), primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class LayoutRow(Base):
    """A version of a site's zones and rules. Written by `spotter.database.layouts`."""

    __tablename__ = "layouts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(16))
    """`settings`: of the settings file; `import`: of another one; `dashboard`: drawn."""
    created_by: Mapped[str | None] = mapped_column(String(64))
    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the usage worker took it into use; the newest such version is in force."""
    positions: Mapped[list[list[Any]] | None] = mapped_column(JSON)
    """The moment from which on it holds: [camera, stream, seq of the last scene before it]."""

    __table_args__ = (UniqueConstraint("site", "version"),)


class CameraPositionRow(Base):
    """How far a camera's stream is committed. Written by the usage worker, with the rows that follow from it."""

    __tablename__ = "camera_positions"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    stream: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InterpreterStateRow(Base):
    """What the rules remember of a place between two scenes. Written by the usage worker."""

    __tablename__ = "interpreter_states"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(255), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    """Grows by one with each write: a writer that expects another one is no longer the owner."""
    state: Mapped[bytes] = mapped_column(LargeBinary)


class WaitingSceneRow(Base):
    """A committed scene that waits for those of other cameras of its place. Written by the usage worker."""

    __tablename__ = "waiting_scenes"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    stream: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    place: Mapped[str] = mapped_column(String(255))
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class OutgoingEventRow(Base):
    """An event that follows from committed scenes and is yet to be published. Written by the usage worker."""

    __tablename__ = "outgoing_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    shard: Mapped[int] = mapped_column(Integer, index=True)
    topic: Mapped[str] = mapped_column(String(255))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    retained: Mapped[bool]
