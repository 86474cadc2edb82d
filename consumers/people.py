"""`spotter alert` and `spotter maintenance`: what people see to, recorded with who did."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from consumers.layout import Layout
from consumers.memory import hours_of_use
from consumers.rules import maintenance as rule
from consumers.storage import Store
from spotter import settings as settings_module
from spotter.database import alerts, services
from spotter.database.engine import explain, open_database
from spotter.database.migrate import upgrade
from spotter.database.tables import AlertRow
from spotter.errors import SpotterError
from spotter.events import format_time
from spotter.settings import Settings

config_option = click.option(
    "--config", type=click.Path(path_type=Path), default="gym.yaml", show_default=True, help="Settings file."
)
_by = click.option("--by", help="Who; your user name unless given.")
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def alert() -> None:
    """List alerts, and acknowledge them."""


@alert.command("list")
@config_option
@click.option("--all", "every", is_flag=True, help="Those that are over too.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@_as_json
def list_alerts(config: Path, every: bool, limit: int, as_json: bool) -> None:
    """The open alerts of the settings' site, newest first."""
    settings = settings_module.load(config)
    with database_of(settings) as engine, Session(engine) as session:
        found = alerts.recent(session, settings.site, limit, open_only=not every)
        if as_json:
            for row in found:
                click.echo(json.dumps(_as_values(row)))
            return
        if not found:
            click.echo("no alerts" if every else "no open alerts")
            return
        table = Table("id", "kind", "raised", "what", "acknowledged by", "cleared", box=None)
        for row in found:
            cleared = "-" if row.cleared_at is None else format_time(row.cleared_at)
            table.add_row(row.id, row.kind, format_time(row.raised_at), row.detail, row.acknowledged_by or "-", cleared)
        Console(soft_wrap=True).print(table, markup=False)


@alert.command("ack")
@config_option
@click.argument("ids", nargs=-1, required=True)
@_by
def acknowledge(config: Path, ids: tuple[str, ...], by: str | None) -> None:
    """Record that you see to the alerts with these IDS; published as `acknowledged`."""
    settings, now = settings_module.load(config), datetime.now(timezone.utc)
    with database_of(settings) as engine:
        for identity in ids:
            with engine.begin() as connection:
                first = alerts.acknowledge(connection, settings.site, identity, who(by), now, settings.shards)
            click.echo(f"{identity}: {'acknowledged' if first else 'was acknowledged already'}")


@click.group()
def maintenance() -> None:
    """Hours of use since each unit's last service, and recording services."""


@maintenance.command("list")
@config_option
@_as_json
def list_units(config: Path, as_json: bool) -> None:
    """All units of the site: hours of use since the last service, and when the next one is due."""
    settings = settings_module.load(config)
    with database_of(settings) as engine:
        layout = Store(engine).layout(settings.site)
        units = [_unit(engine, layout, unit) for unit in sorted(layout.stations)]
    if as_json:
        for values in units:
            click.echo(json.dumps(values))
        return
    if not units:
        click.echo("there are no units: no zone of kind `station`")
        return
    table = Table("unit", "equipment", "last service", "hours of use", "due after", "state", box=None)
    for values in units:
        after = "-" if values["service_after"] is None else f"{values['service_after']:g} h"
        hours = f"{values['hours']:.1f}"
        table.add_row(values["unit"], values["equipment"], values["serviced"] or "-", hours, after, values["state"])
    Console(soft_wrap=True).print(table, markup=False)


@maintenance.command("start")
@config_option
@click.argument("unit")
@_by
@click.option("--note", default="", help="What is wrong, or being done.")
def start(config: Path, unit: str, by: str | None, note: str) -> None:
    """Record that UNIT is being serviced: its state is `maintenance` until it is done."""
    settings, now = settings_module.load(config), datetime.now(timezone.utc)
    with database_of(settings) as engine:
        _check_unit(engine, settings.site, unit)
        with engine.begin() as connection:
            services.start(connection, settings.site, unit, who(by), now, note)
    click.echo(f"{unit}: in maintenance")


@maintenance.command("done")
@config_option
@click.argument("unit")
@_by
@click.option("--note", default="", help="What was done.")
def done(config: Path, unit: str, by: str | None, note: str) -> None:
    """Record that UNIT was serviced: its hours of use count anew."""
    settings, now = settings_module.load(config), datetime.now(timezone.utc)
    with database_of(settings) as engine:
        _check_unit(engine, settings.site, unit)
        with engine.begin() as connection:
            services.done(connection, settings.site, unit, who(by), now, settings.shards, note)
    click.echo(f"{unit}: serviced")


@maintenance.command("log")
@config_option
@click.argument("unit", required=False)
@_as_json
def log(config: Path, unit: str | None, as_json: bool) -> None:
    """Services as recorded, newest first; of UNIT only, if given."""
    settings = settings_module.load(config)
    with database_of(settings) as engine, engine.connect() as connection:
        found = services.history(connection, settings.site, unit)
    if not found:
        click.echo("no services recorded", err=as_json)
        return
    table = Table("unit", "began", "done", "by", "note", box=None)
    for service in found:
        ended = None if service.done_at is None else format_time(service.done_at)
        if as_json:
            values = {"unit": service.unit, "began": format_time(service.began_at), "done": ended}
            click.echo(json.dumps({**values, "by": service.by, "note": service.note}))
        else:
            table.add_row(service.unit, format_time(service.began_at), ended or "-", service.by, service.note)
    if not as_json:
        Console(soft_wrap=True).print(table, markup=False)


@contextmanager
def database_of(settings: Settings) -> Iterator[Engine]:
    """The settings' database, with its tables up to date. Raises ServerError when it can't be reached."""
    engine = open_database(settings.database_url)
    upgrade(engine)
    try:
        yield engine
    except OperationalError as error:
        raise explain(error, engine) from error
    finally:
        engine.dispose()


def who(by: str | None) -> str:
    """The name that a person gave, else that of the user who runs the command. Raises SpotterError without either."""
    if by is not None and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user may have no name
        raise SpotterError("who are you? give --by NAME") from error


def _check_unit(engine: Engine, site: str, unit: str) -> None:
    stations = Store(engine).layout(site).stations
    if unit not in stations:
        known = ", ".join(sorted(stations)) or "none: no zone of kind `station`"
        raise SpotterError(f"site {site} has no unit {unit}; its units: {known}")


def _unit(engine: Engine, layout: Layout, unit: str) -> dict[str, Any]:
    with engine.connect() as connection:
        hours = hours_of_use(connection, layout, unit)
        serviced = services.last_done(connection, layout.site, unit)
        running = unit in services.under_way(connection, layout.site)
    after = rule.service_after(layout, unit)
    is_due = after is not None and hours.hours() >= after
    return {
        "unit": unit,
        "equipment": layout.stations[unit].equipment,
        "serviced": None if serviced is None else format_time(serviced),
        "hours": round(hours.hours(), 3),
        "service_after": after,
        "state": "maintenance" if running else "due" if is_due else "ok",
    }


def _as_values(row: AlertRow) -> dict[str, Any]:
    names = ("id", "kind", "camera", "zone", "unit", "equipment", "detail", "acknowledged_by", "cleared_detail")
    times = ("raised_at", "acknowledged_at", "cleared_at")
    moments = {name: getattr(row, name) for name in times}
    return {name: getattr(row, name) for name in names} | {
        name: None if moment is None else format_time(moment) for name, moment in moments.items()
    }
