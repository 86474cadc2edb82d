"""`spotter bench pipeline`: detections a second of the whole engine against bare onnxruntime, in one run.

Both use the same session, model and threads, and take turns in short slices, so that whatever else the machine does
hits both alike. The engine's side does all that it does in a gym: from the frame as a camera gives it through
letterbox, network, non-maximum suppression, tracking and scene building to the scene on disk. A second figure adds
decoding of the clips and the motion gate's look at every sampled frame.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from pipeline.capture import Capture, Frame, Sampler, open_capture
from pipeline.capture.base import Image
from pipeline.detection import LEAST_SCORE, OnnxFinder
from pipeline.engine import Engine, Lane
from pipeline.keeper import Keeper
from pipeline.outbox import Outbox
from pipeline.watcher import Watcher
from spotter.detector import Detector
from spotter.errors import CameraError
from spotter.settings import Camera
from spotter.weights import weights_path

DETECT_FPS = 5.0

_SLICE_SECONDS = 0.6
_FRAMES = 60  # of each clip, held decoded in memory for the figure without decoding


def measure_pipeline(
    clips: Sequence[Path], seconds: float, threads: int | None = None, model: Path | None = None
) -> dict[str, Any]:
    """Measure for about `seconds`; rates are detections a second, ratios medians over the turns.

    Raises CameraError or WeightsError where a clip or the model can't be used.
    """
    detector = Detector(weights_path(model), confidence=LEAST_SCORE, threads=threads)
    detector.warm_up()
    tensor = detector.preprocess(_frames(clips[0])[0])[0][None].copy()
    finder = OnnxFinder(detector)
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox.db", hours=1, mebibytes=64)
        keeper = Keeper(outbox, lambda draft, seq: None)
        keeper.start()
        in_memory = _engine(finder, [_Memory(_frames(clip)) for clip in clips], keeper)
        decoding = _engine(finder, [_Playing(clip) for clip in clips], keeper)
        turns = _take_turns(seconds, _bare(detector, tensor), _looks(in_memory), _looks(decoding))
        keeper.stop(2)
        outbox.close()
    bare = [turn[0] for turn in turns]
    found: dict[str, Any] = {
        "turns": len(turns),
        "threads": threads or "all",
        "clips": [clip.name for clip in clips],
        "machine": f"{platform.machine()}, {_cores()} cores",
    }
    for index, name in enumerate(("bare", "engine", "decoding")):
        slices = [turn[index] for turn in turns]
        found[f"{name}_per_second"] = statistics.median(one.per_second for one in slices)
        found[f"{name}_cpu_ms"] = statistics.median(one.cpu_ms for one in slices)
        found[f"{name}_ratio"] = statistics.median(
            one.per_second / base.per_second for one, base in zip(slices, bare, strict=True)
        )
    return found


@dataclass(frozen=True, slots=True)
class _Slice:
    """What one slice gave."""

    per_second: float
    cpu_ms: float
    """Processor time of each detection: unlike the rate, it hardly feels what else the machine does."""


def _take_turns(seconds: float, *works: Callable[[float], int]) -> list[tuple[_Slice, ...]]:
    """What each work gave, in turns of a slice each."""
    turns: list[tuple[_Slice, ...]] = []
    order = list(range(len(works)))
    began = time.perf_counter()
    while not turns or time.perf_counter() - began < seconds:
        slices = {index: _slice(works[index]) for index in order}
        turns.append(tuple(slices[index] for index in range(len(works))))
        order.reverse()  # who goes first after a pause has it easier
    return turns


def _slice(work: Callable[[float], int]) -> _Slice:
    began, cpu_began = time.perf_counter(), time.process_time()
    count = max(1, work(began + _SLICE_SECONDS))
    cpu_seconds = time.process_time() - cpu_began
    return _Slice(count / (time.perf_counter() - began), 1000 * cpu_seconds / count)


def _bare(detector: Detector, tensor: NDArray[np.float32]) -> Callable[[float], int]:
    def work(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            detector.infer(tensor)
            count += 1
        return count

    return work


def _looks(engine: Engine) -> Callable[[float], int]:
    """What is begun in a slice is finished in it, too: the other side's slices are its own."""

    def work(until: float) -> int:
        before = engine.looked
        while time.perf_counter() < until:
            engine.step()
        engine.step(begin=False)
        return engine.looked - before

    return work


