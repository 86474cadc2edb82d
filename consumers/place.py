"""Interprets the scenes of one place: a camera, or several that share zones and are read in the order of their times.

A camera's scenes must come in the order of its stream. Cameras of one place wait for each other: a scene is
interpreted once every other camera has shown what it had at that time, or is more than `late_wait` behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from consumers.facts import Fact
from consumers.layout import Layout
from consumers.rulebook import Rulebook
from consumers.state import PlaceState, dump_state, end_all
from consumers.view import View


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
        self.rulebook = Rulebook(name, layout)

    def feed(self, view: View, payload: bytes = b"", *, stored: bool = False) -> list[Fact]:
        """Take the next scene of a camera; gives what follows from all scenes that need wait no longer."""
        state = self.state
        facts: list[Fact] = []
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
            return facts + self.rulebook.apply(state, view)
        self.queues[view.camera].append(Waiting(view, payload, stored))
        return facts + self._interpret()

    def restore(self, waiting: list[Waiting]) -> None:
        """Put back scenes that waited when the state was stored, in the order of each camera's stream."""
        for entry in waiting:
            camera = entry.view.camera
            queue, known = self.queues[camera], self.state.cameras.get(camera)
            before = queue[-1].view.time if queue else known.time if known else entry.view.time
            if entry.view.time < before:  # the clock was set back a little, as in `feed`
                entry = Waiting(replace(entry.view, time=before), entry.payload, entry.stored)
            queue.append(entry)

    def settle(self) -> list[Fact]:
        """Interpret the scenes put back that wait for nobody: the place has a single camera now."""
        return self._interpret() if len(self.cameras) == 1 else []

    def flush(self) -> list[Fact]:
        """Interpret all that waits, at the end of a log."""
        return self._interpret(everything=True)

    def dump(self) -> bytes:
        """The state as the database keeps it."""
        return dump_state(self.state)

    def _interpret(self, *, everything: bool = False) -> list[Fact]:
        """What follows from the scenes that need wait no longer."""
        facts: list[Fact] = []
        for waiting in self._due(everything=everything):
            if self.state.time is not None and waiting.view.time < self.state.time:
                self.late += 1  # it waited in another place, which was behind this one
            else:
                facts += self.rulebook.apply(self.state, waiting.view)
        return facts

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

    def _start_over(self) -> list[Fact]:
        """The clock was set far back: what is open ends where it was last seen, and nothing is remembered."""
        facts = self.flush()
        return facts + end_all(self.state, "camera_lost", "the camera's clock was set back")
