"""Interprets recorded scenes with no server at all, by the same rules as the usage worker."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from consumers.facts import AlertFact, Fact, SessionFact
from consumers.interpreter import Interpreter
from consumers.layout import Layout, build, layout_of_settings
from consumers.rules.use import tell
from consumers.view import View, to_time, view_of
from spotter import events
from spotter.errors import ContractError, SpotterError
from spotter.events import Alert, Scene, UsageSession
from spotter.settings import Settings


@dataclass(slots=True)
class Interpretation:
    """What a log of scenes comes to."""

    sessions: list[UsageSession] = field(default_factory=list)
    """In the order of their starts; one still open at the end of the log has no end."""
    alerts: list[Alert] = field(default_factory=list)
    """As they were raised and cleared, in the order of time."""
    last_seen: dict[str, int] = field(default_factory=dict)
    """Open session -> when its use was last seen, in milliseconds since 1970."""
    unknown_sites: set[str] = field(default_factory=set)
    """Sites in the log that the settings do not describe: interpreted by the rules alone, without zones."""
    first: int | None = None
    last: int | None = None
    """Times of the first and last scene, in milliseconds since 1970."""


def read_scenes(path: Path) -> Iterator[Scene]:
    """The scenes of a log, one a line. Raises SpotterError with the line's number for what is none."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _scene(path, number, line)
    except OSError as error:
        raise SpotterError(f"{path}: can't be read ({error.strerror})") from error


def interpret(scenes: Iterable[Scene], settings: Settings) -> Interpretation:
    """Interpret a log: doubles dropped, every camera in the order of its stream, all in the order of time."""
    result = Interpretation()
    by_site: dict[str, dict[tuple[str, str], dict[int, View]]] = {}
    for scene in scenes:
        streams = by_site.setdefault(scene.site, {})
        streams.setdefault((scene.camera, scene.stream), {}).setdefault(scene.seq, view_of(scene))
    for site, streams in sorted(by_site.items()):
        if site == settings.site:
            layout = layout_of_settings(settings)
        else:
            result.unknown_sites.add(site)
            layout = build(site, 0, {}, settings.rules)
        _interpret_site(layout, streams, result)
    result.alerts.sort(key=lambda alert: (alert.time, alert.site, alert.kind))
    result.sessions.sort(key=lambda session: (session.started, session.site, session.equipment, str(session.session)))
    return result


def _scene(path: Path, number: int, line: bytes) -> Scene:
    try:
        return events.parse(Scene, line)
    except ContractError as error:
        raise SpotterError(
            f"{path}:{number}: {error}; a log has one scene a line, as `spotter record` writes"
        ) from error


def _interpret_site(layout: Layout, streams: dict[tuple[str, str], dict[int, View]], result: Interpretation) -> None:
    interpreter = Interpreter(layout)
    sessions: dict[str, UsageSession] = {}

    def keep(facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, SessionFact):
                event = interpreter.event(fact)
                sessions[str(event.session)] = event
            elif isinstance(fact, AlertFact):
                result.alerts.append(interpreter.alert(fact))

    for view in _by_time(streams):
        result.first = view.time if result.first is None else min(result.first, view.time)
        result.last = view.time if result.last is None else max(result.last, view.time)
        keep(interpreter.feed(view))
    keep(interpreter.flush())
    for use in interpreter.open_uses():
        event = interpreter.event(tell(use, "updated"))
        sessions[str(event.session)] = event
        result.last_seen[str(event.session)] = use.last
    result.sessions += sessions.values()


def _by_time(streams: dict[tuple[str, str], dict[int, View]]) -> Iterator[View]:
    """All views: each camera's in the order of its streams and their seq, the cameras merged by time."""
    cameras: dict[str, list[list[View]]] = {}
    for (camera, _), found in streams.items():
        cameras.setdefault(camera, []).append([view for _, view in sorted(found.items())])
    rows = []
    for _, pieces in sorted(cameras.items()):
        pieces.sort(key=lambda piece: piece[0].time)
        rows.append([view for piece in pieces for view in piece])
    return heapq.merge(*rows, key=lambda view: view.time)


def closed(session: UsageSession, result: Interpretation) -> UsageSession:
    """A session with an end: one that is open ends, for comparing, when its use was last seen."""
    if session.ended is not None:
        return session
    return session.model_copy(update={"ended": to_time(result.last_seen[str(session.session)])})
