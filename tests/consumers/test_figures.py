"""Figures by hour and day: exact, the same however scenes are batched, and made again from sessions."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, delete, update

from spotter.cli import cli
from spotter.database import rollups
from spotter.database.engine import open_database
from spotter.database.figure_tables import GroupDayRow, GroupHourRow, SessionLengthRow, UnitDayRow, UnitHourRow
from spotter.database.lengths import median_seconds, step_of
from spotter.database.rollups import SessionSpan, UnitKey
from spotter.database.tables import UsageSessionRow
from spotter.events import Scene
from spotter.hours import HOUR_MS, local_hour, split_hours
from spotter.moments import to_ms, to_time
from spotter.settings import Settings

from .ledger import Ledger, rows, tables
from .scenes import START, Film, kettlebell, person

GYM = """
site: gym
timezone: {zone}
cameras:
  alone:
    uri: a.mp4
    zones:
      treadmill-1: {{kind: station, equipment: treadmill, polygon: [[0.0, 0.5], [0.4, 0.5], [0.4, 1.0], [0.0, 1.0]]}}
      line: {{kind: waiting, for: [treadmill-1], polygon: [[0.4, 0.5], [0.6, 0.5], [0.6, 1.0], [0.4, 1.0]]}}
      shelf: {{kind: rack, holds: {{kettlebell: 2}}, polygon: [[0.8, 0.0], [1, 0], [1, 0.3], [0.8, 0.3]]}}
      mats: {{kind: floor, polygon: [[0.6, 0.5], [1, 0.5], [1, 1], [0.6, 1]]}}
  left:
    uri: b.mp4
    zones: {{bench-1: &bench {{kind: station, equipment: bench, polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}}
  right: {{uri: c.mp4, zones: {{bench-1: *bench}}}}
rules:
  {{enter_after: 1, leave_after: 3, use_after: 1, rest_after: 4, lost_after: 2, rack_window: 5, left_out_after: 20}}
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def busy(gym: Callable[[str], Settings]) -> Settings:
    return gym(GYM.format(zone="Asia/Kolkata"))  # half past by UTC's clocks


def a_busy_gym(seed: int, hours: float = 1.2) -> list[Scene]:
    """People on all units, kit in use and left out, a queue, and pictures that fail."""
    chance = random.Random(seed)
    scenes: list[Scene] = []
    for camera in ("alone", "left", "right"):
        film = Film(camera)
        number = 0
        while film.now < hours * 3600:
            number += 1
            x = chance.choice([0.2, 0.3, 0.7])
            here = [person(f"p{number}", x, 0.9)]
            if chance.random() < 0.5:
                here.append(person(f"q{number}", 0.5, 0.9))
            bell = [kettlebell(f"k{number}", 0.7, 0.85, moving=True)] if chance.random() < 0.5 else []
            film.show([*here, *bell], chance.uniform(5, 200), every=5)
            film.show(bell, chance.choice([0, 10, 60]), every=2)
            film.show([], chance.choice([5, 30, 200]), every=5)
            if chance.random() < 0.1:
                film.dark(chance.choice([5, 20, 70]))
        scenes += film.scenes
    return sorted(scenes, key=lambda scene: (scene.time, scene.camera))


def test_figures_are_the_same_however_scenes_are_batched_and_after_each_restart(
    engine: Engine, busy: Settings, tmp_path: Path
) -> None:
    scenes = a_busy_gym(1)
    other = open_database(f"sqlite:///{tmp_path}/other.db")
    Ledger(engine, busy).take(scenes)
    chance, cuts = random.Random(2), [0]
    while cuts[-1] < len(scenes):
        cuts.append(cuts[-1] + chance.randint(1, 300))
    Ledger(other, busy, forgetful=True).take(*(scenes[a:b] for a, b in itertools.pairwise(cuts)))
    one, two = tables(engine), tables(other)
    for name, found in one.items():
        assert found == two[name], name
    for name in ("unit_hours", "group_hours", "unit_days", "group_days", "session_lengths", "camera_hours", "alerts"):
        assert one[name], name
    assert any(int(queue) for (queue,) in rows(engine, GroupHourRow, "queue_ms"))
    other.dispose()


def test_figures_are_made_again_exactly_from_the_sessions(engine: Engine, busy: Settings) -> None:
    Ledger(engine, busy).take(a_busy_gym(3))
    before = tables(engine)
    with engine.begin() as connection:
        for table in (UnitDayRow, GroupDayRow, SessionLengthRow):
            connection.execute(delete(table))
        connection.execute(update(UnitHourRow).values(in_use_ms=7, sessions=7, median_ms=7))
        connection.execute(update(GroupHourRow).values(in_use_ms=7, sessions=7, known_ms=7, median_ms=7))
        told: list[float] = []
        assert rollups.rebuild(connection, "gym", ZoneInfo("Asia/Kolkata"), told.append) == 1
    assert told[-1] == 1
    after = tables(engine)
    for name, found in before.items():
        assert found == after[name], name


def test_figures_are_sums_of_the_sessions(engine: Engine, busy: Settings) -> None:
    Ledger(engine, busy).take(a_busy_gym(4))
    sessions = rows(engine, UsageSessionRow, "equipment", "unit", "started_at", "ended_at", "last_at")
    length = sum(to_ms(end or last) - to_ms(begin) for _, _, begin, end, last in sessions)
    for table, scope in ((GroupHourRow, "site"), (GroupHourRow, "equipment"), (GroupDayRow, "site")):
        found = [(ms, n) for of, ms, n in rows(engine, table, "scope", "in_use_ms", "sessions") if of == scope]
        assert (sum(ms for ms, _ in found), sum(n for _, n in found)) == (length, len(sessions))
    for used, watched, pieces in rows(engine, UnitHourRow, "in_use_ms", "watched_ms", "pieces"):
        assert 0 <= watched <= pieces * HOUR_MS
        assert 0 <= used <= (HOUR_MS if pieces <= 1 else used)
    for used, known in rows(engine, GroupHourRow, "in_use_ms", "known_ms"):
        assert used <= known


def test_an_open_session_counts_as_far_as_it_was_told_of(engine: Engine, busy: Settings) -> None:
    film = Film("alone").show([person("p", 0.2, 0.9)], 100, every=5)
    Ledger(engine, busy).take(film.scenes)
    ((end,),) = rows(engine, UsageSessionRow, "ended_at")
    used = dict(rows(engine, UnitHourRow, "unit", "in_use_ms"))
    assert end is None
    assert 80_000 <= used["treadmill-1"] <= 95_000


def test_what_a_correction_changes_is_in_the_figures_at_once(engine: Engine, busy: Settings) -> None:
    Ledger(engine, busy).take(a_busy_gym(5))
    (identity, begin, end, *what), *_ = [
        found
        for found in sorted(rows(engine, UsageSessionRow, "id", "started_at", "ended_at", "equipment", "unit", "zone"))
        if found[2] is not None and found[2] - found[1] > timedelta(seconds=20)
    ]
    gone = SessionSpan(UnitKey(*(name or "" for name in what)), to_ms(begin), to_ms(end), is_open=False)
    before = {scope: ms for scope, ms in rows(engine, GroupDayRow, "scope", "in_use_ms") if scope == "site"}
    with engine.begin() as connection:
        connection.execute(delete(UsageSessionRow).where(UsageSessionRow.id == identity))
        rollups.change(connection, "gym", ZoneInfo("Asia/Kolkata"), [gone], [])
    corrected = tables(engine)
    after = {scope: ms for scope, ms in rows(engine, GroupDayRow, "scope", "in_use_ms") if scope == "site"}
    assert before["site"] - after["site"] == to_ms(end) - to_ms(begin)
    with engine.begin() as connection:
        rollups.rebuild(connection, "gym", ZoneInfo("Asia/Kolkata"))
    assert tables(engine) == corrected


@pytest.mark.parametrize("spread", [30, 300, 3000])
def test_a_median_read_from_steps_is_close_to_the_true_one(spread: int) -> None:
    chance = random.Random(spread)
    lengths = [chance.lognormvariate(0, 0.8) * spread for _ in range(2000)]
    steps = Counter(step_of(round(length * 1000)) for length in lengths)
    assert median_seconds(steps) == pytest.approx(median(lengths), rel=0.05)
    assert median_seconds({}) is None


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 11, 25), 24),
        ("Asia/Kathmandu", date(2026, 11, 25), 24),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),
    ],
)
def test_a_local_day_has_as_many_hours_as_its_clocks_show(zone: str, day: date, hours: int) -> None:
    clocks = ZoneInfo(zone)
    begin, end = (
        to_ms(datetime.combine(at, time.min, tzinfo=clocks).astimezone(timezone.utc))
        for at in (day, day + timedelta(days=1))
    )
    pieces = list(split_hours(begin, end, clocks))
    assert len({hour for hour, _ in pieces}) == hours
    assert sum(ms for _, ms in pieces) == end - begin
    assert {local_hour(hour, clocks).day for hour, _ in pieces} == {day}
    assert local_hour(pieces[0][0], clocks).of_day == 0
    assert local_hour(pieces[-1][0], clocks).of_day == 23
    assert to_time(pieces[0][0]) == to_time(begin)


