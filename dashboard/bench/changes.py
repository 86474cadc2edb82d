"""The API's calls that change something, each of which is taken back: what is measured leaves the year as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from dashboard.bench.year import SITE
from spotter.database.tables import AlertRow, UsageSessionRow

PREFIX = "/api/v1"

Post = Callable[[str, str, dict[str, Any]], Any]
"""What measures: (the route as it is written down, the address, the body) -> the answer's document."""


def subjects(connection: Connection, count: int) -> tuple[list[Mapping[str, Any]], list[str]]:
    """So many sessions of kettlebells and alerts, the newest first."""
    row = UsageSessionRow
    query = select(row.id, row.started_at, row.ended_at).where(row.site == SITE, row.equipment == "kettlebell")
    sessions = connection.execute(query.order_by(row.started_at.desc(), row.id).limit(count)).mappings()
    alerts = connection.scalars(
        select(AlertRow.id).where(AlertRow.site == SITE).order_by(AlertRow.raised_at.desc()).limit(count)
    )
    return [dict(one) for one in sessions], list(alerts)


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
