"""The commands of `spotter model …`, a module for each family; each names its commands in `COMMANDS`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from spotter.errors import MissingExtraError

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
STRIDE = 32
"""Of the coarsest grid of YOLOv5's networks; those with four strides (P6) tell of their 64 when they are read."""


class DataSetPath(click.Path):
    """A data set: its `data.yaml`, or the folder that holds one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path of the `data.yaml`."""
        path = Path(str(super().convert(value, param, ctx)))
        return path / "data.yaml" if path.is_dir() else path


class Side(click.IntRange):
    """The side of a network's input in pixels: a multiple of its stride."""

    def __init__(self) -> None:
        super().__init__(64, 2048)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The side; a usage error names the multiples beside another number."""
        side: int = super().convert(value, param, ctx)
        if side % STRIDE:
            lower = side // STRIDE * STRIDE
            self.fail(f"{side} is no multiple of {STRIDE}; give {lower} or {lower + STRIDE}", param, ctx)
        return side


DATA = DataSetPath(path_type=Path)
SIDE = Side()


def need(extra: str, *packages: str) -> None:
    """Raise MissingExtraError, in one line, where a package of an extra is not installed."""
    if any(importlib.util.find_spec(name) is None for name in packages):
        command = click.get_current_context().command_path
        raise MissingExtraError(f"`{command}`", extra)
