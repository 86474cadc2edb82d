"""Recorded scenes, one a line: read, chosen from, and put in the order in which they are to be taken."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from spotter import events
from spotter.errors import ContractError, SpotterError
from spotter.events import Scene, format_time

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which scenes of a log are wanted, and under which name."""

    begin: datetime | float | None = None
    """The time, or the seconds after the log's first scene, from which on scenes count."""
    site: str | None = None
    """Only scenes of this site."""
    as_site: str | None = None
    """Taken as scenes of this one."""


def read_scenes(path: Path) -> Iterator[Scene]:
    """The scenes of a log, one a line. Raises SpotterError with the line's number for what is none."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _scene(path, number, line)
    except OSError as error:
        raise SpotterError(f"{path}: can't be read ({error.strerror})") from error


def chosen(path: Path, choice: Choice) -> Iterator[Scene]:
    """The scenes of a log that are wanted.

    Raises SpotterError, too, when the log has scenes and none of them is wanted: a wrong name or time.
    """
    begin = choice.begin
    if isinstance(begin, (int, float)):
        first = min((scene.time for scene in read_scenes(path)), default=None)
        begin = None if first is None else first + timedelta(seconds=begin)
    sites: set[str] = set()
    last: datetime | None = None
    found = False
    for scene in read_scenes(path):
        sites.add(scene.site)
        last = scene.time if last is None else max(last, scene.time)
        if (choice.site is not None and scene.site != choice.site) or (begin is not None and scene.time < begin):
            continue
        found = True
        yield scene if choice.as_site is None else scene.model_copy(update={"site": choice.as_site})
    if found or last is None:
        return
    if choice.site is not None and choice.site not in sites:
        raise SpotterError(f"{path}: no scene is of site {choice.site}; it has {', '.join(sorted(sites))}")
    raise SpotterError(f"{path}: no such scene is as late as --from says; the last one is of {format_time(last)}")


def by_time(
    streams: dict[tuple[str, str], dict[int, Item]], time: Callable[[Item], datetime] | Callable[[Item], int]
) -> Iterator[Item]:
    """What (camera, stream) and seq name: each camera's in the order of its streams and their seq, merged by time."""
    cameras: dict[str, list[list[Item]]] = {}
    for (camera, _), found in streams.items():
        cameras.setdefault(camera, []).append([item for _, item in sorted(found.items(), key=lambda pair: pair[0])])
    rows: list[Iterable[Item]] = []
    for _, pieces in sorted(cameras.items()):
        pieces.sort(key=lambda piece: time(piece[0]))
        rows.append([item for piece in pieces for item in piece])
    return heapq.merge(*rows, key=time)


def _scene(path: Path, number: int, line: bytes) -> Scene:
    try:
        return events.parse(Scene, line)
    except ContractError as error:
        raise SpotterError(
            f"{path}:{number}: {error}; a log has one scene a line, as `spotter record` writes"
        ) from error
