"""Follows Redis: cameras' newest scenes and statuses, and the proofs of life of ingest and usage."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from dashboard.language import mark
from dashboard.live.board import Board
from dashboard.live.cameras import Heard, Tile, tile
from dashboard.live.freshness import STALE_SECONDS, Freshness
from dashboard.live.parts import Part, degraded, fine
from spotter import redis_keys
from spotter.catalog import Catalog
from spotter.errors import ContractError, SettingsError
from spotter.events import NAME_PATTERN, AnyEvent, Scene, Status, parse, seconds_between
from spotter.settings import Settings

log = structlog.get_logger()

TICK_SECONDS = 1.0
"""Ages are judged again so often, whether or not anything arrives."""

COALESCE_SECONDS = 0.1
"""Changes that come together are read together: at most ten reads a second, however busy the gym."""

RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
FORGET_AFTER_SECONDS = 3600.0
"""A camera that the settings do not name (another box's) is shown until it has been silent for so long."""

MOST_DRAINED = 10_000
"""Changes taken at once; a flood of them must not keep the state from being read."""

MOST_REFUSED = 100
"""Refusals that are remembered, so that each is logged once."""

_NAME = re.compile(NAME_PATTERN)

_WORDS = {"degraded": "is degraded", "offline": "is offline", "unknown": "is not known"}

_MENDS = {
    "ingest": mark("ingest gives no sign of life, so nothing new arrives; start it: spotter ingest"),
    "usage": mark("the usage worker gives no sign of life, so sessions stand still; start it: spotter usage"),
}


def open_redis(url: str) -> redis.Redis:
    """A client that answers or fails within seconds. Raises SettingsError for an address that can't be used."""
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise SettingsError("redis.url: not a Redis address; use redis://[:password@]host:6379/0") from error


class RedisWatch:
    """Reads the live state of one site whenever it changes and puts each camera's tile on the board."""

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis | None,
        catalog: Catalog,
        board: Board,
        facts_changed: Callable[[], None],
    ) -> None:
        self._site, self._expected = settings.site, tuple(settings.cameras)
        shards = {"usage": redis_keys.shard_of(settings.site, settings.shards)}
        self._beat_keys = [redis_keys.heartbeat(part, shards.get(part, 0)) for part in _MENDS]
        self._client, self._catalog, self._board = client, catalog, board
        self._facts_changed = facts_changed
        self._freshness = Freshness()
        self._stopping = threading.Event()
        self._first = threading.Event()
        self._heard: dict[str, Heard] = {}
        self._tiles: dict[str, Tile] = {}
        self._beats: dict[str, Part] = {}
        self._trouble: str | None = None
        self._read_at = time.monotonic()
        self._refused: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Follow until `stop`; survives every failure of Redis."""
        if self._client is None:
            self._lose("the settings name no Redis; add `redis: {url: …}` or start everything with `spotter up`")
            return
        while not self._stopping.is_set():
            try:
                self._follow(self._client)
            except redis.AuthenticationError:
                self._lose("Redis refuses the password; check `redis.url` in the settings")
            except redis.RedisError as error:
                self._lose(f"Redis does not answer ({type(error).__name__}); check that it runs and `redis.url`")
            self._stopping.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()

    def wait_first(self, seconds: float) -> None:
        """Wait until Redis was read, or failed, once."""
        self._first.wait(seconds)

    def tiles(self) -> tuple[Tile, ...]:
        """Every camera, those of the settings first and in their order."""
        return tuple(self._tiles.values())

    def parts(self) -> tuple[Part, ...]:
        """Redis, ingest, usage and the cameras, as they are at this moment."""
        trouble = self._trouble
        if trouble is None and time.monotonic() - self._read_at > STALE_SECONDS:
            trouble = mark("Redis answers too slowly; check the machine it runs on")
        if trouble is not None:
            unknown = mark("not known while the live store does not answer")
            return (
                degraded("redis", trouble),
                *(degraded(part, unknown) for part in ("ingest", "usage", "cameras")),
            )
        beats = [self._beats.get(part) or degraded(part, mend) for part, mend in _MENDS.items()]
        return fine("redis"), *beats, self._cameras_part()

    def _cameras_part(self) -> Part:
        bad = [shown for shown in self._tiles.values() if shown.state != "online"]
        if not self._tiles:
            return degraded("cameras", mark("there are none; add one to the settings, such as `uri: clip.mp4`"))
        if not bad:
            return fine("cameras")
        return degraded("cameras", ", ".join(f"{shown.camera} {_WORDS[shown.state]}" for shown in bad))

    def _follow(self, client: redis.Redis) -> None:
        with client.pubsub(ignore_subscribe_messages=True) as changes:  # type: ignore[no-untyped-call]
            changes.subscribe(redis_keys.changes(self._site))
            self._read(client)
            while not self._stopping.is_set():
                message = changes.get_message(timeout=TICK_SECONDS)
                if message is not None:
                    self._stopping.wait(COALESCE_SECONDS)
                    if self._drain(changes, message):
                        self._facts_changed()
                self._read(client)

    def _drain(self, changes: Any, message: Any) -> bool:
        """Take all waiting changes, since all is read anyway; gives whether sessions may follow from them."""
        facts = False
        for _ in range(MOST_DRAINED):
            if message is None:
                break
            try:
                facts = facts or json.loads(message["data"]).get("kind") in ("usage", "alert", "scene")
            except (ValueError, AttributeError, TypeError):
                log.debug("change_not_understood")
            message = changes.get_message(timeout=0)
        return facts

    def _read(self, client: redis.Redis) -> None:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(redis_keys.live_scenes(self._site))
            pipeline.hgetall(redis_keys.live_status(self._site))
            pipeline.mget(self._beat_keys)
            scenes, statuses, beats = cast("tuple[Any, Any, Any]", tuple(pipeline.execute()))
        now, clock = time.monotonic(), datetime.now(timezone.utc)
        self._beats = {part: self._judge_beat(part, beat, now) for part, beat in zip(_MENDS, beats, strict=True)}
        reported = {camera: self._listen(camera, scenes, statuses, now, clock) for camera in _names(scenes, statuses)}
        self._heard = {
            **{camera: reported.get(camera, Heard()) for camera in self._expected},
            **{camera: heard for camera, heard in reported.items() if not _gone(heard)},
        }
        self._trouble, self._read_at = None, now
        self._show(None)

    def _listen(self, camera: str, scenes: Any, statuses: Any, now: float, clock: datetime) -> Heard:
        status = self._parsed(Status, camera, statuses)
        scene = self._parsed(Scene, camera, scenes)
        status_age = scene_age = 0.0
        if status is not None:
            claimed = seconds_between(status.time, clock)
            status_age = self._freshness.age(f"status {camera}", status.time, claimed, now)
        if scene is not None:
            claimed = seconds_between(scene.time, clock)
            scene_age = self._freshness.age(f"scene {camera}", (scene.stream, scene.seq), claimed, now)
        return Heard(status, status_age, scene, scene_age)

    def _parsed(self, kind: type[AnyEvent], camera: str, payloads: Any) -> AnyEvent | None:
        payload = payloads.get(camera.encode())
        if payload is None:
            return None
        try:
            return parse(kind, payload)
        except ContractError as error:
            if (camera, str(error)) not in self._refused:
                log.warning("live_state_refused", camera=camera, reason=str(error))
                self._refused = {*list(self._refused)[-MOST_REFUSED:], (camera, str(error))}
            return None

    def _judge_beat(self, part: str, beat: bytes | None, now: float) -> Part:
        """A part by its proof of life, which says itself what it can't do."""
        if beat is None or self._freshness.age(f"beat {part}", beat, 0, now) > STALE_SECONDS:
            return degraded(part, _MENDS[part])
        try:
            proof = json.loads(beat)
            reason = proof.get("reason") if proof.get("state", "ok") != "ok" else None
        except (ValueError, AttributeError):
            return degraded(part, f"{part} gives a sign of life that is not understood; are all parts of one version?")
        return fine(part) if reason is None else degraded(part, str(reason))

    def _lose(self, trouble: str) -> None:
        if self._trouble != trouble:
            log.warning("live_state_lost", reason=trouble)
        self._trouble = trouble
        self._heard = {
            camera: self._heard.get(camera, Heard()) for camera in {**dict.fromkeys(self._expected), **self._heard}
        }
        self._show(mark("not known while the live store does not answer"))

    def _show(self, blind: str | None) -> None:
        beat = self._beats.get("ingest")
        deaf = beat is not None and beat.state != "ok"
        shown = {camera: tile(camera, heard, self._catalog, blind, deaf) for camera, heard in self._heard.items()}
        for camera in self._tiles.keys() - shown.keys():
            self._board.put(f"camera:{camera}", json.dumps({"camera": camera, "gone": True}))
        self._tiles = shown
        for camera, one in shown.items():
            self._board.put(f"camera:{camera}", json.dumps(one.document(), ensure_ascii=False))
        self._first.set()


def _names(scenes: Any, statuses: Any) -> list[str]:
    names = {key.decode("utf-8", "replace") for key in (*scenes, *statuses)}
    return sorted(name for name in names if _NAME.fullmatch(name))


def _gone(heard: Heard) -> bool:
    ages = [age for event, age in ((heard.status, heard.status_age), (heard.scene, heard.scene_age)) if event]
    return not ages or min(ages) > FORGET_AFTER_SECONDS
