"""The commands of `spotter model …`, a module for each family; each names its commands in `COMMANDS`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from spotter.errors import MissingExtraError

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


def need(extra: str, *packages: str) -> None:
    """Raise MissingExtraError, in one line, where a package of an extra is not installed."""
    if any(importlib.util.find_spec(name) is None for name in packages):
        command = click.get_current_context().command_path
        raise MissingExtraError(f"`{command}`", extra)
