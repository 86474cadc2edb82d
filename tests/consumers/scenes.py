"""Builds scenes for tests in a few words, and a pipeline that keeps to the outbox protocol."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from spotter import events, topics
from spotter.events import Committed, Scene, SceneObject
from spotter.mqtt import MqttClient
from spotter.settings import Mqtt

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def box_at(x: float, y: float, width: float = 0.1, height: float = 0.1) -> tuple[float, float, float, float]:
    """A box by its bottom centre."""
    return (max(0, x - width / 2), max(0, y - height), min(1, x + width / 2), min(1, y))


def thing(
    track: str, label: str, x: float, y: float, *, moving: bool = False, size: float = 0.1, score: float = 0.8
) -> SceneObject:
    height = size * 3 if label == "person" else size
    return SceneObject(id=track, label=label, score=score, box=box_at(x, y, size, height), moving=moving, since=START)


def person(track: str, x: float, y: float, *, moving: bool = False, score: float = 0.9) -> SceneObject:
    return thing(track, "person", x, y, moving=moving, score=score)


def kettlebell(track: str, x: float, y: float, *, moving: bool = False, score: float = 0.8) -> SceneObject:
    return thing(track, "kettlebell", x, y, moving=moving, size=0.05, score=score)


def scene(
    seconds: float,
    objects: Iterable[SceneObject] = (),
    *,
    seq: int = 0,
    camera: str = "cam",
    site: str = "gym",
    stream: str = "S1",
    floor: int = 0,
    picture: bool = True,
) -> Scene:
    return Scene(
        site=site,
        camera=camera,
        stream=stream,
        seq=seq,
        floor=floor,
        time=START + timedelta(seconds=seconds),
        frame=(1280, 720),
        picture=picture,
        objects=tuple(objects),
    )


class Film:
    """Writes the scenes that a pipeline would publish of one camera, with seq numbers."""

    def __init__(self, camera: str = "cam", site: str = "gym", stream: str = "S1") -> None:
        self.scenes: list[Scene] = []
        self.now = 0.0
        self._names: dict[str, Any] = {"camera": camera, "site": site, "stream": stream}

    def show(self, objects: Iterable[SceneObject], seconds: float, every: float = 0.5) -> Film:
        """The same objects for some seconds; the last moment is left to whatever follows."""
        return self.play(lambda _: list(objects), seconds, every)

    def play(self, objects: Any, seconds: float, every: float = 0.5) -> Film:
        """objects(seconds since here) for some seconds."""
        begin = self.now
        step = 0
        while step * every < seconds - 1e-9:
            self._add(objects(step * every))
            step += 1
            self.now = begin + step * every
        self.now = begin + seconds
        return self

    def dark(self, seconds: float, every: float = 5) -> Film:
        """No picture for some seconds, and scenes that say so."""
        begin = self.now
        step = 0
        while step * every < seconds - 1e-9:
            self._add((), picture=False)
            step += 1
            self.now = begin + step * every
        self.now = begin + seconds
        return self

    def skip(self, seconds: float) -> Film:
        """No scenes at all for some seconds."""
        self.now += seconds
        return self

    def end(self, objects: Iterable[SceneObject] = ()) -> list[Scene]:
        """One last scene, and all of them."""
        self._add(objects)
        return self.scenes

    def _add(self, objects: Iterable[SceneObject], *, picture: bool = True) -> None:
        self.scenes.append(scene(self.now, objects, seq=len(self.scenes), picture=picture, **self._names))


class FakePipeline:
    """Sends scenes as a pipeline does: again and again until they are committed."""

    def __init__(self, mqtt: Mqtt, again_after: float = 1.0) -> None:
        self._again_after = again_after
        self._lock = threading.Lock()
        self._outbox: dict[tuple[str, str, str], dict[int, Scene]] = {}
        self._sent: dict[tuple[str, str, str, int], float] = {}
        self.committed: dict[tuple[str, str, str], int] = {}
        self.usage: list[events.UsageSession] = []
        self._stop = threading.Event()
        self._client = MqttClient(mqtt, "", on_connect=self._subscribe, on_message=self._receive)
        self._client.start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, scene: Scene) -> None:
        with self._lock:
            self._outbox.setdefault((scene.site, scene.camera, scene.stream), {})[scene.seq] = scene

    def pending(self) -> int:
        with self._lock:
            return sum(len(kept) for kept in self._outbox.values())

    def wait_until_committed(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.pending():
            assert time.monotonic() < deadline, f"{self.pending()} scenes are not committed after {seconds} s"
            time.sleep(0.02)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.stop()

    def _subscribe(self) -> None:
        self._client.subscribe(topics.ALL_COMMITTED)
        self._client.subscribe("spotter/+/usage/+")

    def _receive(self, topic: str, payload: bytes, _: Any) -> None:
        if topic.endswith("/committed"):
            message = events.parse(Committed, payload)
            _, site, camera, _ = topic.split("/")
            key = (site, camera, message.stream)
            with self._lock:
                kept = self._outbox.get(key, {})
                self.committed[key] = message.seq
                for seq in [seq for seq in kept if seq <= message.seq]:
                    del kept[seq]
        else:
            self.usage.append(events.parse(events.UsageSession, payload))

    def _run(self) -> None:
        while not self._stop.is_set():
            now = time.monotonic()
            due: list[tuple[Scene, int]] = []
            with self._lock:
                for key, kept in self._outbox.items():
                    floor = min(kept, default=0)
                    late = [s for s in sorted(kept)[:200] if now - self._sent.get((*key, s), 0) > self._again_after]
                    due += [(kept[seq], floor) for seq in late]
            for item, floor in due:
                body = item.model_copy(update={"floor": floor}).to_json()
                if self._client.publish(topics.scene(item.site, item.camera), body) is None:
                    break
                self._sent[item.site, item.camera, item.stream, item.seq] = now
            self._stop.wait(0.01)
