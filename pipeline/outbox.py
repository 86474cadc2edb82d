"""Keeps every scene on disk until the database has it.

One SQLite file for a pipeline, one numbered row of scenes (a stream) for each camera. `seq` goes on after a restart;
what is kept is always one unbroken stretch from `floor` to the newest. Only a `committed` message, or the outbox's
bounds, take scenes away, and always from the old end.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, TypeVar

import structlog

from pipeline.scene import Draft
from pipeline.stream_id import new_stream
from spotter.errors import ServerError, SpotterError
from spotter.events import Committed

log = structlog.get_logger()

ROW_OVERHEAD_BYTES = 40  # of SQLite's pages for each scene, roughly
_AGE_CHECK_SECONDS = 60.0
_DROP_LOG_SECONDS = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS streams (
    box INTEGER PRIMARY KEY, site TEXT NOT NULL, camera TEXT NOT NULL, stream TEXT NOT NULL,
    next_seq INTEGER NOT NULL, floor INTEGER NOT NULL, UNIQUE (site, camera)
);
CREATE TABLE IF NOT EXISTS scenes (
    box INTEGER NOT NULL, seq INTEGER NOT NULL, kept_at REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (box, seq)
) WITHOUT ROWID;
"""

_Result = TypeVar("_Result")

CommitResult = Literal["taken", "behind", "other_stream", "renewed"]


@dataclass(slots=True)
class Stream:
    """The kept scenes of one camera: `floor` to `next_seq` - 1."""

    box: int
    site: str
    camera: str
    stream: str
    next_seq: int
    floor: int
    opened_at_seq: int = 0
    """`next_seq` when this process opened the file."""

    @property
    def pending(self) -> int:
        """How many scenes wait."""
        return self.next_seq - self.floor


