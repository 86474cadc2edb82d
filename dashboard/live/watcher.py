"""All that is watched for open pages, health and metrics: started with the first who asks, stopped with the process."""

from __future__ import annotations

import json
import threading

import redis
from sqlalchemy import Engine

from dashboard.live.board import Board
from dashboard.live.cameras import Tile
from dashboard.live.database_watch import DatabaseWatch
from dashboard.live.held import Held
from dashboard.live.parts import Part
from dashboard.live.previews import Previews
from dashboard.live.redis_watch import RedisWatch
from spotter.catalog import Catalog
from spotter.settings import Settings

PULSE_SECONDS = 1.0
FIRST_SECONDS = 3.0
"""The first who asks waits at most so long for the first answers."""


class Watcher:
    """Three threads for each process, whatever the number of pages: Redis, database, and the judgement of both.

    It is not started by its constructor, since gunicorn forks after the application is loaded in some set-ups and
    threads do not survive a fork.
    """

    def __init__(self, settings: Settings, engine: Engine, client: redis.Redis | None, catalog: Catalog) -> None:
        self.board = Board()
        self.previews = Previews(settings, Held(settings.site, self.board))
        self._database = DatabaseWatch(settings.site, engine, catalog, self.board)
        self._redis = RedisWatch(settings, client, catalog, self.board, self._database.nudge)
        self._lock = threading.Lock()
        self._started = False
        self._stopping = threading.Event()
        self._judged = threading.Event()
        self._threads: list[threading.Thread] = []

    def ensure_started(self) -> None:
        """Start once; later calls cost nothing."""
        with self._lock:
            if not self._started and not self._stopping.is_set():
                self._start()
        self._judged.wait(FIRST_SECONDS)

    def _start(self) -> None:
        self._started = True
        self.previews.start()
        for run in (self._redis.run, self._database.run, self._pulse):
            thread = threading.Thread(target=run, name=f"dashboard-{run.__qualname__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop within seconds; open event streams end at once."""
        self._stopping.set()
        self.board.close()
        self._redis.stop()
        self._database.stop()
        with self._lock:
            started, self._started = self._started, False
        if started:
            self.previews.stop()
            for thread in self._threads:
                thread.join(timeout=2)

    def parts(self) -> tuple[Part, ...]:
        """Every part as it is at this moment."""
        self.ensure_started()
        return self._judge()

    def tiles(self) -> tuple[Tile, ...]:
        """Every camera."""
        self.ensure_started()
        return self._redis.tiles()

    def open_sessions(self) -> int:
        """How many sessions are open."""
        self.ensure_started()
        return self._database.open_sessions

    def unseen_alerts(self) -> int:
        """How many open alerts nobody has seen to, as last read; starts and asks nothing."""
        return self._database.unseen_alerts

    def nudge(self) -> None:
        """Somebody changed the database here: read it at once."""
        self._database.nudge(at_once=True)

    def _pulse(self) -> None:
        # Its own thread: a database or Redis that hangs must not keep the page from saying so.
        for watched in (self._redis, self._database, self.previews):
            watched.wait_first(FIRST_SECONDS / 3)
        while not self._stopping.is_set():
            health = {"parts": [part.document() for part in self._judge()]}
            self.board.put("health", json.dumps(health, ensure_ascii=False))
            self._judged.set()
            self._stopping.wait(PULSE_SECONDS)

    def _judge(self) -> tuple[Part, ...]:
        redis_part, *others = self._redis.parts()
        return self._database.part(), redis_part, self.previews.part(), *others
