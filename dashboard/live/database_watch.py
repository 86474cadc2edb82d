"""Follows the database: what is in use now, which alerts are open, and whether it answers."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dashboard.database import what_is_wrong
from dashboard.language import mark
from dashboard.live.board import Board
from dashboard.live.freshness import STALE_SECONDS
from dashboard.live.parts import Part, degraded, fine
from spotter.catalog import Catalog
from spotter.database.tables import AlertRow, UsageSessionRow
from spotter.events import format_time

log = structlog.get_logger()

CHECK_SECONDS = 3.0
"""Sessions are asked for so often even when nobody says that they changed."""

SETTLE_SECONDS = 0.7
"""From a scene to reading what followed from it; also keeps the reads of a busy gym apart."""

MOST_SHOWN = 200
"""Open sessions on the live page; a gym with more than these at once reads the sessions page. So for alerts."""


@dataclass(frozen=True, slots=True)
class _Answer:
    open_sessions: int = 0
    unseen_alerts: int = 0
    trouble: str | None = None


class DatabaseWatch:
    """Reads the open sessions and alerts of one site and puts them on the board under ``use`` and ``alerts``."""

    def __init__(self, site: str, engine: Engine, catalog: Catalog, board: Board) -> None:
        self._site, self._engine, self._catalog, self._board = site, engine, catalog, board
        self._stopping = self._at_once = False
        self._nudged = threading.Event()
        self._first = threading.Event()
        self._answer = _Answer()
        self._answered_at = time.monotonic()

    @property
    def open_sessions(self) -> int:
        """How many sessions are open, as last read."""
        return self._answer.open_sessions

    @property
    def unseen_alerts(self) -> int:
        """How many open alerts nobody has seen to, as last read."""
        return self._answer.unseen_alerts

    def run(self) -> None:
        """Follow until `stop`; survives every failure of the database."""
        while not self._stopping:
            self._nudged.clear()
            self._at_once = False
            self._check()
            if self._nudged.wait(CHECK_SECONDS) and not (self._stopping or self._at_once):
                time.sleep(SETTLE_SECONDS)

    def nudge(self, *, at_once: bool = False) -> None:
        """Read again soon: sessions or alerts may have changed. `at_once`: they have."""
        self._at_once = self._at_once or at_once
        self._nudged.set()

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping = True
        self._nudged.set()

    def wait_first(self, seconds: float) -> None:
        """Wait until the database was asked once."""
        self._first.wait(seconds)

    def part(self) -> Part:
        """The database as it is at this moment; an answer that does not come counts as none."""
        answer = self._answer
        if answer.trouble is not None:
            return degraded("database", answer.trouble)
        if time.monotonic() - self._answered_at > STALE_SECONDS:
            return degraded("database", mark("the database does not answer; check that it runs"))
        return fine("database")

    def _check(self) -> None:
        try:
            with Session(self._engine) as session:
                count, rows = self._read(session)
                alerts = self._read_alerts(session)
        except SQLAlchemyError as error:
            trouble = what_is_wrong(error, self._engine)
            if self._answer.trouble != trouble:
                log.warning("database_lost", reason=trouble)
            self._answer = _Answer(trouble=trouble)
        else:
            self._answer = _Answer(count, int(alerts["unacknowledged"]))
            self._board.put("alerts", json.dumps(alerts, ensure_ascii=False))
            self._board.put("use", json.dumps({"count": count, "sessions": rows}, ensure_ascii=False))
        self._answered_at = time.monotonic()
        self._first.set()

    def _read(self, session: Session) -> tuple[int, list[dict[str, object]]]:
        row = UsageSessionRow
        is_open = (row.site == self._site, row.ended_at.is_(None))
        found = session.scalars(select(row).where(*is_open).order_by(row.started_at.desc(), row.id).limit(MOST_SHOWN))
        shown: list[dict[str, object]] = [
            {
                "session": one.id,
                "equipment": one.equipment,
                "name": self._catalog.name(one.equipment),
                "unit": one.unit,
                "zone": one.zone,
                "cameras": one.cameras,
                "started": format_time(one.started_at),
            }
            for one in found
        ]
        if len(shown) < MOST_SHOWN:
            return len(shown), shown
        return session.scalar(select(func.count()).where(*is_open)) or 0, shown

    def _read_alerts(self, session: Session) -> dict[str, Any]:
        row = AlertRow
        is_open = (row.site == self._site, row.cleared_at.is_(None))
        counts = select(func.count(), func.count(row.acknowledged_at)).where(*is_open)
        count, acknowledged = session.execute(counts).one()
        found = session.scalars(select(row).where(*is_open).order_by(row.raised_at.desc(), row.id).limit(MOST_SHOWN))
        shown = [alert_document(one) for one in found]
        return {"count": count, "unacknowledged": count - acknowledged, "alerts": shown}


def alert_document(row: AlertRow) -> dict[str, Any]:
    """An alert as pages and programs read it."""
    moments = {"raised": row.raised_at, "acknowledged": row.acknowledged_at, "cleared": row.cleared_at}
    return {
        "alert": row.id,
        **{name: getattr(row, name) for name in ("site", "kind", "camera", "zone", "unit", "equipment", "detail")},
        **{name: None if moment is None else format_time(moment) for name, moment in moments.items()},
        "acknowledged_by": row.acknowledged_by,
        "cleared_detail": row.cleared_detail,
        "layout_version": row.layout_version,
    }
