"""Decides what of a camera's outbox is sent now. It reads no clock and knows no MQTT.

New scenes go out in order. After an outage the newest one goes first, so that the live view is right at once, and the
rest follows in order. What the database does not confirm within `AGAIN_SECONDS` is sent again from the oldest on: a
few scenes at a time while nobody confirms anything, many once somebody does.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from pipeline.outbox import Outbox, Stream
from spotter.events import Committed, seconds_between

AGAIN_SECONDS = 10.0

IN_FLIGHT = 100
"""Scenes of a camera that the broker has not taken yet: enough to keep it busy, few enough to stay in order."""

_JUMP_BACKLOG = 50  # with more waiting than this the newest scene goes first
_PROBE, _WINDOW = 64, 1024  # scenes sent again per round: while nothing is confirmed, and while something is


class Delivery:
    """The sending of one camera's stream."""

    def __init__(self, outbox: Outbox, site: str, camera: str) -> None:
        self.site, self.camera = site, camera
        self._outbox = outbox
        self._stream_name = ""
        self._sent: dict[int, float] = {}
        self._unacknowledged: set[int] = set()
        self._next = 0  # everything kept below it was sent at least once by this process
        self._confirmed_at = self._restarted_at = float("-inf")
        self._captured: dict[int, datetime] = {}
        self._latencies: deque[tuple[float, float]] = deque(maxlen=50)

    def appended(self, seq: int, captured_at: datetime) -> None:
        """A scene was kept; its latency is of interest."""
        if len(self._captured) < IN_FLIGHT:
            self._captured[seq] = captured_at

    def due(self, now: float) -> list[tuple[int, bytes]]:
        """Scenes to publish at this monotonic time; report each with `sent`."""
        stream = self._current()
        room = IN_FLIGHT - len(self._unacknowledged)
        if room <= 0:
            return []
        if stream.next_seq > self._next:
            return self._new(stream, room)
        return self._again(stream, room, now)

    def sent(self, seq: int, now: float, wall_clock: datetime) -> None:
        """A scene was handed to the connection."""
        self._sent[seq] = now
        self._unacknowledged.add(seq)
        while self._next in self._sent:
            self._next += 1
        captured_at = self._captured.pop(seq, None)
        if captured_at is not None:
            self._latencies.append((now, max(0.0, seconds_between(captured_at, wall_clock))))

    def acknowledged(self, seq: int) -> None:
        """The broker has a scene."""
        self._unacknowledged.discard(seq)

    def committed(self, message: Committed, now: float) -> None:
        """The database says how far it is."""
        before = self._current().floor
        result = self._outbox.commit(self.site, self.camera, message)
        stream = self._current()
        if result == "taken" and stream.floor > before:
            self._confirmed_at = now
            for seq in range(before, stream.floor):
                self._sent.pop(seq, None)
                self._captured.pop(seq, None)
        elif result == "behind" and stream.pending and now - self._restarted_at >= AGAIN_SECONDS:
            # A new or restored database wants all that is left; it may say so many times while it catches up.
            self._restarted_at = now
            self._sent = {seq: at for seq, at in self._sent.items() if seq in self._unacknowledged}
            self._next = stream.floor

    def latency_ms(self, now: float) -> float | None:
        """Mean time from capture to sending over the last half minute."""
        recent = [seconds for at, seconds in self._latencies if now - at <= 30]
        return round(1000 * sum(recent) / len(recent), 1) if recent else None

    def _current(self) -> Stream:
        """The stream, with the memory of another one forgotten."""
        stream = self._outbox.stream(self.site, self.camera)
        if stream.stream != self._stream_name:
            self._stream_name = stream.stream
            self._sent, self._unacknowledged, self._next = {}, set(), stream.floor
        self._next = max(self._next, stream.floor)
        return stream

    def _new(self, stream: Stream, room: int) -> list[tuple[int, bytes]]:
        newest = stream.next_seq - 1
        due: list[tuple[int, bytes]] = []
        if newest - self._next > _JUMP_BACKLOG and newest not in self._sent:
            due = self._outbox.pending(stream, newest, 1)
        for seq, body in self._outbox.pending(stream, self._next, room):
            if len(due) >= room:
                break
            if seq not in self._sent:
                due.append((seq, body))
        return due

    def _again(self, stream: Stream, room: int, now: float) -> list[tuple[int, bytes]]:
        window = _WINDOW if now - self._confirmed_at < AGAIN_SECONDS else _PROBE
        late = [
            seq
            for seq in range(stream.floor, min(stream.floor + window, stream.next_seq))
            if seq not in self._unacknowledged and now - self._sent.get(seq, now) >= AGAIN_SECONDS
        ][:room]
        if not late:
            return []
        rows = self._outbox.pending(stream, late[0], late[-1] - late[0] + 1)
        wanted = set(late)
        return [(seq, body) for seq, body in rows if seq in wanted]
