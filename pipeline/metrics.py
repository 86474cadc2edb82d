"""The pipeline's figures for Prometheus, read when they are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.engine import Lane
from pipeline.engines import Source
from pipeline.keeper import Keeper
from pipeline.outbox import Outbox


class PipelineCollector(Collector):
    """Gives what the pipeline's parts know of themselves."""

    def __init__(self, cameras: Callable[[], Sequence[tuple[Lane, Source]]], outbox: Outbox, keeper: Keeper) -> None:
        self._cameras, self._outbox, self._keeper = cameras, outbox, keeper

    def collect(self) -> Iterable[Metric]:
        """All figures, of now."""
        now = time.monotonic()
        captured = GaugeMetricFamily("spotter_captured_fps", "Frames a second from the camera", labels=["camera"])
        detected = GaugeMetricFamily("spotter_detected_fps", "Frames a second looked at", labels=["camera"])
        age = GaugeMetricFamily("spotter_look_age_seconds", "Since a frame was looked at", labels=["camera"])
        pending = GaugeMetricFamily("spotter_outbox_scenes", "Scenes not committed yet", labels=["camera"])
        for lane, feed in self._cameras():
            captured.add_metric([lane.name], feed.captured.per_second(now))
            detected.add_metric([lane.name], lane.detected.per_second(now))
            if lane.processed_at is not None:
                age.add_metric([lane.name], now - lane.processed_at)
        for stream in self._outbox.streams():
            pending.add_metric([stream.camera], stream.pending)
        dropped = CounterMetricFamily("spotter_scenes_dropped", "Scenes lost to the outbox's bounds or a full disk")
        dropped.add_metric([], self._outbox.dropped + self._keeper.lost)
        return captured, detected, age, pending, dropped
