"""`spotter db`: the database's tables."""

from __future__ import annotations

from pathlib import Path

import click

from spotter import settings as settings_module
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade as run_migrations


@click.group()
def db() -> None:
    """Bring the database's tables up to date."""


@db.command()
@click.option("--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file.")
def upgrade(config: Path) -> None:
    """Run the migrations that the database lacks; safe at any time, also while parts run."""
    engine = open_database(settings_module.load(config).database_url)
    before, after = run_migrations(engine)
    engine.dispose()
    click.echo(f"up to date at {after}" if before == after else f"upgraded from {before or 'empty'} to {after}")
