"""`spotter bench capture`: processor time of capture by OpenCV and by GStreamer, on the same 720p clips, in one run.

Each engine does what it does in a gym before the motion gate: it decodes every picture and hands over those that are
looked at. Processor time of the whole process is measured, all threads included, so what else the machine does
hardly shows. Both take turns, clip by clip.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from pipeline.bench import DETECT_FPS
from pipeline.capture import Sampler, open_capture
from spotter.errors import CameraError, SettingsError, SpotterError
from spotter.settings import Camera

CAMERAS, FPS, SIZE = 8, 15, "1280:720"
ENGINES = ("opencv", "gstreamer")

_CLIP_SECONDS = 10
_NOISE = 6  # levels, of a sensor: without it the copies of rendered pictures decode at next to no cost
_INPUT_SIZE = 640  # of the shipped detector
_DEMO = Path(__file__).parents[1] / "spotter" / "demo"


def measure_capture(clips: Sequence[Path], rounds: int) -> dict[str, list[float]]:
    """For each engine that is installed the processor seconds a camera-minute, one figure a round over all clips.

    Raises CameraError where a clip can't be read.
    """
    engines = [engine for engine in ENGINES if _installed(engine)]
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for turn in range(rounds):
        spent = dict.fromkeys(engines, 0.0)
        watched = dict.fromkeys(engines, 0.0)
        for clip in clips:
            for engine in engines[:: 1 if turn % 2 else -1]:
                began = time.process_time()
                watched[engine] += _watch(clip, engine)
                spent[engine] += time.process_time() - began
        for engine in engines:
            found[engine].append(60 * spent[engine] / watched[engine])
    return found


def _watch(clip: Path, engine: str) -> float:
    """Capture the whole clip; gives its seconds."""
    capture = open_capture(clip.stem, Camera(uri=str(clip), detect_fps=DETECT_FPS), engine, _INPUT_SIZE)
    sampler, frames = Sampler(DETECT_FPS), 0
    info = capture.open()
    try:
        while capture.grab():
            frames += capture.came
            if sampler.takes(capture.position):
                capture.retrieve()
    finally:
        capture.close()
    if not frames or not info.fps:
        raise CameraError(f"{clip}: no frame in it")
    return frames / info.fps


def _installed(engine: str) -> bool:
    try:
        open_capture("none", Camera(uri="none.mp4"), engine)
    except SettingsError:
        return False
    return True


def _make_clips(folder: Path) -> Iterator[Path]:
    """The demo's footage as eight cameras would send it: 720p, H.264, with a sensor's noise."""
    if shutil.which("ffmpeg") is None:
        raise SpotterError("the clips are made with ffmpeg: apt install ffmpeg, or name clips of your own")
    footage = sorted(_DEMO.glob("*.mp4"))
    for index in range(CAMERAS):
        source, place = footage[index % len(footage)], 4 * (index // len(footage))
        clip = folder / f"camera-{index}.mp4"
        picture = f"scale={SIZE},fps={FPS},noise=alls={_NOISE}:allf=t"
        encoder = ["-c:v", "libx264", "-preset", "veryfast", "-g", str(2 * FPS), "-b:v", "2M", "-pix_fmt", "yuv420p"]
        command = ["ffmpeg", "-v", "error", "-ss", str(place), "-t", str(_CLIP_SECONDS), "-i", str(source)]
        try:
            subprocess.run([*command, "-vf", picture, *encoder, "-an", str(clip)], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SpotterError(f"ffmpeg can't make the clips: {' '.join(reason)}") from None
        yield clip


@click.command("capture")
@click.argument("clips", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="How often all are read.")
def bench_capture(clips: tuple[Path, ...], rounds: int) -> None:
    """Measure the processor time that capture takes on CLIPS; made from the demo's footage unless given.

    Prints rows of a Markdown table.
    """
    with tempfile.TemporaryDirectory() as folder:
        with Console(stderr=True).status("making clips"):
            clips = clips or tuple(_make_clips(Path(folder)))
        with Console(stderr=True).status("measuring"):
            found = measure_capture(clips, rounds)
    base = statistics.median(found["opencv"])
    click.echo("| capture by | processor seconds a camera-minute | against OpenCV | measured on |")
    click.echo("| --- | --- | --- | --- |")
    where = f"{len(clips)} clips, {DETECT_FPS:g} frames of each second handed over, {rounds} rounds"
    for engine, figures in found.items():
        seconds = statistics.median(figures)
        spread = f"{min(figures):.2f} to {max(figures):.2f}"
        click.echo(f"| {engine} | {seconds:.2f} ({spread}) | {seconds / base:.2f} | {where} |")
    if "gstreamer" not in found:
        click.echo("GStreamer is not installed here; `spotter camera probe --engine gstreamer` says why.", err=True)
