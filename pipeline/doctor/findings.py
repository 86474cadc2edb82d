"""What the doctor found: one row a subject, and how rows are made from checks that may fail in any way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["fine", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    subject: str
    state: State
    detail: str
    mend: str = ""
    """What to do, unless it is fine."""


Check = Callable[[], Row | Iterable[Row]]


def look(subject: str, check: Check) -> Iterator[Row]:
    """The rows of a check; one that breaks is a row, too."""
    try:
        found = check()
        yield from [found] if isinstance(found, Row) else found
    except Exception as error:  # noqa: BLE001 - a doctor that dies of a finding is no doctor
        lines = str(error).strip().splitlines() or [type(error).__name__]
        yield Row(subject, "failed", "; ".join(lines))


def worst(rows: Iterable[Row]) -> int:
    """The exit code: 1 where something failed."""
    return int(any(row.state == "failed" for row in rows))
