"""`spotter config`: check a settings file, or print the schema that editors complete it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spotter import settings as settings_module
from spotter.errors import SettingsError
from spotter.settings import Settings


@click.group()
def config() -> None:
    """Check settings, or print their schema."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default="gym.yaml")
def check(file: Path) -> None:
    """Name every mistake in FILE (gym.yaml unless given) at its line, with the mend."""
    problems = [
        f"{place}: no such file: {path}; {_mend(setting)}"
        for setting, (place, path) in settings_module.named_files(file).items()
        if not path.is_file()
    ]
    try:
        settings = settings_module.load(file)
    except SettingsError as error:
        raise SettingsError(*error.problems, *problems) from None
    if not settings.cameras:
        problems.append(f"{file}: no camera; add one: `uri: clip.mp4` is enough")
    if problems:
        raise SettingsError(*problems)
    zones = sum(len(camera.zones) for camera in settings.cameras.values())
    click.echo(f"{file}: fine (site {settings.site}; cameras: {', '.join(settings.cameras)}; {zones} zones)")


def missing_files(settings: Settings, file: Path) -> dict[str, str]:
    """For each camera whose address is a file that is not there: the problem, by the camera's name."""
    named = settings_module.named_files(file)
    missing = {}
    for name, camera in settings.cameras.items():
        setting = ("cameras", name, "uri")
        if camera.is_file and not Path(str(camera.uri)).is_file():
            place = named[setting][0] if setting in named else f"{file}: {'.'.join(setting)}"
            missing[name] = f"{place}: no such file: {camera.uri}; {_mend(setting)}"
    return missing


def _mend(setting: tuple[str | int, ...]) -> str:
    return (
        "leave it out for the shipped detector" if setting == ("model",) else "paths are relative to the settings file"
    )


@config.command()
def schema() -> None:
    """Print the JSON Schema of the settings, for editors that complete and check YAML."""
    click.echo(json.dumps(settings_schema(), indent=2))


def settings_schema() -> dict[str, Any]:
    """The JSON Schema of ``gym.yaml``: also true for a file that has one camera's keys at the top."""
    full = Settings.model_json_schema()
    camera = full["$defs"]["Camera"]["properties"]
    properties = {**full["properties"], **camera}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **full,
        "title": "Spotter settings (gym.yaml)",
        "description": "Either `cameras:` by name, or the keys of one camera at the top of the file.",
        "properties": properties,
    }


@config.command()
def reference() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    click.echo(settings_reference(), nl=False)


def settings_reference() -> str:
    """A Markdown table for each section of the settings, made from the models."""
    schema = settings_schema()
    sections: list[tuple[str, dict[str, Any]]] = [("Top of the file", Settings.model_json_schema())]
    headings = {
        "Camera": "`cameras.NAME`, or the top of a file with one camera",
        "StationZone": "A zone of kind `station`",
        "RackZone": "A zone of kind `rack`",
        "FloorZone": "A zone of kind `floor`",
        "WalkwayZone": "A zone of kind `walkway`",
        "WaitingZone": "A zone of kind `waiting`",
        "KioskZone": "A zone of kind `kiosk`",
        "RuleOverrides": "`rules` of a zone",
        "DetectorSettings": "`detector`",
        "DeepStreamSettings": "`deepstream`",
        "Mqtt": "`mqtt`",
        "Redis": "`redis`",
        "Database": "`database`",
        "Rules": "`rules`",
        "Privacy": "`privacy`",
        "Outbox": "`outbox`",
        "DashboardSettings": "`dashboard`",
        "Notify": "`notify`",
        "Email": "`notify.email`",
        "Webhook": "`notify.webhook`",
    }
    sections += [(heading, schema["$defs"][name]) for name, heading in headings.items()]
    text = "# Settings\n\nMade by `spotter config reference`. Durations are seconds; `${NAME}` takes a value from the\n"
    text += "environment; relative paths are relative to the file.\n"
    for heading, section in sections:
        text += f"\n## {heading}\n\n{section.get('description', '')}\n\n"
        text += "| setting | default | meaning |\n| --- | --- | --- |\n"
        required = section.get("required", [])
        for name, field in section["properties"].items():
            default = "(required)" if name in required else _default(field)
            meaning = field.get("description") or f"`{name}`"
            text += f"| `{name}` | {default} | {meaning.replace('|', '&#124;')} |\n"
    return text


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None or default == {} or default == []:
        return ""
    return "see below" if isinstance(default, dict) else f"`{json.dumps(default)}`"
