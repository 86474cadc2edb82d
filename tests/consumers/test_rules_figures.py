"""Availability and maintenance, which follow from hourly figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from consumers.facts import HOUR_MS
from consumers.layout import layout_of_settings
from consumers.rules import maintenance
from consumers.rules.alerts import Alerts
from consumers.rules.availability import UnitSlice, availability, band
from consumers.upkeep import UnitHours, Upkeep
from spotter.cli import cli
from spotter.errors import SettingsError
from spotter.settings import Rules, Settings

from .scenes import Film, kettlebell

GYM = """
site: gym
cameras:
  cam:
    uri: clip.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: &half [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
      treadmill-2: {kind: station, equipment: treadmill, rules: {service_after: 20}, polygon: *half}
      bike-1: {kind: station, equipment: bike, polygon: *half}
      mats: {kind: floor, polygon: [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]]}
rules: {service_after: {treadmill: 100}}
"""


@pytest.mark.parametrize(
    ("slices", "share"),
    [
        ([(0, 3600), (3600, 3600)], 0.5),
        ([(2160, 3600), (2160, 3600), (960, 2400)], 0.45),
        ([(600, 600)], 0.0),
        ([(900, 600), (0, 900)], 0.5),  # in use through 300 s that nobody watched
        ([(0, 0)], None),
        ([], None),
    ],
)
def test_availability_is_the_share_of_watched_unit_time_not_in_use(
    slices: list[tuple[float, float]], share: float | None
) -> None:
    assert availability(UnitSlice(*one) for one in slices) == (None if share is None else pytest.approx(share))


def test_from_40_to_60_percent_free_at_peak_is_healthy() -> None:
    bands = [band(share, Rules()) for share in (0.0, 0.39, 0.4, 0.6, 0.61, 1.0)]
    assert bands == ["short", "short", "healthy", "healthy", "plenty", "plenty"]
    assert band(0.39, Rules(availability_low=0.3)) == "healthy"


def test_a_band_has_two_ends(gym: Callable[[str], Settings]) -> None:
    with pytest.raises(SettingsError, match="availability_low is above availability_high"):
        gym("uri: a.mp4\nrules: {availability_low: 0.7}")


def test_use_counts_from_the_moment_of_the_last_service() -> None:
    figures = [(0, 3600.0), (HOUR_MS, 1800.0), (2 * HOUR_MS, 3600.0)]
    assert maintenance.hours_of_use(figures, None) == 2.5
    assert maintenance.hours_of_use(figures, HOUR_MS) == 1.5
    assert maintenance.hours_of_use(figures, HOUR_MS + HOUR_MS // 2) == 1.25
    assert maintenance.hours_of_use(figures, 4 * HOUR_MS) == 0


def test_a_unit_is_due_by_its_own_number_else_by_that_of_its_type(gym: Callable[[str], Settings]) -> None:
    layout = layout_of_settings(gym(GYM))
    due = {unit: maintenance.service_after(layout, unit) for unit in layout.stations}
    assert due == {"treadmill-1": 100, "treadmill-2": 20, "bike-1": None}


def test_a_unit_that_is_due_is_told_of_once_and_cleared_by_its_service(gym: Callable[[str], Settings]) -> None:
    layout, alerts = layout_of_settings(gym(GYM)), Alerts()
    told = [
        (fact.type, fact.unit, fact.time)
        for now, hours in enumerate((19.9, 20, 20.5, 0.5, 1))
        for fact in maintenance.step(alerts, "treadmill-2", hours, now, layout)
    ]
    assert told == [("raised", "treadmill-2", 1), ("cleared", "treadmill-2", 3)]
    assert maintenance.step(alerts, "bike-1", 10_000, 0, layout) == []


def test_a_unit_that_is_gone_is_due_no_more(gym: Callable[[str], Settings]) -> None:
    layout, alerts = layout_of_settings(gym(GYM)), Alerts()
    hours = {"treadmill-2": UnitHours(None, 0, after=20 * HOUR_MS - 1)}
    assert [fact.type for fact in Upkeep(layout, alerts, hours).use("treadmill-2", HOUR_MS, HOUR_MS + 1)] == ["raised"]
    without = layout_of_settings(gym(GYM.replace("treadmill-2", "treadmill-3")))
    assert [(f.type, f.unit, f.time) for f in Upkeep(without, alerts, {}).orphans(2 * HOUR_MS)] == [
        ("cleared", "treadmill-2", 2 * HOUR_MS)
    ]
    assert Upkeep(without, alerts, {}).orphans(3 * HOUR_MS) == []


def test_replay_prints_alerts_after_sessions(tmp_path: Path) -> None:
    film = Film().show([kettlebell("k", 0.7, 0.9)], 200, every=5)
    (tmp_path / "gym.yaml").write_text(GYM)
    (tmp_path / "scenes.jsonl").write_bytes(b"".join(one.to_json() + b"\n" for one in film.end()))
    arguments = ["replay", str(tmp_path / "scenes.jsonl"), "--config", str(tmp_path / "gym.yaml")]
    lines = [
        json.loads(line) for line in CliRunner().invoke(cli, arguments, catch_exceptions=False).output.splitlines()
    ]
    assert [(line["schema"], line["type"], line["kind"], line["zone"], line["time"]) for line in lines] == [
        ("spotter.alert/1", "raised", "left_out", "mats", "2026-01-01T00:02:00.000Z")
    ]