class Outbox:
    """The scenes of a pipeline that the database does not have yet. Safe to use from any thread."""

    def __init__(self, path: Path, *, hours: float, mebibytes: float, clock: Callable[[], float] = time.time) -> None:
        """Open or make the file. A damaged one is moved aside. Raises ServerError when another pipeline has it."""
        self.path = path
        self.dropped = 0
        """Scenes that the bounds took, since this process began."""
        self._max_age = hours * 3600
        self._max_bytes = mebibytes * 2**20
        self._clock = clock
        self._lock = threading.RLock()
        self._drops_untold, self._told_at, self._aged_at = 0, 0.0, 0.0
        self._streams: dict[tuple[str, str], Stream] = {}
        self._is_open = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._mending(lambda: None)
        except sqlite3.DatabaseError as error:
            raise _unusable(path, error) from error
        except OSError as error:
            raise SpotterError(f"outbox {path}: can't be made ({error.strerror}); check `data:`") from error

    def append(self, drafts: Sequence[Draft]) -> list[int]:
        """Number and keep scenes, on disk when this returns; gives their seqs. Raises sqlite3.OperationalError
        when the disk takes no more: then none of them is kept.
        """
        return self._mending(lambda: self._append(drafts))

    def stream(self, site: str, camera: str) -> Stream:
        """Where a camera's stream stands; begins one where there is none."""
        with self._lock:
            known = self._streams.get((site, camera))
            return known or self._mending(lambda: self._begin(site, camera))

    def streams(self) -> list[Stream]:
        """All streams, of cameras that are no longer in the settings too."""
        with self._lock:
            return list(self._streams.values())

    def pending(self, stream: Stream, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Kept scenes from seq `start` up, as (seq, JSON with the floor of now)."""
        wanted = (stream.box, start, limit)
        rows = self._mending(
            lambda: self._connection.execute(
                "SELECT seq, body FROM scenes WHERE box = ? AND seq >= ? ORDER BY seq LIMIT ?", wanted
            ).fetchall()
        )
        return [(seq, _with_floor(body, stream.floor)) for seq, body in rows]

    def commit(self, site: str, camera: str, committed: Committed) -> CommitResult:
        """Forget what the database has.

        `behind`: the database has less than was forgotten (it is new, or restored from a backup). `renewed`: it has
        more than was ever written here (this file was restored), so that going on would use numbers twice: what is
        certainly new was moved to a new stream.
        """
        return self._mending(lambda: self._commit(self.stream(site, camera), committed))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _commit(self, stream: Stream, committed: Committed) -> CommitResult:
        if committed.stream != stream.stream:
            return "other_stream"
        if committed.seq >= stream.next_seq:
            self._renew(stream, committed.seq)
            return "renewed"
        if committed.seq + 1 < stream.floor:
            return "behind"
        with self._transaction():
            self._forget(stream, committed.seq + 1)
        return "taken"

    def _open(self) -> None:
        self._let_go()
        self._connection = sqlite3.connect(self.path, timeout=1, isolation_level=None, check_same_thread=False)
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")  # two pipelines on one outbox would use numbers twice
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")  # what was published must still be here after a power cut
        if execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the file is damaged")
        self._connection.executescript(_SCHEMA)
        with self._transaction():
            now = datetime.now(timezone.utc)
            self.run = execute("INSERT INTO runs (at) VALUES (?) RETURNING run", (now.isoformat(),)).fetchone()[0]
            execute("DELETE FROM runs WHERE run < ?", (self.run,))
        self._streams = {}
        self._read_streams()
        self._is_open = True

    def _let_go(self) -> None:
        """Close the file; what is done with it next opens it."""
        self._is_open = False
        if hasattr(self, "_connection"):
            self._connection.close()

    def _read_streams(self) -> None:
        """Take over from the file where the streams stand, into the same objects where they are known."""
        rows = self._connection.execute("SELECT box, site, camera, stream, next_seq, floor FROM streams")
        for box, site, camera, stream, next_seq, floor in rows:
            known = self._streams.setdefault(
                (site, camera), Stream(box, site, camera, stream, next_seq, floor, opened_at_seq=next_seq)
            )
            known.stream, known.next_seq, known.floor = stream, next_seq, floor
        kept = self._connection.execute("SELECT coalesce(sum(length(body)), 0), count(*) FROM scenes").fetchone()
        self._bytes = kept[0] + kept[1] * ROW_OVERHEAD_BYTES

    def _start_again(self, error: sqlite3.DatabaseError) -> None:
        """Move the damaged file aside and begin with new streams. Raises sqlite3.OperationalError where that fails."""
        self._let_go()
        aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}")
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        except OSError as failure:  # a dying SD card is mounted read-only
            raise sqlite3.OperationalError(f"{error}; it can't be moved aside ({failure.strerror})") from failure
        log.error("outbox_damaged", path=str(self.path), error=str(error), kept_as=str(aside), then="new streams begin")
        self._open()

    def _mending(self, action: Callable[[], _Result]) -> _Result:
        """Do something with the file, again with a new one where it turns out to be damaged."""
        with self._lock:
            try:
                if not self._is_open:
                    self._open()
                return action()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._start_again(error)
                return action()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if not _is_damage(error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._read_streams()
            raise

    def _append(self, drafts: Sequence[Draft]) -> list[int]:
        now = self._clock()
        streams = [self.stream(draft.site, draft.camera) for draft in drafts]
        nexts = {stream.box: stream.next_seq for stream in streams}
        seqs, rows = [], []
        for draft, stream in zip(drafts, streams, strict=True):
            seq = nexts[stream.box]
            nexts[stream.box] += 1
            seqs.append(seq)
            rows.append((stream.box, seq, now, draft.numbered(stream.stream, seq, 0).to_json()))
        with self._transaction():
            self._connection.executemany("INSERT INTO scenes (box, seq, kept_at, body) VALUES (?, ?, ?, ?)", rows)
            self._connection.executemany(
                "UPDATE streams SET next_seq = ? WHERE box = ?", [(seq, box) for box, seq in nexts.items()]
            )
        for stream in streams:
            stream.next_seq = nexts[stream.box]
        self._bytes += sum(len(row[3]) + ROW_OVERHEAD_BYTES for row in rows)
        try:
            self._keep_bounds(now)
        except sqlite3.OperationalError as error:  # the scenes are kept; the next append tries again
            log.warning("outbox_bounds_not_kept", error=str(error))
        return seqs

    def _begin(self, site: str, camera: str) -> Stream:
        stream = new_stream(datetime.now(timezone.utc))
        with self._transaction():
            box = self._connection.execute(
                "INSERT INTO streams (site, camera, stream, next_seq, floor) VALUES (?, ?, ?, 0, 0) RETURNING box",
                (site, camera, stream),
            ).fetchone()[0]
        made = self._streams[site, camera] = Stream(box, site, camera, stream, 0, 0)
        return made

    def _forget(self, stream: Stream, floor: int) -> int:
        """Delete what is below `floor`, which becomes the floor; gives how many that were. Within a transaction."""
        below = (stream.box, floor)
        freed, count = self._connection.execute(
            "SELECT coalesce(sum(length(body)), 0), count(*) FROM scenes WHERE box = ? AND seq < ?", below
        ).fetchone()
        self._connection.execute("DELETE FROM scenes WHERE box = ? AND seq < ?", below)
        self._connection.execute("UPDATE streams SET floor = ? WHERE box = ?", (floor, stream.box))
        stream.floor = floor
        self._bytes -= freed + count * ROW_OVERHEAD_BYTES
        return int(count)

    def _keep_bounds(self, now: float) -> None:
        dropped = 0
        if self._bytes > self._max_bytes:
            with self._transaction():
                while self._bytes > self._max_bytes and (oldest := self._oldest()) is not None:
                    dropped += self._forget(oldest, oldest.floor + 1)
        if abs(now - self._aged_at) >= min(_AGE_CHECK_SECONDS, self._max_age):
            self._aged_at = now
            with self._transaction():
                dropped += sum(self._drop_aged(stream, now - self._max_age) for stream in self._streams.values())
        self.dropped += dropped
        self._drops_untold += dropped
        if self._drops_untold and abs(now - self._told_at) >= _DROP_LOG_SECONDS:
            log.warning("outbox_dropped", scenes=self._drops_untold, mend="bring the broker and the database back")
            self._drops_untold, self._told_at = 0, now

    def _oldest(self) -> Stream | None:
        """The stream whose oldest scene has waited longest; never the newest scene of a stream."""
        waiting = [stream for stream in self._streams.values() if stream.pending > 1]
        if not waiting:
            return None

        def kept_at(stream: Stream) -> float:
            row = self._connection.execute(
                "SELECT kept_at FROM scenes WHERE box = ? AND seq = ?", (stream.box, stream.floor)
            ).fetchone()
            return float(row[0])

        return min(waiting, key=kept_at)

    def _drop_aged(self, stream: Stream, oldest: float) -> int:
        row = self._connection.execute(
            "SELECT seq FROM scenes WHERE box = ? AND kept_at >= ? ORDER BY seq LIMIT 1", (stream.box, oldest)
        ).fetchone()
        floor = row[0] if row else stream.next_seq
        return self._forget(stream, floor) if floor > stream.floor else 0

    def _renew(self, stream: Stream, committed: int) -> None:
        """Begin a new stream for a camera whose old numbers are taken; move what this process wrote there."""
        renewed = stream.stream
        while renewed == stream.stream:
            renewed = new_stream(datetime.now(timezone.utc))
        log.error(
            "outbox_behind_database", camera=stream.camera, stream=stream.stream, committed=committed, new=renewed
        )
        first = max(stream.opened_at_seq, stream.floor)
        with self._transaction():
            self._forget(stream, first)
            rows = self._connection.execute(
                "SELECT seq, kept_at, body FROM scenes WHERE box = ? ORDER BY seq", (stream.box,)
            ).fetchall()
            self._connection.execute("DELETE FROM scenes WHERE box = ?", (stream.box,))
            self._connection.executemany(
                "INSERT INTO scenes (box, seq, kept_at, body) VALUES (?, ?, ?, ?)",
                [
                    (stream.box, seq - first, kept_at, _renumbered(body, stream.stream, seq, renewed, seq - first))
                    for seq, kept_at, body in rows
                ],
            )
            self._connection.execute(
                "UPDATE streams SET stream = ?, next_seq = ?, floor = 0 WHERE box = ?",
                (renewed, stream.next_seq - first, stream.box),
            )
        stream.opened_at_seq = 0
        self._read_streams()


def _with_floor(body: bytes, floor: int) -> bytes:
    """The kept JSON with its floor put in. All before it are names and numbers, so its first place is the right one."""
    return body.replace(b'"floor":0,', b'"floor":%d,' % floor, 1)


def _renumbered(body: bytes, old: str, seq: int, new: str, new_seq: int) -> bytes:
    key = b'"stream":"%s","seq":%d,'
    return body.replace(key % (old.encode(), seq), key % (new.encode(), new_seq), 1)


def _is_damage(error: sqlite3.Error) -> bool:
    """SQLite tells of a damaged file with the plain class; its subclasses mean a full disk, a lock or a defect."""
    return type(error) is sqlite3.DatabaseError


def _unusable(path: Path, error: sqlite3.DatabaseError) -> SpotterError:
    if "locked" in str(error):
        return ServerError(f"outbox {path}: another pipeline uses it; stop that one, or give this one its own `data:`")
    return SpotterError(f"outbox {path}: can't be used ({error}); check the disk and `data:`")
