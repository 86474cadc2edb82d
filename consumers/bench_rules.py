"""`spotter bench rules`: scenes a second that one core interprets, beside a bare JSON decode of the same log.

Both are measured in processor time and by turns, so that the ratio holds on a busy machine and on another one.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from consumers.interpreter import Interpreter
from consumers.layout import layout_of_settings
from consumers.view import view_of
from spotter import events
from spotter.events import Scene, SceneObject
from spotter.settings import loads

OBJECTS = 10
TURNS = 5
_STEP = timedelta(seconds=0.5)
_BEGIN = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)

_GYM = """
site: bench
cameras:
  camera:
    uri: none.mp4
    zones:
      treadmill-1: {kind: station, equipment: treadmill, polygon: [[0.02, 0.7], [0.14, 0.7], [0.14, 1], [0.02, 1]]}
      treadmill-2: {kind: station, equipment: treadmill, polygon: [[0.16, 0.7], [0.28, 0.7], [0.28, 1], [0.16, 1]]}
      line: {kind: waiting, for: [treadmill-1, treadmill-2], polygon: [[0.02, 0.5], [0.28, 0.5], [0.28, 0.69]]}
      rack-a: {kind: rack, holds: {kettlebell: 4}, polygon: [[0.78, 0.2], [1, 0.2], [1, 0.5], [0.78, 0.5]]}
      mats: {kind: floor, polygon: [[0.3, 0.55], [1, 0.55], [1, 1], [0.3, 1]]}
"""


@click.command()
@click.option("--scenes", type=click.IntRange(min=1000), default=20_000, show_default=True, help="How many.")
def bench_rules(scenes: int) -> None:
    """Scenes of ten objects that the rules interpret in memory a second, on one core.

    All by processor time, without a broker or database: a bare `json.loads` of each line; the rules alone, on scenes
    that were read before; and the whole way from a line, which is parsed, checked against the contract and interpreted.
    """
    log = [scene.to_json() for scene in busy_scenes(scenes)]
    views = [view_of(events.parse(Scene, line)) for line in log]
    layout = layout_of_settings(loads(_GYM, base=Path(), environment={}))

    def decode() -> None:
        for line in log:
            json.loads(line)

    def interpret() -> None:
        interpreter = Interpreter(layout)
        for view in views:
            interpreter.feed(view)

    def both() -> None:
        interpreter = Interpreter(layout)
        for line in log:
            interpreter.feed(view_of(events.parse(Scene, line)))

    work = {
        "bare JSON decode": decode,
        "interpretation alone": interpret,
        "decode, check and interpretation": both,
    }
    best = dict.fromkeys(work, math.inf)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for _ in progress.track(range(TURNS), description="measuring"):
            for what, run in work.items():
                best[what] = min(best[what], _seconds(run))
    bare = scenes / best["bare JSON decode"]
    click.echo(f"| {scenes} scenes of {OBJECTS} objects | scenes a second | against bare JSON |\n| --- | ---: | ---: |")
    for what, seconds in best.items():
        click.echo(f"| {what} | {scenes / seconds:,.0f} | {scenes / seconds / bare:.2f} |")
    click.echo(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", err=True)


def busy_scenes(count: int) -> list[Scene]:
    """What a busy gym's camera publishes: three people who train, kit in their hands, in the rack and on the floor."""
    scenes = []
    for seq in range(count):
        t = seq * 0.5
        swing = 0.1 * (1 + math.sin(t * 4))
        people = [
            _object("p-1", "person", 0.08 + 0.004 * math.sin(t), 0.85, 0.11, 0.42, moving=True, seq=seq),
            _object("p-2", "person", 0.45 + 0.01 * math.sin(t / 3), 0.9, 0.11, 0.42, moving=True, seq=seq),
            _object("p-3", "person", 0.65, 0.92, 0.11, 0.42, moving=False, seq=seq),
        ]
        kit = [
            _object("k-1", "kettlebell", 0.47, 0.75 - swing, 0.034, 0.07, moving=True, seq=seq),
            _object("k-2", "kettlebell", 0.66, 0.91, 0.034, 0.07, moving=False, seq=seq),
            *(
                _object(f"k-{n}", "kettlebell", 0.62 + 0.05 * n, 0.45, 0.034, 0.07, moving=False, seq=seq)
                for n in (4, 5)
            ),
            _object("m-1", "med_ball", 0.9, 0.95, 0.04, 0.07, moving=False, seq=seq),
            _object("f-1", "foam_roller", 0.35, 0.97, 0.08, 0.05, moving=False, seq=seq),
            _object("y-1", "yoga_block", 0.75, 0.8, 0.04, 0.04, moving=False, seq=seq),
        ]
        scenes.append(
            Scene(
                site="bench",
                camera="camera",
                stream="S1",
                seq=seq,
                floor=0,
                time=_BEGIN + seq * _STEP,
                frame=(1280, 720),
                objects=tuple(people + kit),
            )
        )
    return scenes


def _object(
    track: str, label: str, x: float, y: float, width: float, height: float, *, moving: bool, seq: int
) -> SceneObject:
    tremble = 0.001 * math.sin(seq * 1.7 + x * 50)
    box = (x - width / 2 + tremble, y - height, x + width / 2 + tremble, y + tremble / 2)
    left, top, right, bottom = (round(min(max(edge, 0.0), 1.0), 4) for edge in box)
    score = round(0.75 + 10 * tremble, 4)
    return SceneObject(id=track, label=label, score=score, box=(left, top, right, bottom), moving=moving, since=_BEGIN)


def _seconds(run: Callable[[], None]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
