"""The latency meter joins scenes with the commit that covers them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from spotter.commands.bench_latency import LatencyMeter, quantile
from spotter.events import Committed, Scene

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def scene(seq: int, at: float) -> bytes:
    time = START + timedelta(seconds=at)
    return Scene(site="s", camera="c", stream="x", seq=seq, floor=0, time=time, frame=(640, 360)).to_json()


def test_a_commit_ends_every_scene_up_to_it_once() -> None:
    now = START
    meter = LatencyMeter(clock=lambda: now)
    meter.take("spotter/s/c/scene", scene(1, 0.0))
    meter.take("spotter/s/c/scene", scene(2, 0.5))
    meter.take("spotter/s/c/scene", scene(3, 0.9))
    now = START + timedelta(seconds=1)
    meter.take("spotter/s/c/committed", Committed(stream="x", seq=2).to_json())
    meter.take("spotter/s/c/scene", scene(2, 0.5))  # sent again: no second reading
    meter.take("spotter/s/c/committed", Committed(stream="x", seq=2).to_json())
    assert meter.seconds == pytest.approx([1.0, 0.5])
    assert meter.uncommitted == 1


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_quantiles_are_of_the_nearest_rank(share: float, value: float) -> None:
    assert quantile([float(n) for n in range(1, 101)], share) == value
