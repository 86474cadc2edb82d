"""The commands `spotter pipeline`, `spotter record` and `spotter camera`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

import click
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.capture import VideoInfo, open_capture
from pipeline.capture.diagnosis import shown
from pipeline.deepstream.graph import build, wants_new_mux
from pipeline.deepstream.listed import VERSIONS, problems
from pipeline.deepstream.model_file import is_jetson
from pipeline.deepstream.printing import FORMS
from pipeline.deepstream.printing import shown as shown_graph
from pipeline.detection import open_finder
from pipeline.recording import record as record_scenes
from spotter.errors import CameraError, SettingsError, SpotterError
from spotter.events import NAME_PATTERN, describe
from spotter.settings import Camera, Settings, load

_PROBE_SECONDS = 3.0
_NAMELESS = "camera"
_ANY_SIZE = 1 << 15
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2100, 1, 1, tzinfo=timezone.utc)


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("gym.yaml"), show_default=True, help="Settings."
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve Prometheus metrics on 127.0.0.1 here.")
@click.option("--print-graph", is_flag=True, help="Print DeepStream's graph, each property with its reason, and stop.")
@click.option("--as", "form", type=click.Choice(FORMS), default="text", show_default=True, help="Form of the graph.")
def pipeline(config: Path, metrics_port: int | None, print_graph: bool, form: str) -> None:
    """Watch the cameras and publish scenes until stopped.

    SIGHUP reads the settings again: cameras are added, removed and opened anew where theirs changed.
    """
    if print_graph:
        click.echo(_graph(load(config), form))
        return
    from pipeline.service import run

    run(lambda: load(config), metrics_port=metrics_port)


def _graph(settings: Settings, form: str) -> str:
    graph = build(settings, new_mux=wants_new_mux(os.environ), jetson=is_jetson())
    wrong = [problem for version in VERSIONS for problem in problems(graph, version)]
    if wrong:
        raise SpotterError("\n".join(wrong))
    return shown_graph(graph, form)


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings that name the camera.")
@click.option("--camera", "name", help="Which camera of the settings; may be left out where there is one.")
@click.option("--uri", help="A camera's address or a file, instead of settings.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Scenes, one a line.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@click.option("--start", help="The time at which a file begins, such as 2026-01-01T00:00:00Z; now unless given.")
def record(
    config: Path | None, name: str | None, uri: str | None, out: Path, seconds: float | None, start: str | None
) -> None:
    """Write the scenes of a camera or clip to a file, as the pipeline would publish them.

    A clip runs once through, as fast as the machine allows, with its own times.
    """
    settings, name = _one_camera(config, name, uri)
    began = _parse_start(start)
    finder = open_finder(settings)
    count = 0
    with _progress() as bar:
        task = bar.add_task(shown(settings.cameras[name]), total=seconds)

        def advance(done: float, total: float) -> None:
            bar.update(task, completed=done, total=total or None)

        scenes = record_scenes(settings, name, finder, start=began, seconds=seconds, progress=advance)
        with _writable(out) as file:
            try:
                for scene in scenes:
                    file.write(scene.to_json() + b"\n")
                    count += 1
            except KeyboardInterrupt:  # how a person ends the recording of a camera
                scenes.close()
                if not count:
                    raise
            except CameraError as error:
                raise (error if config else _without_name(error)) from None
    click.echo(f"{count} scenes in {out}", err=True)


@click.group()
def camera() -> None:
    """Try a camera's address."""


