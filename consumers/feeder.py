"""Replays a log into a running system, as a pipeline would: in order, sent again until the database has each scene.

A live camera's place is never taken: where the broker says that one of the log's cameras is online, nothing is sent.
"""

from __future__ import annotations

import heapq
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from consumers.scene_log import by_time
from spotter import events, topics
from spotter.errors import ContractError, ServerError, SpotterError
from spotter.events import Committed, Scene, Status
from spotter.mqtt import MqttClient
from spotter.settings import Mqtt

CONNECT_SECONDS = 10
AGAIN_SECONDS = 10.0
"""What is not committed for so long is sent again, as the pipeline does."""

PATIENCE_SECONDS = 60.0
"""With nothing committed for so long, nobody is there to do it."""

IN_FLIGHT = 500
"""Scenes of a camera that are sent and not committed yet."""

_RETAINED_SECONDS = 1.0  # for a broker to hand over what it retains, after the subscription
_WAIT_SECONDS = 0.02

CameraKey = tuple[str, str]
"""(site, camera)"""


@dataclass(slots=True)
class _Stream:
    """One camera's stream: what is still to be sent, and what is not committed yet."""

    name: str
    due: deque[Scene] = field(default_factory=deque)
    sent: dict[int, tuple[Scene, float]] = field(default_factory=dict)
    """seq -> the scene, and when it was last sent"""
    newest: int = -1
    """The seq that was sent last."""


@dataclass(slots=True)
class Outcome:
    """What became of a replay."""

    scenes: int
    cameras: int
    seconds: float
    shift: timedelta


