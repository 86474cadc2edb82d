"""`spotter layout`: the versions of a site's zones and rules, and their way from and to a settings file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from consumers.layout import layout_of_settings
from consumers.people import config_option, database_of, who
from spotter import settings as settings_module
from spotter.database import layouts
from spotter.errors import SpotterError
from spotter.events import format_time
from spotter.settings import Settings


@click.group()
def layout() -> None:
    """Import, export or list versions of a site's zones and rules."""


@layout.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option
@click.option("--by", help="Who; your user name unless given.")
def import_layout(file: Path | None, config: Path, by: str | None) -> None:
    """Take the zones, rules and time zone of FILE into use; of the settings file unless given.

    FILE is a settings file. A running usage worker follows within about a second, without a restart.
    """
    settings = settings_module.load(config)
    given = settings if file is None else settings_module.load(file)
    if given.site != settings.site:
        raise SpotterError(f"{file}: is of site {given.site}, and {config} of site {settings.site}; name the right one")
    document = layout_of_settings(given).document()
    # The settings file's own zones, by whatever way: a restart must not take them for a change once more.
    source: layouts.Source = "settings" if document == layout_of_settings(settings).document() else "import"
    with database_of(settings) as engine:
        before = _newest(engine, settings.site)
        version = layouts.add(engine, settings.site, document, source, who(by))
    if before is not None and before.version == version:
        click.echo(f"no change: version {version} is the same")
    else:
        click.echo(f"version {version}: {_summary(document)}")


@layout.command("export")
@config_option
@click.option("--version", type=click.IntRange(min=1), help="The newest unless given.")
@click.option("--out", type=click.Path(path_type=Path), help="Write here; to standard output unless given.")
def export_layout(config: Path, version: int | None, out: Path | None) -> None:
    """Print the settings file with the zones, rules and time zone of a version: a whole file that Spotter takes."""
    settings = settings_module.load(config)
    with database_of(settings) as engine:
        known = _version(engine, settings, version)
    text = yaml.safe_dump(
        _merged(config, settings, known.document), sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpotterError(f"{out}: can't be written ({error.strerror})") from error


@layout.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the document.")
def list_layouts(config: Path, as_json: bool) -> None:
    """All versions, newest first; `in force` is what scenes are interpreted by."""
    settings = settings_module.load(config)
    with database_of(settings) as engine, engine.connect() as connection:
        found = layouts.versions(connection, settings.site)
        in_force = layouts.in_force(connection, settings.site)
    if as_json:
        for known in found:
            click.echo(json.dumps(_as_values(known, in_force)))
        return
    if not found:
        click.echo("no layout yet: `spotter layout import`, or start Spotter")
        return
    table = Table("version", "made", "from", "by", "taken into use", "what", box=None)
    for known in found:
        used = "-" if known.applied_at is None else format_time(known.applied_at)
        mark = f"{known.version} (in force)" if known.version == in_force else str(known.version)
        made = format_time(known.created_at)
        table.add_row(mark, made, known.source, known.created_by or "-", used, _summary(known.document))
    Console(soft_wrap=True).print(table, markup=False)


def _newest(engine: Engine, site: str) -> layouts.StoredLayout | None:
    with engine.connect() as connection:
        return layouts.newest(connection, site)


def _version(engine: Engine, settings: Settings, version: int | None) -> layouts.StoredLayout:
    with engine.connect() as connection:
        found = layouts.versions(connection, settings.site)
    for known in found:
        if version is None or known.version == version:
            return known
    missing = "a layout" if version is None else f"version {version} of its layout"
    raise SpotterError(f"site {settings.site} has not {missing}; see `spotter layout list`")


def _merged(config: Path, settings: Settings, document: layouts.Document) -> dict[str, Any]:
    """The settings file as written, `${NAME}` and all, with the document's parts in the place of its own."""
    written: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    if "cameras" not in written and "uri" in written:  # the short form for one camera
        own = {key: written.pop(key) for key in list(written) if key in type(settings.cameras["camera"]).model_fields}
        written["cameras"] = {"camera": own}
    # YAML reads a camera that is called 1 as a number.
    written["cameras"] = {str(name): camera for name, camera in (written.get("cameras") or {}).items()}
    for camera in settings.cameras:
        written["cameras"][camera] = {**written["cameras"][camera]}
        zones = document["cameras"].get(camera, {})
        written["cameras"][camera].pop("zones", None)
        if zones:
            written["cameras"][camera]["zones"] = zones
    for camera in sorted(document["cameras"].keys() - settings.cameras.keys()):
        click.echo(f"camera {camera}: left out; the settings file has no such camera", err=True)
    written["timezone"] = document.get("timezone", "UTC")
    defaults = settings_module.Rules().model_dump(mode="json")
    rules = {name: value for name, value in document["rules"].items() if value != defaults.get(name)}
    written.pop("rules", None)
    if rules:
        written["rules"] = rules
    return written


def _summary(document: layouts.Document) -> str:
    zones = sum(len(own) for own in document["cameras"].values())
    return f"{zones} zones on {len(document['cameras'])} cameras"


def _as_values(known: layouts.StoredLayout, in_force: int) -> dict[str, Any]:
    return {
        "version": known.version,
        "in_force": known.version == in_force,
        "source": known.source,
        "by": known.created_by,
        "made": format_time(known.created_at),
        "taken_into_use": None if known.applied_at is None else format_time(known.applied_at),
        "document": known.document,
    }
