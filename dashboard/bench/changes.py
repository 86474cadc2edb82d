"""The API's calls that change something. What they correct is taken back: the year's figures stay as they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from dashboard.bench.year import SITE
from spotter.database.tables import AlertRow, UsageSessionRow

PREFIX = "/api/v1"

Post = Callable[[str, str, dict[str, Any]], Any]
"""What measures: (the route as it is written down, the address, the body) -> the answer's document."""


def subjects(connection: Connection, count: int) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    """So many sessions of kettlebells, the newest and the oldest by turns, and alerts, the newest first."""
    row = UsageSessionRow
    query = select(row.id, row.started_at, row.ended_at).where(row.site == SITE, row.equipment == "kettlebell")
    newest, oldest = (
        connection.execute(query.order_by(order, row.id).limit(count)).mappings().all()
        for order in (row.started_at.desc(), row.started_at)
    )
    sessions = [dict(one) for pair in zip(newest, oldest, strict=True) for one in pair][:count]
    alerts = connection.scalars(
        select(AlertRow.id).where(AlertRow.site == SITE).order_by(AlertRow.raised_at.desc()).limit(count)
    )
    return sessions, list(alerts)


def change(post: Post, session: Mapping[str, Any], alert: str) -> None:
    """Every call once: review, relabel, discard, split and merge a session, see to an alert, service a unit."""
    identity = session["id"]

    def correct(kind: str, **body: Any) -> Any:
        route = f"{PREFIX}/sessions/{{session}}/{kind}"
        return post(route, route.format(session=identity), body)

    def undo(*numbers: int) -> None:
        for number in numbers:
            post(f"{PREFIX}/corrections/{{number}}/undo", f"{PREFIX}/corrections/{number}/undo", {})

    correct("review", note="measured")
    undo(correct("relabel", equipment="med_ball")["correction"])
    undo(correct("discard")["correction"])
    parted = correct("split", at=_middle(session["started_at"], session["ended_at"]).isoformat())
    following = next(half["id"] for half in parted["after"] if half["id"] != identity)
    merged = correct("merge", following=following)
    undo(merged["correction"], parted["correction"])
    post(f"{PREFIX}/alerts/{{alert}}/acknowledge", f"{PREFIX}/alerts/{alert}/acknowledge", {})
    for step in ("start", "done"):
        post(f"{PREFIX}/services", f"{PREFIX}/services", {"unit": "treadmill-1", "step": step})


def _middle(begin: datetime, end: datetime) -> datetime:
    return begin + (end - begin) / 2
