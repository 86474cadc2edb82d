"""`spotter replay`, `truth` and `rules`: what works on recorded scenes."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from consumers.scene_log import Choice, chosen
from consumers.trial import Change, Difference, Trial
from consumers.truth import Comparison, Score
from spotter import settings as settings_module
from spotter.embedded.servers import with_embedded
from spotter.errors import SettingsError
from spotter.events import NAME_PATTERN, UsageSession, format_time
from spotter.settings import Settings

_scenes = click.argument("scenes", type=click.Path(path_type=Path))
_config = click.option(
    "--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file."
)


def _check_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    import re

    if name is not None and re.fullmatch(NAME_PATTERN, name) is None:
        raise click.BadParameter("use letters, digits, dot, dash and underscore; at most 64")
    return name


def _parse_begin(_: click.Context, __: click.Parameter, text: str | None) -> datetime | float | None:
    """Seconds, or a time."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter("write it as 2026-01-01T00:00:00Z, or as seconds after the log's start") from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


_begin = click.option(
    "--from",
    "begin",
    metavar="TIME|SECONDS",
    callback=_parse_begin,
    help="Leave out scenes before this time, or before so many seconds after the log's first scene.",
)
_site = click.option("--site", metavar="NAME", callback=_check_name, help="Only scenes of this site.")
_as_site = click.option(
    "--as-site", metavar="NAME", callback=_check_name, help="Take the scenes as those of this site, with its zones."
)


@click.command()
@_scenes
@_config
@_begin
@_site
@_as_site
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Go at so many times the recorded pace, and print each event when it is known; at once unless given.",
)
@click.option("--mqtt", "into_mqtt", is_flag=True, help="Send the scenes into the running system of the settings.")
@click.option("--keep-times", is_flag=True, help="With --mqtt: leave times as recorded, not moved to now.")
def replay(
    scenes: Path,
    config: Path,
    begin: datetime | float | None,
    site: str | None,
    as_site: str | None,
    speed: float | None,
    into_mqtt: bool,
    keep_times: bool,
) -> None:
    """Interpret recorded SCENES without any server; prints sessions, then alerts, as JSON, one a line.

    A session that is still open at the end of the log has no `ended`. With --speed, all events are printed as they
    become known: sessions started, updated and ended, alerts raised and cleared.

    With --mqtt nothing is printed: the scenes go to the broker as from a pipeline, again until each is committed. Their
    times are moved so that the log ends when its replay does, and they are a new stream. With --keep-times they are
    sent as they are, and what the database has already is not doubled.
    """
    choice = Choice(begin, site, as_site)
    if keep_times and not into_mqtt:
        raise click.UsageError("--keep-times goes with --mqtt")
    settings = settings_module.load(config)
    if into_mqtt:
        _send(scenes, choice, with_embedded(settings), speed or 0, keep_times=keep_times)
    elif speed is not None:
        _play(scenes, choice, settings, config, speed)
    else:
        result = _interpreted(scenes, choice, settings, config)
        for event in (*result.sessions, *result.alerts):
            click.echo(event.to_json())


@click.command()
@_scenes
@click.argument("truth_file", metavar="TRUTH", type=click.Path(path_type=Path))
@_config
@_site
@_as_site
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the place of a table.")
def truth(scenes: Path, truth_file: Path, config: Path, site: str | None, as_site: str | None, as_json: bool) -> None:
    """Compare the sessions of recorded SCENES with the true times in TRUTH."""
    from consumers.truth import compare, read_truth

    settings = settings_module.load(config)
    true = read_truth(truth_file)
    comparison = compare(_interpreted(scenes, Choice(None, site, as_site), settings, config), true)
    if as_json:
        click.echo(json.dumps(_scores_as_json(comparison)))
    else:
        _print_scores(comparison)


@click.group()
def rules() -> None:
    """Try other thresholds on recorded scenes."""


@rules.command("try")
@_scenes
@_config
@click.option(
    "--set",
    "assignments",
    metavar="[ZONE.]NAME=VALUE",
    multiple=True,
    required=True,
    help="A threshold of `rules:`, such as leave_after=30, or of one zone: treadmill-1.leave_after=60. Repeatable.",
)
@_begin
@_site
@_as_site
@click.option("--all", "every", is_flag=True, help="List every session that would change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the place of tables.")
def try_rules(
    scenes: Path,
    config: Path,
    assignments: tuple[str, ...],
    begin: datetime | float | None,
    site: str | None,
    as_site: str | None,
    every: bool,
    as_json: bool,
) -> None:
    """Interpret recorded SCENES by the settings and by other thresholds, and show what would change.

    Nothing is stored: put what you like into the settings file.
    """
    from consumers.replay import interpret
    from consumers.trial import differences, with_thresholds

    settings = settings_module.load(config)
    other = with_thresholds(settings, assignments)
    choice = Choice(begin, site, as_site)
    before = _interpreted(scenes, choice, settings, config)
    trial = differences(before, interpret(chosen(scenes, choice), other))
    if as_json:
        click.echo(json.dumps(_trial_as_json(trial)))
    else:
        _print_trial(trial, every=every)


def _interpreted(scenes: Path, choice: Choice, settings: Settings, config: Path) -> Any:
    from consumers.replay import interpret

    result = interpret(chosen(scenes, choice), settings)
    _warn(result.unknown, config)
    if result.first is None:
        click.echo(f"{scenes}: no scenes", err=True)
    return result


def _play(scenes: Path, choice: Choice, settings: Settings, config: Path, speed: float) -> None:
    """Print events at the pace at which they became known."""
    from consumers.replay import Replay

    found = Replay(chosen(scenes, choice), settings)
    _warn(found.unknown, config)
    began, first = time.monotonic(), None
    for moment, events in found.play():
        first = moment if first is None else first
        if events:
            time.sleep(max(0.0, began + (moment - first) / 1000 / speed - time.monotonic()))
        for event in events:
            click.echo(event.to_json())


