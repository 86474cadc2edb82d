"""Corrections of sessions: rows and figures change together, whatever is taken back gives what was before."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, insert

from spotter.database import rollups
from spotter.database.corrections import CorrectionError, Editor, fingerprint, history, reviews
from spotter.database.engine import open_database
from spotter.database.figure_tables import (
    GroupDayRow,
    GroupHourRow,
    GroupMonthRow,
    LengthMonthRow,
    SessionLengthRow,
    UnitDayRow,
    UnitHourRow,
)
from spotter.database.migrate import upgrade
from spotter.database.tables import UsageSessionRow

BEGIN = datetime(2026, 11, 20, 17, 30, tzinfo=timezone.utc)
ZONE = ZoneInfo("Asia/Kolkata")
FIGURES = (UnitHourRow, UnitDayRow, GroupHourRow, GroupDayRow, SessionLengthRow, GroupMonthRow, LengthMonthRow)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = open_database(database_url)
    upgrade(engine)
    with engine.connect() as opened:
        yield opened
        opened.rollback()
    engine.dispose()


@pytest.fixture
def add(connection: Connection) -> Callable[..., str]:
    def one(session: str, minute: float, minutes: float | None = 10, **more: object) -> str:
        begin = BEGIN + timedelta(minutes=minute)
        end = None if minutes is None else begin + timedelta(minutes=minutes)
        row = {
            "id": session, "site": "gym", "equipment": "kettlebell", "unit": None, "zone": "mats", "cameras": ["left"],
            "started_at": begin, "ended_at": end, "active_seconds": 60.0, "confidence": 0.8, "ended_by": "rest",
            "layout_version": 1, "last_at": end, **more,
        }  # fmt: skip
        connection.execute(insert(UsageSessionRow).values(row))
        return session

    return one


def editor(connection: Connection, by: str = "Tom") -> Editor:
    return Editor(connection, "gym", ZONE, by, BEGIN + timedelta(days=1))


def stored(connection: Connection) -> dict[str, tuple[object, ...]]:
    columns = UsageSessionRow.__table__.columns
    return {row.id: tuple(row) for row in connection.execute(UsageSessionRow.__table__.select().order_by(columns.id))}


def figures(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """But for rows that say nothing any more, which a rebuild leaves out."""
    return {
        table.__tablename__: sorted(tuple(map(str, row)) for row in connection.execute(table.__table__.select()))
        for table in FIGURES
    }


def reason(wrong: Callable[[], object]) -> str:
    with pytest.raises(CorrectionError) as caught:
        wrong()
    return caught.value.reason


def test_another_label_moves_the_minutes(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0)
    rollups.rebuild(connection, "gym", ZONE)
    editor(connection).relabel("a", "med_ball")
    days = connection.execute(UnitDayRow.__table__.select()).all()
    assert [(row.equipment, row.in_use_ms, row.sessions) for row in days] == [("med_ball", 600_000, 1)]


def test_two_that_were_one_and_one_that_was_two(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0, 10, confidence=0.9)
    add("b", 12, 4, confidence=0.6, cameras=["right"], ended_by="left")
    tom = editor(connection)
    tom.merge("a", "b")
    (one,) = stored(connection).values()
    merged = UsageSessionRow(**dict(zip(UsageSessionRow.__table__.columns.keys(), one, strict=True)))
    assert (merged.id, merged.cameras, merged.ended_by) == ("a", ["left", "right"], "left")
    assert merged.ended_at == BEGIN + timedelta(minutes=16)
    assert (merged.active_seconds, merged.confidence) == (120.0, pytest.approx(0.75))
    tom.split("a", BEGIN + timedelta(minutes=4))
    first, second = sorted(stored(connection).values(), key=lambda row: str(row[6]))
    assert first[0] == "a"
    assert len(str(second[0])) == 36
    assert sum(float(str(row[8])) for row in (first, second)) == pytest.approx(120)


def test_what_is_not_possible_is_refused_with_its_reason(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0)
    add("b", 20)
    add("open", 30, None)
    add("ball", 40, equipment="med_ball")
    add("mill", 50, equipment="treadmill", unit="treadmill-1")
    add("in a week", 60 * 24 * 7)
    tom = editor(connection)
    before = stored(connection)
    assert reason(lambda: tom.discard("nothing")) == "missing"
    assert reason(lambda: Editor(connection, "other", ZONE, "Tom", BEGIN).discard("a")) == "missing"
    assert reason(lambda: tom.discard("open")) == "running"
    assert reason(lambda: tom.relabel("a", "kettlebell")) == "same"
    assert reason(lambda: tom.relabel("mill", "med_ball")) == "unit"
    for one, other in (("a", "ball"), ("b", "a"), ("a", "a"), ("a", "in a week")):
        assert reason(lambda one=one, other=other: tom.merge(one, other)) == "apart"
    for minute in (-1, 0, 10, 11):
        assert reason(lambda m=minute: tom.split("a", BEGIN + timedelta(minutes=m))) == "outside"
    assert reason(lambda: tom.undo(1)) == "missing"
    assert stored(connection) == before
    assert history(connection, "gym") == []


def test_who_corrects_second_is_told(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0)
    add("b", 20)
    seen = fingerprint(next(iter(history_rows(connection))))
    editor(connection).relabel("a", "med_ball", seen)
    assert reason(lambda: editor(connection, "Olga").relabel("a", "dumbbell", seen)) == "changed"


def history_rows(connection: Connection) -> list[UsageSessionRow]:
    names = UsageSessionRow.__table__.columns.keys()
    return [UsageSessionRow(**dict(zip(names, row, strict=True))) for row in stored(connection).values()]


def test_taking_back_goes_from_the_last_to_the_first(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0)
    tom = editor(connection)
    before = stored(connection)
    split = tom.split("a", BEGIN + timedelta(minutes=5))
    relabel = tom.relabel("a", "med_ball")
    assert reason(lambda: tom.undo(split)) == "changed"
    assert [row.id for row in history(connection, "gym", "a")] == [relabel, split]
    editor(connection, "Olga").undo(relabel)
    assert reason(lambda: tom.undo(relabel)) == "undone"
    tom.undo(split)
    assert stored(connection) == before
    assert {row.undone_by for row in history(connection, "gym")} == {"Olga", "Tom"}


@pytest.mark.parametrize("seed", range(6))
def test_after_any_corrections_figures_are_those_of_the_sessions_and_all_can_be_taken_back(
    connection: Connection, add: Callable[..., str], seed: int
) -> None:
    chance = random.Random(seed)
    for number in range(12):
        label = chance.choice(["kettlebell", "med_ball"])
        add(f"s{number}", chance.uniform(0, 400), chance.uniform(0.2, 90), equipment=label)
    add("open", 410, None)
    add("next month", 60 * 24 * 31)  # the month of the others is over, and kept as sums
    rollups.rebuild(connection, "gym", ZONE)
    assert figures(connection)["group_months"]
    before, figures_before = stored(connection), figures(connection)
    tom, done = editor(connection), []
    for _ in range(15):
        ids = sorted(stored(connection))
        one, other = chance.choice(ids), chance.choice(ids)
        kind = chance.choice(["relabel", "discard", "merge", "split", "undo"])
        try:
            if kind == "relabel":
                done.append(tom.relabel(one, chance.choice(["kettlebell", "med_ball", "dumbbell"])))
            elif kind == "discard" and len(ids) > 3:
                done.append(tom.discard(one))
            elif kind == "merge":
                done.append(tom.merge(one, other))
            elif kind == "split":
                done.append(tom.split(one, BEGIN + timedelta(minutes=chance.uniform(0, 450))))
            elif kind == "undo" and done:
                tom.undo(done[-1])
                done.pop()
        except CorrectionError:
            continue
    now = figures(connection)
    rollups.rebuild(connection, "gym", ZONE)
    assert figures(connection) == now
    for number in reversed(done):
        tom.undo(number)
    assert stored(connection) == before
    assert figures(connection) == figures_before


def test_what_is_written_of_a_session_is_kept_and_replaced(connection: Connection, add: Callable[..., str]) -> None:
    add("a", 0)
    tom = editor(connection)
    assert reason(lambda: tom.review("nothing", "", "")) == "missing"
    tom.review("a", "back too round", "Blue shirt")
    tom.review("a", "better", "")
    (one,) = reviews(connection, ["a", "b"]).values()
    assert (one.note, one.client, one.by) == ("better", "", "Tom")


def test_of_two_at_once_one_is_told(database_url: str, add: Callable[..., str], connection: Connection) -> None:
    add("a", 0)
    connection.commit()
    engine = open_database(database_url)
    said: list[str] = []

    def discard() -> None:
        with engine.begin() as own:
            try:
                editor(own).discard("a")
                said.append("done")
            except CorrectionError as error:
                said.append(error.reason)

    both = [threading.Thread(target=discard) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    engine.dispose()
    assert sorted(said) == ["done", "missing"]
    assert len(history(connection, "gym")) == 1
