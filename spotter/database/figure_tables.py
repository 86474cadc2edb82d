"""The tables of figures: how long equipment was in use, by the hour and the day of the gym's own clocks.

Durations are whole milliseconds, so that sums are exact. `''` stands for "none" in keys: the unit of portable kit, the
zone of what is in none. An hour is named by the moment at which it began.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from spotter.database.tables import Base, UtcDateTime


class _Calendar:
    day: Mapped[date] = mapped_column(Date)
    """The gym's calendar day."""
    weekday: Mapped[int] = mapped_column(SmallInteger)
    """0 is Monday."""
    local_hour: Mapped[int] = mapped_column(SmallInteger)
    """0 to 23; a day on which clocks are set back has one of them twice."""


class _Figures:
    in_use_ms: Mapped[int] = mapped_column(BigInteger)
    """In which it was in use, summed over the units of a group; an open session counts up to where it was last told."""
    sessions: Mapped[int] = mapped_column(Integer)
    """That began then."""
    watched_ms: Mapped[int] = mapped_column(BigInteger)
    """In which a camera really saw it, summed over `pieces`. Of several cameras, that which saw it longest."""
    queue_ms: Mapped[int] = mapped_column(BigInteger)
    """That people waited for it, summed over people. Whoever waits for any of several units counts for each of them,
    and once for their type, the waiting zone and the site."""
    pieces: Mapped[int] = mapped_column(Integer)
    """How many there are: 1 for a unit, what a rack holds for kit."""


class UnitHourRow(_Calendar, _Figures, Base):
    """An hour of a unit, or of a kind of kit in a zone. Written by the usage worker."""

    __tablename__ = "unit_hours"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    equipment: Mapped[str] = mapped_column(String(64), primary_key=True)
    unit: Mapped[str] = mapped_column(String(64), primary_key=True)
    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    median_ms: Mapped[int | None] = mapped_column(BigInteger)
    """The median length of the sessions that began then and have ended."""

    __table_args__ = (Index("ix_unit_hours_unit", "site", "unit", "hour"), Index("ix_unit_hours_day", "site", "day"))


class GroupHourRow(_Calendar, _Figures, Base):
    """An hour of a type, a zone or the site. Written with `unit_hours`, from which all but the queue follows."""

    __tablename__ = "group_hours"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`equipment`, `zone` or `site`"""
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The type's or zone's; the site's own."""
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    known_ms: Mapped[int] = mapped_column(BigInteger)
    """Of which it is known whether it was in use: availability is 1 - in_use_ms / known_ms."""
    median_ms: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_group_hours_day", "site", "day", "scope", "name"),)


class UnitDayRow(_Figures, Base):
    """A local day of a unit, or of a kind of kit in a zone: sums of `unit_hours`."""

    __tablename__ = "unit_days"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    equipment: Mapped[str] = mapped_column(String(64), primary_key=True)
    unit: Mapped[str] = mapped_column(String(64), primary_key=True)
    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    known_ms: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_unit_days_unit", "site", "unit", "day"),)


class GroupDayRow(_Figures, Base):
    """A local day of a type, a zone or the site: sums of `group_hours`."""

    __tablename__ = "group_days"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    known_ms: Mapped[int] = mapped_column(BigInteger)


class SessionLengthRow(Base):
    """How many sessions that began on a day were how long: what a period's median is read from."""

    __tablename__ = "session_lengths"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`unit`, `equipment`, `zone` or `site`"""
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """See `spotter.database.lengths`."""
    sessions: Mapped[int] = mapped_column(Integer)


class CameraHourRow(_Calendar, Base):
    """How long a camera's picture covered an hour. Written by the usage worker."""

    __tablename__ = "camera_hours"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    watched_ms: Mapped[int] = mapped_column(BigInteger)


class GroupMonthRow(_Figures, Base):
    """An hour of the week in a local month of a type, a zone or the site: sums of `group_hours`.

    Only of months that are over: see `spotter.database.months`.
    """

    __tablename__ = "group_months"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    """Its first day."""
    weekday: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    local_hour: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    known_ms: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)  # read by stretches of the key


class LengthMonthRow(Base):
    """How many sessions that began in a month that is over were how long: sums of `session_lengths`."""

    __tablename__ = "length_months"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    sessions: Mapped[int] = mapped_column(Integer)

    __table_args__ = ({"sqlite_with_rowid": False},)