@camera.command()
@click.argument("uri")
@click.option("--username", help="For the camera's log-in.")
@click.option("--password", envvar="SPOTTER_CAMERA_PASSWORD", help="Better as SPOTTER_CAMERA_PASSWORD.")
@click.option("--engine", type=click.Choice(["opencv", "gstreamer"]), default="opencv", show_default=True)
def probe(uri: str, username: str | None, password: str | None, engine: str) -> None:
    """Open a camera, file or webcam number and tell what it gives."""
    tried = _camera_at(uri).model_copy(
        update={"username": username, "password": SecretStr(password) if password else None}
    )
    capture = open_capture(_NAMELESS, tried, engine, longest=_ANY_SIZE)
    try:
        info = capture.open()
        frames, began = 0, time.monotonic()
        while time.monotonic() - began < _PROBE_SECONDS and capture.grab():
            if not frames:
                height, width = capture.retrieve().shape[:2]
            frames += capture.came
            if tried.is_file:
                break
        measured = frames / (time.monotonic() - began)
    except CameraError as error:
        raise _without_name(error) from None
    finally:
        capture.close()
    click.echo(f"{shown(tried)}: {width}x{height}, {_rate(info, measured, tried)}, codec {info.codec or 'unknown'}")


def _rate(info: VideoInfo, measured: float, tried: Camera) -> str:
    if tried.is_file:
        return f"{info.fps:g} frames a second, {info.seconds:.1f} s"
    stated = f" ({info.fps:g} stated)" if info.fps else ""
    return f"{measured:.1f} frames a second{stated}"


def _one_camera(config: Path | None, name: str | None, uri: str | None) -> tuple[Settings, str]:
    """The settings and the camera that a command is about."""
    if (config is None) == (uri is None):
        raise click.UsageError("give either --config FILE (with --camera NAME) or --uri ADDRESS")
    if uri is not None:
        name = name or _NAMELESS
        if not _is_name(name):
            raise click.UsageError("--camera: use letters, digits, dot, dash and underscore")
        return Settings(cameras={name: _camera_at(uri)}), name
    assert config is not None
    settings = load(config)
    known = ", ".join(settings.cameras) or "none"
    if name is None:
        if len(settings.cameras) != 1:
            raise SettingsError(f"{config}: say which camera with --camera; known here: {known}")
        name = next(iter(settings.cameras))
    if name not in settings.cameras:
        raise SettingsError(f"{config}: no camera is called '{name}'; known here: {known}")
    return settings, name


def _camera_at(uri: str) -> Camera:
    if "@" in uri.split("://", 1)[-1].split("/", 1)[0] and "://" in uri:
        raise click.UsageError("keep the log-in out of the address: use `username:` and `password:` in the settings")
    try:
        return Camera(uri=int(uri) if uri.isdecimal() else uri)
    except ValidationError as error:
        raise click.UsageError(
            f"{describe(error)}; give an rtsp:// or http:// address, the path of a video file, or a webcam's number"
        ) from None


def _without_name(error: CameraError) -> CameraError:
    """The error of a camera that has no name, for it is only an address."""
    return CameraError(re.sub(r"^camera '[^']*': ", "", str(error)))


def _is_name(name: str) -> bool:
    return re.fullmatch(NAME_PATTERN, name) is not None


def _parse_start(start: str | None) -> datetime:
    if start is None:
        return datetime.now(timezone.utc)
    try:
        began = datetime.fromisoformat(start.replace("Z", "+00:00"))
    except ValueError:
        raise click.UsageError(f"--start {start}: not a time; write it as 2026-01-01T00:00:00Z") from None
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    if not _EARLIEST <= began < _LATEST:
        raise click.UsageError(f"--start {start}: out of range; give a time from {_EARLIEST.year} to {_LATEST.year}")
    return began


@contextmanager
def _writable(out: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `out` at the end; whatever fails before leaves `out` as it was."""
    target = out.resolve()
    is_device = target.exists() and not target.is_file()  # /dev/stdout or a pipe: there is nothing to keep
    part = target if is_device else target.with_name(target.name + ".part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise SpotterError(f"{out}: can't be written ({error.strerror}); choose another --out") from None
    try:
        with file:
            yield file
        if not is_device:
            part.replace(target)
    finally:
        if not is_device:
            part.unlink(missing_ok=True)


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