def test_use_across_a_clock_change_is_of_the_right_hours(engine: Engine, gym: Callable[[str], Settings]) -> None:
    """From 2:30 summer time to 2:30 winter time is an hour of use, and the hour from 2 comes twice."""
    settings = gym(GYM.format(zone="Europe/Berlin"))
    film = Film("alone")
    film.now = (datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc) - START).total_seconds()
    film.show([person("p", 0.2, 0.9)], 3600, every=5).show([], 30, every=5)
    Ledger(engine, settings).take(film.scenes)
    found = rows(engine, UnitHourRow, "unit", "hour", "day", "local_hour", "in_use_ms")
    of_unit = sorted((hour.hour, str(day), local, used) for unit, hour, day, local, used in found if unit)
    assert [(hour, day, local) for hour, day, local, _ in of_unit] == [
        (0, "2026-10-25", 2),
        (1, "2026-10-25", 2),
    ]
    assert [round(used / 60_000) for *_, used in of_unit] == [30, 30]
    days = [
        (str(day), round(used / 60_000))
        for unit, day, used in rows(engine, UnitDayRow, "unit", "day", "in_use_ms")
        if unit
    ]
    assert days == [("2026-10-25", 60)]


def test_rebuild_rollups_counts_every_site_again(tmp_path: Path, busy: Settings) -> None:
    config = tmp_path / "gym.yaml"
    config.write_text(GYM.format(zone="Asia/Kolkata") + "database: {url: 'sqlite:///here.db'}\n")
    engine = open_database(f"sqlite:///{tmp_path}/here.db")
    Ledger(engine, busy).take(a_busy_gym(6, hours=0.3))
    before = tables(engine)
    with engine.begin() as connection:
        connection.execute(update(UnitHourRow).values(in_use_ms=7))
    result = CliRunner().invoke(cli, ["db", "rebuild-rollups", "--config", str(config)], catch_exceptions=False)
    assert "gym: 1 days counted again" in result.output
    assert tables(engine) == before
    engine.dispose()
