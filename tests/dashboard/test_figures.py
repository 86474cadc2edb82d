"""Figures: periods cut into months and days, hints, and months that are folded once they are over."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from dashboard.equipment import query
from dashboard.equipment.figures import HOUR_MS, Figures, Limits, Peak, hint
from dashboard.equipment.period import days_between, parts
from spotter.database import rollups
from spotter.database.engine import open_database
from spotter.database.figure_tables import GroupMonthRow, LengthMonthRow
from spotter.database.migrate import upgrade
from spotter.database.months import folded, next_month
from spotter.database.rollups import FigureChanges, UnitKey
from spotter.hours import HOUR_MS as HOUR
from spotter.hours import hour_of
from spotter.moments import to_ms

BERLIN = ZoneInfo("Europe/Berlin")
LIMITS = Limits(0.4, 0.6)
NOW = datetime(2026, 11, 26, 20, tzinfo=timezone.utc)
DAYS = st.dates(date(2025, 1, 1), date(2026, 11, 26))


@given(DAYS, DAYS, st.sets(st.integers(1, 12).map(lambda month: date(2026, month, 1))))
def test_months_and_days_make_up_the_period_and_nothing_twice(one: date, other: date, known: set[date]) -> None:
    first, last = sorted((one, other))
    cut = parts(days_between(first, last, BERLIN, NOW), frozenset(known))
    days: list[date] = []
    for begin, end in [*((month, next_month(month) - timedelta(days=1)) for month in cut.months), *cut.days]:
        days += [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    assert sorted(days) == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert set(cut.months) <= known


@pytest.mark.parametrize(
    ("pieces", "busy", "watched_hours", "verdict", "change"),
    [
        (6, 4.1, 100, "buy", 1),
        (1, 1.0, 100, "buy", 1),
        (6, 3.0, 100, "enough", 0),
        (6, 1.0, 100, "too_many", 3),
        (1, 0.1, 100, "enough", 0),
        (6, 4.1, 2, "unknown", 0),
        (6, 4.1, 25, "unknown", 0),
    ],
)
def test_a_hint_follows_from_the_peak(pieces: int, busy: float, watched_hours: int, verdict: str, change: int) -> None:
    known = watched_hours * pieces * HOUR_MS
    figures = Figures(round(known * busy / pieces), 9, known, known, 0, pieces, 100 * HOUR_MS)
    found = hint(Peak(18, figures), LIMITS)
    assert (found.verdict, found.change) == (verdict, change)
    assert hint(None, LIMITS).verdict == "unknown"


def an_hour_a_day(begin: datetime, days: int) -> FigureChanges:
    changes, key = FigureChanges(BERLIN), UnitKey("bike", "bike-1", "floor")
    for number in range(days):
        at = hour_of(to_ms(begin + timedelta(days=number)), BERLIN)
        amounts = changes.units[at, key]
        amounts.in_use_ms, amounts.sessions, amounts.watched_ms, amounts.pieces = HOUR // 2, 1, HOUR, 1
        changes.ended.append((key, at, HOUR // 2))
    return changes


def test_a_year_reads_the_same_with_months_and_without(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'year.db'}")
    upgrade(engine)
    begin = datetime(2026, 1, 10, 12, tzinfo=timezone.utc)
    with engine.begin() as connection:
        rollups.add(connection, "gym", an_hour_a_day(begin, 100))
        assert folded(connection, "gym") == {date(2026, month, 1) for month in (1, 2, 3)}
        # What comes late changes a folded month, too.
        rollups.add(connection, "gym", an_hour_a_day(begin + timedelta(days=30, hours=3), 2))
    period = days_between(date(2026, 1, 1), date(2026, 4, 30), BERLIN, NOW)
    with Session(engine) as session:
        asked = (session, "gym", period, BERLIN, "equipment", ["bike"])
        with_months = query.weeks(*asked), query.days(*asked), query.medians(session, "gym", period, "unit", ["bike-1"])
        session.execute(delete(GroupMonthRow))
        session.execute(delete(LengthMonthRow))
        assert with_months == (
            query.weeks(*asked),
            query.days(*asked),
            query.medians(session, "gym", period, "unit", ["bike-1"]),
        )
        hours = with_months[1]["bike"]
        assert sum(one.sessions for one in hours) == 102
    engine.dispose()
