"""Interprets the scenes of one place: a camera, or several that share zones and are read in the order of their times.

A camera's scenes must come in the order of its stream. Cameras of one place wait for each other: a scene is
interpreted once every other camera has shown what it had at that time, or is more than `late_wait` behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from consumers.facts import SessionFact
from consumers.layout import Layout
from consumers.rules import camera, kit, station
from consumers.rules.camera import CameraState
from consumers.rules.kit import KitState
from consumers.rules.station import UnitState
from consumers.rules.use import Use
from consumers.view import View, believed
from spotter.errors import ServerError
from spotter.events import EndedBy


@dataclass(slots=True)
class PlaceState:
    """All that the rules remember of a place between two scenes. Times in milliseconds since 1970."""

    version: Literal[1] = 1
    began: int | None = None
    """Of the first scene."""
    time: int | None = None
    """Of the newest interpreted scene."""
    newest: dict[str, int] = field(default_factory=dict)
    """camera -> time of its newest scene, interpreted or waiting."""
    streams: dict[str, str] = field(default_factory=dict)
    """camera -> the stream of that scene."""
    cameras: dict[str, CameraState] = field(default_factory=dict)
    units: dict[str, UnitState] = field(default_factory=dict)
    kit: dict[str, KitState] = field(default_factory=dict)


_STATE = TypeAdapter(PlaceState)


@dataclass(slots=True)
class Waiting:
    """A scene that waits for those of other cameras."""

    view: View
    payload: bytes
    stored: bool = False
    """It is in the database."""


class Place:
    """A place's state, and the scenes that wait for those of other cameras."""

    def __init__(self, name: str, layout: Layout, state: PlaceState | None = None) -> None:
        self.name = name
        self.layout = layout
        self.state = state or PlaceState()
        self.cameras = layout.cameras_of(name)
        self.queues: dict[str, deque[Waiting]] = {camera: deque() for camera in self.cameras}
        self.released: list[Waiting] = []
        """Scenes that the database has as waiting and that are now interpreted; whoever stores the state clears it."""
        self.late = 0
        """Scenes that came too late to be interpreted."""
        self._stations = [
            unit for _, unit in sorted(layout.stations.items()) if any(c in self.cameras for c in unit.cameras)
        ]

    def feed(self, view: View, payload: bytes = b"", *, stored: bool = False) -> list[SessionFact]:
        """Take the next scene of a camera; gives what follows from all scenes that need wait no longer."""
        state = self.state
        facts: list[SessionFact] = []
        newest = state.newest.get(view.camera)
        if newest is not None and view.time < newest:
            if state.streams[view.camera] != view.stream:
                self.late += 1  # of an outbox that another one has followed
                return facts
            if newest - view.time <= self.layout.thresholds.camera_lost_after:
                view = replace(view, time=newest)  # the clock was set back a little: it stands until it catches up
            else:
                facts += self._start_over()
                state.newest = {view.camera: view.time}
                state.time = state.began = None
        if state.began is None:
            state.began = view.time
        state.newest[view.camera], state.streams[view.camera] = view.time, view.stream
        if state.time is not None and view.time < state.time:
            self.late += 1
            return facts
        if len(self.cameras) == 1:
            return facts + self._interpret(view)
        self.queues[view.camera].append(Waiting(view, payload, stored))
        for waiting in self._due():
            facts += self._interpret(waiting.view)
        return facts

    def restore(self, waiting: list[Waiting]) -> None:
        """Put back scenes that waited when the state was stored, in the order of each camera's stream."""
        for entry in waiting:
            camera = entry.view.camera
            queue, known = self.queues[camera], self.state.cameras.get(camera)
            before = queue[-1].view.time if queue else known.time if known else entry.view.time
            if entry.view.time < before:  # the clock was set back a little, as in `feed`
                entry = Waiting(replace(entry.view, time=before), entry.payload, entry.stored)
            queue.append(entry)

    def flush(self) -> list[SessionFact]:
        """Interpret all that waits, at the end of a log."""
        return [fact for waiting in self._due(everything=True) for fact in self._interpret(waiting.view)]

    def open_uses(self) -> list[Use]:
        """The sessions that are still open."""
        uses = [unit.use for unit in self.state.units.values()]
        uses += [item.use for items in self.state.kit.values() for item in items.items]
        return [use for use in uses if use is not None and use.session]

    def dump(self) -> bytes:
        """The state as the database keeps it."""
        return _STATE.dump_json(self.state)

    def _interpret(self, view: View) -> list[SessionFact]:
        state, layout = self.state, self.layout
        view = believed(view, layout.thresholds.sight_confidence)
        state.time = view.time
        facts: list[SessionFact] = []
        state.cameras[view.camera], coverage = camera.step(state.cameras.get(view.camera), view, layout.thresholds)
        for unit in self._stations:
            known = state.units.get(unit.unit)
            if known is None and view.camera not in unit.cameras:
                continue
            state.units[unit.unit], news = station.step(known, view, unit, layout)
            facts += news
        items = state.kit.get(view.camera) or KitState()
        state.kit[view.camera], news = kit.step(items, view, coverage, layout)
        return facts + news

    def _due(self, *, everything: bool = False) -> Iterator[Waiting]:
        """Take out, in the order of time, the scenes that need wait no longer."""
        while True:
            heads = [queue[0] for queue in self.queues.values() if queue]
            if not heads:
                return
            head = min(heads, key=lambda waiting: (waiting.view.time, waiting.view.camera))
            if not everything and any(self._is_awaited(c, head.view) for c, q in self.queues.items() if not q):
                return
            self.queues[head.view.camera].popleft()
            if head.stored:
                self.released.append(head)
            yield head

    def _is_awaited(self, camera: str, view: View) -> bool:
        """Whether `camera` may still show what it had at the time of `view`, or before."""
        began = self.state.began or 0
        newest = self.state.newest.get(camera, began - 1)
        if max(self.state.newest.values()) - newest > self.layout.thresholds.late_wait:
            return False
        return (newest, camera) < (view.time, view.camera)

    def _start_over(self) -> list[SessionFact]:
        """The clock was set far back: what is open ends where it was last seen, and nothing is remembered."""
        facts = self.flush()
        facts += end_all(self.state, "camera_lost")
        return facts


def end_all(state: PlaceState, ended_by: EndedBy) -> list[SessionFact]:
    """End all open sessions and forget all units, items and pictures."""
    facts: list[SessionFact] = []
    for unit in state.units.values():
        facts += station.end(unit, ended_by)
    for items in state.kit.values():
        facts += kit.end(items, ended_by)
    state.units, state.kit, state.cameras = {}, {}, {}
    return facts


def load_state(payload: bytes) -> PlaceState:
    """A state from the database. Raises ServerError for one that this version can't read."""
    try:
        return _STATE.validate_json(payload)
    except ValidationError as error:
        raise ServerError(
            "database: the rules' state is of another version of Spotter; install the newest one"
        ) from error
