"""`spotter db`: the database's tables, and the figures in them."""

from __future__ import annotations

import functools
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import Progress, TaskID
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from spotter import settings as settings_module
from spotter.database import layouts, rollups
from spotter.database.engine import explain, open_database
from spotter.database.figure_tables import UnitHourRow
from spotter.database.migrate import upgrade as run_migrations
from spotter.database.tables import UsageSessionRow

_config = click.option(
    "--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file."
)


@click.group()
def db() -> None:
    """Bring the database's tables up to date, or make its figures again."""


@db.command()
@_config
def upgrade(config: Path) -> None:
    """Run the migrations that the database lacks; safe at any time, also while parts run."""
    engine = open_database(settings_module.load(config).database_url)
    before, after = run_migrations(engine)
    engine.dispose()
    click.echo(f"up to date at {after}" if before == after else f"upgraded from {before or 'empty'} to {after}")


@db.command("rebuild-rollups")
@_config
@click.option("--site", help="Only this site; all in the database unless given.")
def rebuild_rollups(config: Path, site: str | None) -> None:
    """Count the figures by hour and day again from the sessions.

    Needed only after sessions were changed by hand, or the gym's time zone was: Spotter keeps them in step. Safe while
    parts run, but the usage worker waits for it.
    """
    settings = settings_module.load(config)
    engine = open_database(settings.database_url)
    run_migrations(engine)
    try:
        sites = [site] if site is not None else _sites(engine)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for name in sites:
                task = progress.add_task(name, total=1.0)
                with engine.begin() as connection:
                    known = layouts.newest(connection, name)
                    clocks = known.document.get("timezone", "UTC") if known is not None else settings.timezone
                    told = functools.partial(_show, progress, task)
                    days = rollups.rebuild(connection, name, ZoneInfo(clocks), told)
                click.echo(f"{name}: {days} days counted again")
    except OperationalError as error:
        raise explain(error, engine) from error
    finally:
        engine.dispose()
    if not sites:
        click.echo("there are no sessions yet")


def _show(progress: Progress, task: TaskID, done: float) -> None:
    progress.update(task, completed=done)


def _sites(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        found = {*connection.scalars(select(UsageSessionRow.site).distinct())}
        return sorted(found | {*connection.scalars(select(UnitHourRow.site).distinct())})
