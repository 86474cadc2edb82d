"""`spotter bench handover`: how long a batch of DeepStream's metadata takes from the probe to the queue.

NVIDIA's bindings are replaced by the strict stand-in, which checks every access and so is slower than they are.
"""

from __future__ import annotations

import gc
import platform
import statistics
import sys
import time
import tracemalloc
from dataclasses import dataclass

import click

from pipeline.deepstream import strict_pyds
from pipeline.deepstream.metadata import Handover, PydsBackend

_BATCHES_TRACED = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of a batch, and how much memory is held more after many."""

    median_ms: float
    worst_ms: float
    grown_bytes: int


class _Buffer:
    def get_buffer(self) -> _Buffer:
        return self


def measure(cameras: int, objects: int, batches: int) -> Measured:
    """Hand over so many batches."""
    before = sys.modules.get("pyds")
    sys.modules["pyds"] = strict_pyds.module()
    try:
        handover = Handover(PydsBackend())
    finally:
        if before is None:
            del sys.modules["pyds"]
        else:
            sys.modules["pyds"] = before
    times = []
    for _ in range(batches):
        buffer = _batch(cameras, objects)
        began = time.perf_counter()
        handover.probe(None, buffer)
        times.append(1000 * (time.perf_counter() - began))
        _done(handover, buffer)
    return Measured(
        statistics.median(times), sorted(times)[int(len(times) * 0.99)], _growth(handover, cameras, objects)
    )


def _growth(handover: Handover, cameras: int, objects: int) -> int:
    def rounds() -> int:
        for _ in range(_BATCHES_TRACED):
            buffer = _batch(cameras, objects)
            handover.probe(None, buffer)
            _done(handover, buffer)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = rounds()
        return rounds() - first
    finally:
        tracemalloc.stop()


def _batch(cameras: int, objects: int) -> _Buffer:
    buffer = _Buffer()
    frame = {"frame_num": 1, "buf_pts": 1, "ntp_timestamp": 1, "source_frame_width": 1280, "source_frame_height": 720}
    seen = [{"class_id": 0, "confidence": 0.8, "object_id": n, "box": (1.0, 2.0, 3.0, 4.0)} for n in range(objects)]
    strict_pyds.attach(
        buffer, [{**frame, "pad_index": pad, "bInferDone": 1, "objects": seen} for pad in range(cameras)]
    )
    return buffer


def _done(handover: Handover, buffer: _Buffer) -> None:
    strict_pyds.release(buffer)
    handover.take(0)


@click.command("handover")
@click.option("--cameras", type=click.IntRange(1, 128), default=8, show_default=True)
@click.option("--objects", type=click.IntRange(0, 300), default=20, show_default=True, help="In each camera's frame.")
@click.option("--batches", type=click.IntRange(100), default=2000, show_default=True)
def bench_handover(cameras: int, objects: int, batches: int) -> None:
    """Measure the hand-over of DeepStream's metadata, with a strict stand-in for NVIDIA's bindings.

    Prints rows of a Markdown table.
    """
    found = measure(cameras, objects, batches)
    each = 1000 * found.median_ms / max(1, cameras * objects)
    click.echo("| what | median | 99th percentile | an object | memory held after 200 more batches | measured on |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    click.echo(
        f"| probe to queue, {cameras} cameras, {objects} objects each (goal: under 2 ms) | {found.median_ms:.2f} ms "
        f"| {found.worst_ms:.2f} ms | {each:.1f} µs | {found.grown_bytes} bytes | {platform.machine()} |"
    )