class _Memory:
    """A feed of decoded frames, one after another, as if sampled at `DETECT_FPS`."""

    has_frame = True

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = cycle(images)
        self._at = 0.0

    def take(self) -> Frame:
        self._at += 1 / DETECT_FPS
        return Frame(next(self._images), _EPOCH + timedelta(seconds=self._at), self._at)


class _Playing:
    """A feed that decodes a looping clip and takes `DETECT_FPS` of its frames, gated, as fast as it can."""

    has_frame = True

    def __init__(self, clip: Path) -> None:
        self._capture = _opened(clip)
        self._sampler = Sampler(DETECT_FPS)
        self._offset = self._at = 0.0
        self._watcher: Watcher | None = None

    def watched_by(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def take(self) -> Frame:
        while True:
            if not self._capture.grab():
                self._capture.open()
                self._offset = self._at + 1 / DETECT_FPS
                continue
            self._at = self._offset + self._capture.position
            if self._sampler.takes(self._at):
                frame = Frame(self._capture.retrieve(), _EPOCH + timedelta(seconds=self._at), self._at)
                if self._watcher is not None:
                    self._watcher.wants(frame)
                return frame


_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


def _engine(finder: OnnxFinder, feeds: Sequence[_Memory | _Playing], keeper: Keeper) -> Engine:
    lanes = []
    for index, feed in enumerate(feeds):
        name = f"camera-{index}"
        watcher = Watcher("bench", name, Camera(uri=index), id_prefix="k3f9", confidence=0.3)
        if isinstance(feed, _Playing):
            feed.watched_by(watcher)
        lanes.append(Lane(name, feed, watcher, keeper.put))
    engine = Engine(finder)
    engine.use(lanes)
    return engine


def _opened(clip: Path) -> Capture:
    capture = open_capture(clip.stem, Camera(uri=str(clip)))
    capture.open()
    return capture


def _frames(clip: Path) -> list[Image]:
    capture, sampler, images = _opened(clip), Sampler(DETECT_FPS), list[Image]()
    while len(images) < _FRAMES and capture.grab():
        if sampler.takes(capture.position):
            images.append(np.ascontiguousarray(capture.retrieve()))
    capture.close()
    if not images:
        raise CameraError(f"{clip}: no frame in it")
    return images


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command("pipeline")
@click.argument("clips", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(min=5), default=45, show_default=True, help="How long to measure.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of the network; all cores unless given.")
@click.option("--model", type=click.Path(path_type=Path), help="ONNX weights; the shipped ones unless given.")
def bench_pipeline(clips: tuple[Path, ...], seconds: float, threads: int | None, model: Path | None) -> None:
    """Measure detections a second on CLIPS (videos) against bare onnxruntime with the same model and threads.

    Prints rows of a Markdown table.
    """
    if not clips:
        raise click.UsageError("name at least one video, such as: spotter bench pipeline clip.mp4")
    found = measure_pipeline(clips, seconds, threads, model)
    where = f"{found['machine']}, {found['threads']} threads, {len(clips)} clips, {found['turns']} turns"
    click.echo("| what | detections a second | against bare onnxruntime | processor ms each | measured on |")
    click.echo("| --- | --- | --- | --- | --- |")
    for key, what in (
        ("bare", "bare onnxruntime, one picture at a time"),
        ("engine", "whole engine: letterbox to scene on disk (goal: at least 0.95)"),
        ("decoding", f"the same and decoding, {DETECT_FPS:g} frames of each second looked at"),
    ):
        rate, ratio, cpu = (found[f"{key}_{figure}"] for figure in ("per_second", "ratio", "cpu_ms"))
        click.echo(f"| {what} | {rate:.1f} | {ratio:.3f} | {cpu:.1f} | {where} |")
