"""The command `spotter doctor`."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pipeline.deepstream.graph import files_of
from pipeline.doctor import machine, nvidia
from pipeline.doctor.findings import Row, look, worst
from spotter.errors import SettingsError
from spotter.settings import Settings, load

_COLOURS = {"fine": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}

Checks = tuple[tuple[str, Callable[[Settings], "Row | Iterable[Row]"]], ...]

EVERYWHERE: Checks = (
    ("system", machine.system),
    ("data folder", machine.data_folder),
    ("detector", machine.detector),
    ("cameras", machine.cameras),
    ("MQTT broker", machine.broker),
    ("Redis", machine.redis),
    ("database", machine.database),
)
DEEPSTREAM: Checks = (
    ("GPU", nvidia.platform_row),
    ("versions", nvidia.versions),
    ("elements", nvidia.elements),
    ("parser", nvidia.parser),
    ("tracker", nvidia.tracker),
    ("engine folder", nvidia.engines),
)


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("gym.yaml"), show_default=True, help="Settings."
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a file for support, no secrets in it."
)
@click.option("--dry-run/--no-dry-run", default=True, help="DeepStream only: run its graph on a bundled clip.")
@click.option("--seconds", type=click.FloatRange(5, 600), default=30, show_default=True, help="How long it runs.")
def doctor(config: Path, report: Path | None, dry_run: bool, seconds: float) -> None:
    """Look at all that Spotter needs here, and say what to mend. Exit code 1 where something failed."""
    settings = load(config)
    rows = [Row("settings", "fine", f"{config}: site {settings.site}, {len(settings.cameras)} cameras")]
    console = Console(stderr=True)
    with console.status("looking …", spinner="dots") if console.is_terminal else _Quiet():
        rows += examine(settings, seconds=seconds if dry_run else None)
    secrets = _secrets(settings)
    rows = [Row(one.subject, one.state, _without(one.detail, secrets), _without(one.mend, secrets)) for one in rows]
    Console(width=None if sys.stdout.isatty() else 160).print(_table(rows))
    if report is not None:
        try:
            report.write_text(_report(rows, settings, secrets), encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{report}: can't be written ({error.strerror})") from None
        click.echo(f"report in {report}", err=True)
    raise click.exceptions.Exit(worst(rows))


def examine(settings: Settings, *, seconds: float | None) -> Iterator[Row]:
    """All rows for these settings; with `seconds`, DeepStream's graph runs for so long."""
    for subject, check in EVERYWHERE:
        yield from look(subject, lambda check=check: check(settings))  # type: ignore[misc]
    if settings.engine != "deepstream":
        return
    for subject, check in DEEPSTREAM:
        yield from look(subject, lambda check=check: check(settings))  # type: ignore[misc]
    if seconds is not None:
        yield from look("dry run", lambda: _dry_run(settings, seconds))


def _dry_run(settings: Settings, seconds: float) -> Iterable[Row]:
    from pipeline.doctor.dry_run import dry_run

    return dry_run(settings, seconds)


def _table(rows: Iterable[Row]) -> Table:
    table = Table("what", "state", "found", "mend")
    for row in rows:
        table.add_row(row.subject, f"[{_COLOURS[row.state]}]{row.state}[/]", _plain(row.detail), _plain(row.mend))
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _report(rows: Iterable[Row], settings: Settings, secrets: list[str]) -> str:
    """Everything as text: rows, versions of packages, settings and written files, with every secret taken out."""
    parts = ["\t".join((row.subject, row.state, row.detail, row.mend)) for row in rows]
    packages = sorted(f"{one.metadata['Name']} {one.version}" for one in importlib.metadata.distributions())
    parts += ["", "packages:", *packages, "", "settings:", settings.model_dump_json(indent=1)]
    if settings.engine == "deepstream":
        files = files_of(settings)
        for path in (files.infer_config, files.tracker_config):
            if path.is_file():
                parts += ["", f"{path}:", path.read_text(encoding="utf-8")]
    return _without("\n".join(parts), secrets) + "\n"


def _secrets(settings: Settings) -> list[str]:
    """All that must not be told, longest first."""
    found = [camera.password.get_secret_value() for camera in settings.cameras.values() if camera.password]
    found += [camera.username for camera in settings.cameras.values() if camera.username]
    if settings.mqtt is not None:
        found += [settings.mqtt.username or ""]
        found += [settings.mqtt.password.get_secret_value()] if settings.mqtt.password else []
    found += [settings.redis.url.get_secret_value()] if settings.redis else []
    found += [settings.database.url.get_secret_value()] if settings.database else []
    return sorted({one for one in found if len(one) > 2}, key=len, reverse=True)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class _Quiet:
    """No spinner where nobody watches."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass
