"""Interprets recorded scenes with no server at all, by the same rules as the usage worker."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumers.facts import AlertFact, Fact, SessionFact
from consumers.interpreter import Interpreter
from consumers.layout import Layout, build, layout_of_settings
from consumers.rules.use import tell
from consumers.scene_log import by_time
from consumers.view import View, to_time, view_of
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
    unknown: set[str] = field(default_factory=set)
    """Sites and cameras in the log that the settings do not describe: interpreted by the rules alone, without zones."""
    first: int | None = None
    last: int | None = None
    """Times of the first and last scene, in milliseconds since 1970."""


def interpret(scenes: Iterable[Scene], settings: Settings) -> Interpretation:
    """Interpret a log: doubles dropped, every camera in the order of its stream, all in the order of time."""
    result = Interpretation()
    replay = Replay(scenes, settings)
    result.unknown = replay.unknown
    sessions: dict[str, UsageSession] = {}
    for time, found in replay.play():
        result.first = time if result.first is None else min(result.first, time)
        result.last = time if result.last is None else max(result.last, time)
        for event in found:
            if isinstance(event, UsageSession):
                sessions[str(event.session)] = event
            else:
                result.alerts.append(event)
    for event, last_seen in replay.still_open():
        sessions[str(event.session)] = event
        result.last_seen[str(event.session)] = last_seen
    result.sessions = sorted(
        sessions.values(), key=lambda session: (session.started, session.site, session.equipment, str(session.session))
    )
    result.alerts.sort(key=lambda alert: (alert.time, alert.site, alert.kind))
    return result


class Replay:
    """A log that is taken scene by scene."""

    def __init__(self, scenes: Iterable[Scene], settings: Settings) -> None:
        self.unknown: set[str] = set()
        self._sites: dict[str, dict[tuple[str, str], dict[int, View]]] = {}
        for scene in scenes:
            streams = self._sites.setdefault(scene.site, {})
            streams.setdefault((scene.camera, scene.stream), {}).setdefault(scene.seq, view_of(scene))
        self._interpreters = {site: Interpreter(self._layout(site, settings)) for site in sorted(self._sites)}

    def play(self) -> Iterator[tuple[int, list[UsageSession | Alert]]]:
        """Each scene's time (milliseconds since 1970), in order, and what became known with it."""
        rows = [
            ((view.time, site, view) for view in by_time(streams, lambda view: view.time))
            for site, streams in sorted(self._sites.items())
        ]
        last = 0
        for time, site, view in heapq.merge(*rows, key=lambda row: row[0]):
            interpreter, last = self._interpreters[site], time
            yield time, _events(interpreter, interpreter.feed(view))
        for interpreter in self._interpreters.values():
            found = _events(interpreter, interpreter.flush())
            if found:
                yield last, found

    def still_open(self) -> Iterator[tuple[UsageSession, int]]:
        """The sessions that are open after `play`, and when their use was last seen."""
        for interpreter in self._interpreters.values():
            for use in interpreter.open_uses():
                yield interpreter.event(tell(use, "updated")), use.last

    def _layout(self, site: str, settings: Settings) -> Layout:
        if site == settings.site:
            cameras = {camera for camera, _ in self._sites[site]} - settings.cameras.keys()
            self.unknown |= {f"camera {camera} of site {site}" for camera in cameras}
            return layout_of_settings(settings)
        self.unknown.add(f"site {site}")
        return build(site, 0, {}, settings.rules)


def _events(interpreter: Interpreter, facts: list[Fact]) -> list[UsageSession | Alert]:
    found: list[UsageSession | Alert] = []
    for fact in facts:
        if isinstance(fact, SessionFact):
            found.append(interpreter.event(fact))
        elif isinstance(fact, AlertFact):
            found.append(interpreter.alert(fact))
    return found


def closed(session: UsageSession, result: Interpretation) -> UsageSession:
    """A session with an end: one that is open ends, for comparing, when its use was last seen."""
    if session.ended is not None:
        return session
    return session.model_copy(update={"ended": to_time(result.last_seen[str(session.session)])})
