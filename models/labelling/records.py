"""What every label format is read into: boxes on pictures, and what was wrong with the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

Kind = Literal[
    "bad row", "bad box", "clipped box", "missing picture", "unlabelled picture", "duplicate", "empty class",
    "unknown class", "left out", "note",
]  # fmt: skip

HARMLESS: frozenset[Kind] = frozenset(
    {"duplicate", "clipped box", "unlabelled picture", "empty class", "unknown class", "note"}
)
"""Findings that a person should know of but that lose no label."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box as its source gives it, with the class name that the source uses."""

    name: str
    corners: Corners
    relative: bool
    """Whether `corners` are shares of the picture's sides instead of pixels."""
    place: str
    """Where it stands, for a person who has to mend it: `0001.txt, line 3`."""


@dataclass(slots=True)
class Labelled:
    """The boxes of one picture."""

    picture: str | int
    """File name or path as the source has it; or a frame's number, counted from 0."""
    boxes: list[Box] = field(default_factory=list)
    size: tuple[int, int] | None = None
    """Width and height in pixels, where the source states them."""
    video: str | None = None
    """The video's file name or path, where the source states it and `picture` is a frame's number."""
    other: str | None = None
    """Name to look under where nothing is called `picture`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the labels that a person should know."""

    kind: Kind
    place: str
    text: str

    @property
    def harmless(self) -> bool:
        """Whether the labels can be used as they are."""
        return self.kind in HARMLESS

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.text}" if self.place else f"{self.kind}: {self.text}"


@dataclass(slots=True)
class Reading:
    """What was read from a source."""

    form: str
    """The format's name."""
    items: list[Labelled] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    """Class names that the source lists, in its order, used or not."""
    findings: list[Finding] = field(default_factory=list)

    def report(self, kind: Kind, place: str, text: str) -> None:
        """Keep a finding."""
        self.findings.append(Finding(kind, place, text))