def _send(scenes: Path, choice: Choice, settings: Settings, speed: float, *, keep_times: bool) -> None:
    from consumers.feeder import Feeder

    if settings.mqtt is None:
        raise SettingsError(
            f"mqtt: not named, and no `spotter up` has run in {settings.data}; add `mqtt: {{url: mqtt://…}}`"
        )
    feeder = Feeder(settings.mqtt, chosen(scenes, choice), speed=speed, keep_times=keep_times)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scenes committed", total=None)
        done = feeder.run(lambda count, total: bar.update(task, completed=count, total=total))
    moved = "with their own times" if keep_times else f"with times moved by {_as_duration(done.shift)}"
    cameras = "1 camera" if done.cameras == 1 else f"{done.cameras} cameras"
    click.echo(f"{done.scenes} scenes of {cameras} committed in {done.seconds:.1f} s, {moved}", err=True)


def _warn(unknown: set[str], config: Path) -> None:
    for name in sorted(unknown):
        hint = "; --as-site takes it for another" if name.startswith("site ") else ""
        click.echo(f"{name} is not in {config}: interpreted without zones{hint}", err=True)


def _as_duration(duration: timedelta) -> str:
    sign = "-" if duration < timedelta(0) else "+"
    return sign + str(timedelta(seconds=round(abs(duration.total_seconds()))))


# Truth


def _scores_as_json(comparison: Comparison) -> dict[str, Any]:
    def values(score: Score) -> dict[str, Any]:
        return {
            "error": None if score.error is None else round(score.error, 4),
            "true_minutes": round(score.true_seconds / 60, 4),
            "found_minutes": round(score.found_seconds / 60, 4),
            "wrong_minutes": round(score.wrong_seconds / 60, 4),
            "true_sessions": score.true_sessions,
            "found_sessions": score.found_sessions,
            "missed": score.missed,
            "false": score.false,
            "split": score.split,
        }

    units = [
        {"equipment": equipment, "unit": unit, **values(score)}
        for (equipment, unit), score in comparison.scores.items()
    ]
    return {"overall": values(comparison.overall), "units": units}


def _print_scores(comparison: Comparison) -> None:
    table = Table("equipment", "unit", box=None)
    for heading in ("true min", "found min", "error", "missed", "false", "split"):
        table.add_column(heading, justify="right")
    rows = [(*subject, score) for subject, score in comparison.scores.items()]
    for equipment, unit, score in [*rows, ("all", None, comparison.overall)]:
        table.add_row(
            equipment,
            unit or "-",
            f"{score.true_seconds / 60:.2f}",
            f"{score.found_seconds / 60:.2f}",
            "-" if score.error is None else f"{score.error:.1%}",
            *(str(count) for count in (score.missed, score.false, score.split)),
        )
    Console(soft_wrap=True).print(table)


# Trials

_LISTED = 20


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    def session(one: UsageSession | None) -> dict[str, Any] | None:
        return None if one is None else json.loads(one.to_json())

    def values(found: Difference) -> dict[str, Any]:
        return {
            "sessions": {"before": found.sessions[0], "after": found.sessions[1]},
            "minutes": {"before": round(found.seconds[0] / 60, 4), "after": round(found.seconds[1] / 60, 4)},
            **{kind: found.count(kind) for kind in ("gained", "lost", "longer", "shorter", "moved")},
            "changes": [
                {
                    "kind": change.kind,
                    "seconds": round(change.seconds, 3),
                    "before": session(change.before),
                    "after": session(change.after),
                }
                for change in found.changes
            ],
        }

    return {
        "units": [
            {"equipment": equipment, "unit": unit, **values(found)}
            for (equipment, unit), found in trial.subjects.items()
        ],
        "alerts": {kind: {"before": before, "after": after} for kind, (before, after) in trial.alerts.items()},
    }


def _print_trial(trial: Trial, *, every: bool) -> None:
    console = Console(soft_wrap=True)
    table = Table("equipment", "unit", box=None)
    for heading in ("sessions", "minutes", "gained", "lost", "longer", "shorter"):
        table.add_column(heading, justify="right")
    for (equipment, unit), found in trial.subjects.items():
        table.add_row(
            equipment,
            unit or "-",
            f"{found.sessions[0]} → {found.sessions[1]}",
            f"{found.seconds[0] / 60:.2f} → {found.seconds[1] / 60:.2f}",
            *(str(found.count(kind)) for kind in ("gained", "lost", "longer", "shorter")),
        )
    for kind, (before, after) in trial.alerts.items():
        table.add_row(f"alert {kind}", "-", f"{before} → {after}")
    console.print(table)
    changes = [
        (unit or equipment, change) for (equipment, unit), one in trial.subjects.items() for change in one.changes
    ]
    if not changes:
        console.print("\nNo session would change.")
        return
    listed = changes if every else changes[:_LISTED]
    changed = Table("", "change", "before", "after", box=None)
    changed.add_column("seconds", justify="right")
    for name, change in listed:
        changed.add_row(name, change.kind, *_times(change), f"{change.seconds:+.1f}")
    console.print()
    console.print(changed)
    if len(changes) > len(listed):
        console.print(f"and {len(changes) - len(listed)} more; --all lists them")


def _times(change: Change) -> tuple[str, str]:
    def shown(session: UsageSession | None) -> str:
        if session is None or session.ended is None:
            return "-"
        return f"{format_time(session.started)[:19].replace('T', ' ')} - {format_time(session.ended)[11:19]}"

    return shown(change.before), shown(change.after)