class Feeder:
    """Sends scenes to a broker at `speed` times their own pace; `speed` 0 is as fast as they are committed.

    Times are moved so that the log ends when its replay does: at speed 1 its first scene is of now. Its scenes get a
    new stream then, so that each replay is history of its own. With `keep_times` they are sent with the times, streams
    and seq they have: what the database has already is not doubled.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        scenes: Iterable[Scene],
        *,
        speed: float = 0,
        keep_times: bool = False,
        patience: float = PATIENCE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._speed, self._patience = speed, patience
        self._lock = threading.Lock()
        self._committed: dict[CameraKey, Committed] = {}
        self._live: dict[CameraKey, str] = {}
        self._again = threading.Event()
        ordered = _ordered(scenes)
        if not ordered:
            raise SpotterError("the log has no scenes to replay")
        self._begin = ordered[0].time
        length = ordered[-1].time - self._begin
        self.shift = timedelta(0)
        if not keep_times:
            self.shift = now() + (length / speed if speed else timedelta(0)) - ordered[-1].time
            ordered = _renumbered(ordered, self.shift)
        self._scenes = ordered
        self._streams: dict[CameraKey, deque[_Stream]] = {}
        for scene in ordered:
            rows = self._streams.setdefault((scene.site, scene.camera), deque())
            if not rows or rows[-1].name != scene.stream:
                rows.append(_Stream(scene.stream))
            rows[-1].due.append(scene)
        self._mqtt = MqttClient(
            mqtt,
            f"spotter-replay-{secrets.token_hex(4)}",
            on_connect=self._subscribe,
            on_message=self._receive,
        )

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Outcome:
        """Send everything and wait until it is committed; `progress` gets scenes committed, and in all.

        Raises SpotterError when a camera of the log is live, ServerError when there is no broker or nobody commits.
        """
        self._mqtt.start()
        try:
            self._mqtt.wait_connected(CONNECT_SECONDS)
            self._refuse_live_cameras()
            seconds = self._send_all(progress)
        finally:
            self._mqtt.stop()
        return Outcome(len(self._scenes), len(self._streams), seconds, self.shift)

    def _refuse_live_cameras(self) -> None:
        deadline = time.monotonic() + _RETAINED_SECONDS
        while time.monotonic() < deadline and not self._live:
            time.sleep(_WAIT_SECONDS)
        for (site, camera), state in sorted(self._live.items()):
            raise SpotterError(
                f"camera '{camera}' of site {site} is {state}: a replay would be mixed into what it sees now; "
                "stop it, or replay as another site with --as-site NAME"
            )

    def _send_all(self, progress: Callable[[int, int], None]) -> float:
        began = time.monotonic()
        total, done = len(self._scenes), 0
        changed = began
        while done < total:
            now = time.monotonic()
            again, moved = self._again.is_set(), False
            self._again.clear()
            for key, rows in self._streams.items():
                while rows:
                    moved = self._forget_committed(key, rows[0]) or moved
                    if rows[0].due or rows[0].sent:
                        break
                    rows.popleft()
                if rows:
                    moved = self._send(rows[0], now, began, again=again) or moved
            rest = sum(len(row.due) + len(row.sent) for rows in self._streams.values() for row in rows)
            if moved or not any(row.sent for rows in self._streams.values() for row in rows):
                changed = now
            done = total - rest
            progress(done, total)
            if now - changed > self._patience:
                raise ServerError(
                    f"nothing was committed for {self._patience:g} s ({done} of {total} scenes are); "
                    f"see that `spotter ingest` and `spotter usage` run on the broker {self._mqtt.address}"
                )
            time.sleep(_WAIT_SECONDS)
        return time.monotonic() - began

    def _forget_committed(self, key: CameraKey, row: _Stream) -> bool:
        with self._lock:
            committed = self._committed.get(key)
        if committed is None or committed.stream != row.name:
            return False
        gone = [seq for seq in row.sent if seq <= committed.seq]
        for seq in gone:
            del row.sent[seq]
        return bool(gone)

    def _send(self, row: _Stream, now: float, began: float, *, again: bool) -> bool:
        """Send what is due of a stream, and again what was not committed; gives whether anything new was sent."""
        floor = min(row.sent, default=0)
        for scene, at in list(row.sent.values()):
            if (again or now - at > AGAIN_SECONDS) and not self._publish(row, scene, floor, now):
                return False
        new = False
        while row.due and len(row.sent) < IN_FLIGHT and self._is_time(row.due[0], now - began):
            scene = row.due[0]
            if row.sent and scene.seq != row.newest + 1:
                break  # what is missing before it is given up by its floor, once all before that is committed
            if not self._publish(row, scene, min(row.sent, default=scene.seq), now):
                break
            row.due.popleft()
            row.newest, new = scene.seq, True
        return new

    def _is_time(self, scene: Scene, elapsed: float) -> bool:
        if not self._speed:
            return True
        return (scene.time - self.shift - self._begin).total_seconds() / self._speed <= elapsed

    def _publish(self, row: _Stream, scene: Scene, floor: int, now: float) -> bool:
        payload = scene.model_copy(update={"floor": floor}).to_json()
        if self._mqtt.publish(topics.scene(scene.site, scene.camera), payload) is None:
            return False
        row.sent[scene.seq] = (scene, now)
        return True

    # In the network thread

    def _subscribe(self) -> None:
        for site, camera in self._streams:
            self._mqtt.subscribe(topics.committed(site, camera))
            self._mqtt.subscribe(topics.status(site, camera))
        self._again.set()

    def _receive(self, topic: str, payload: bytes, _: Callable[[], None]) -> None:
        place = topics.parse_camera_topic(topic)
        if place is None:
            return
        key = (place.site, place.camera)
        try:
            if place.leaf == "committed":
                committed = events.parse(Committed, payload)
                with self._lock:
                    self._committed[key] = committed
            elif place.leaf == "status":
                status = events.parse(Status, payload)
                if status.state != "offline":
                    self._live[key] = status.state
        except ContractError:
            return  # of another version: it says nothing that a replay could go by


def _ordered(scenes: Iterable[Scene]) -> list[Scene]:
    """All scenes in the order in which they are to be sent, doubles dropped."""
    sites: dict[str, dict[tuple[str, str], dict[int, Scene]]] = {}
    for scene in scenes:
        sites.setdefault(scene.site, {}).setdefault((scene.camera, scene.stream), {}).setdefault(scene.seq, scene)
    rows = [by_time(streams, lambda scene: scene.time) for _, streams in sorted(sites.items())]
    return [*heapq.merge(*rows, key=lambda scene: scene.time)]


def _renumbered(scenes: list[Scene], shift: timedelta) -> list[Scene]:
    """The scenes with other times, each camera's in one new stream."""
    stream = f"replay-{secrets.token_hex(6)}"
    counts: dict[CameraKey, int] = {}
    moved = []
    for scene in scenes:
        key = (scene.site, scene.camera)
        seq = counts[key] = counts.get(key, -1) + 1
        objects = tuple(found.model_copy(update={"since": found.since + shift}) for found in scene.objects)
        change = {"time": scene.time + shift, "stream": stream, "seq": seq, "floor": 0, "objects": objects}
        moved.append(scene.model_copy(update=change))
    return moved
