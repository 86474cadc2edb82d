"""Stretches of time on the command line."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0}


class Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in new versions of click alone
    """Seconds from `0.5s`, `500ms`, `2` or `1min`; more than 0."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m)?\s*", str(value))
        seconds = float(match[1]) * _UNITS[match[2] or ""] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no duration; write 0.5s, 500ms or 1min", param, ctx)
        return seconds
