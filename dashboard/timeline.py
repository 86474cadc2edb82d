"""Sessions as bars over time, in lanes by equipment or by camera; more of them by the hour. As SVG drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal

from flask import url_for
from flask_babel import gettext
from markupsafe import Markup, escape

from dashboard.context import Context
from dashboard.language import chosen
from spotter.database.tables import UsageSessionRow

Lanes = Literal["equipment", "camera"]

MOST = 600
"""Bars in one picture; more than these nobody can tell apart, and no tablet is quick with."""

WIDTH, NAMES, MARGIN, ROW, BAR = 960, 150, 20, 18, 12
LEAST_BAR = 2.0
SHADES = 5
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Timeline:
    """A picture and what it is of."""

    about: str
    picture: Markup
    count: int


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of a lane."""

    name: str
    begin: datetime
    sessions: int
    """That began then."""
    in_use_ms: int
    filter: dict[str, str]
    """What of the sessions page's filter leads to them, beside the time."""


def draw(
    rows: Sequence[UsageSessionRow],
    span: tuple[datetime, datetime],
    context: Context,
    now: datetime,
    lanes: Lanes,
    marked: str | None = None,
    *,
    cut: bool = False,
) -> Timeline:
    """Bars of sessions from `span`'s begin to its end; `marked` is the id of the one that a page is about.

    `cut`: there are more, which are older.
    """
    x = _scale(span)
    # Asked once, and not for each of some thousand bars.
    link, language = url_for("review.session", session="SESSION"), chosen()
    names = {row.equipment: context.catalog.name(row.equipment, language) for row in rows}
    parts, top = [], 22
    for name, of_lane in _lanes(rows, context, lanes):
        levels = _levels(of_lane, now)
        for row, level in levels:
            left, right = x(row.started_at), x(row.ended_at or now)
            said = f"{names[row.equipment]} {row.unit or ''} {_clock(row, context)}"
            place = (left, max(right - left, LEAST_BAR), top + 3 + level * ROW)
            parts.append(_bar(row, link.replace("SESSION", row.id), said, place, row.id == marked))
        height = (1 + max(level for _, level in levels)) * ROW + 6
        parts.append(_lane(name, top, height))
        top += height
    count = len(rows)
    about = (
        gettext("The newest %(count)s sessions as bars over time", count=count)
        if cut
        else gettext("%(count)s sessions as bars over time", count=count)
    )
    return Timeline(about, _picture(about, parts, top, span, context), count)


def draw_hours(hours: Sequence[Hour], span: tuple[datetime, datetime], context: Context) -> Timeline:
    """What was in use by the hour, a lane for each name: of a day with more sessions than bars can show."""
    x, most = _scale(span), max((hour.in_use_ms for hour in hours), default=0)
    parts, top = [], 22
    for name, of_lane in groupby(sorted(hours, key=lambda hour: (hour.name, hour.begin)), lambda hour: hour.name):
        for hour in of_lane:
            begin, end = hour.begin, hour.begin + timedelta(hours=1)
            clock = begin.astimezone(context.zone).strftime("%H:%M")
            counts = {"count": hour.sessions, "minutes": round(hour.in_use_ms / 60_000)}
            told = gettext("%(minutes)s min, sessions: %(count)s", **counts)
            said = f"{name} {clock}: {told}"
            shade = max(1, round(SHADES * hour.in_use_ms / most)) if most else 0
            moments = {"from": begin.astimezone(context.zone), "to": end.astimezone(context.zone)}
            asked: dict[str, Any] = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in moments.items()} | hour.filter
            link = url_for("sessions.index", **asked)
            place = f'x="{x(begin):.1f}" y="{top + 2}" width="{max(x(end) - x(begin) - 1, 1):.1f}" height="{ROW + 2}"'
            parts.append(
                f'<a href="{escape(link)}" tabindex="-1" aria-label="{escape(said)}">'
                f'<rect class="bar hour" fill="#0b7a5e" fill-opacity="{shade / SHADES:g}" {place} rx="2">'
                f"<title>{escape(said)}</title></rect></a>"
            )
        parts.append(_lane(name, top, ROW + 6))
        top += ROW + 6
    count = sum(hour.sessions for hour in hours)
    about = gettext("%(count)s sessions by the hour: the darker, the longer in use", count=count)
    return Timeline(about, _picture(about, parts, top, span, context), count)


def _scale(span: tuple[datetime, datetime]) -> Callable[[datetime], float]:
    """Where a moment is, from the left."""
    begin, end = span
    scale = (WIDTH - NAMES - MARGIN) / max((end - begin) / timedelta(seconds=1), 1)
    return lambda at: NAMES + min(max((at - begin) / timedelta(seconds=1), 0) * scale, WIDTH - NAMES - MARGIN)


def _lane(name: str, top: int, height: int) -> str:
    return (
        f'<text class="label" fill="#56645e" x="0" y="{top + 14}" {_FONT}>{escape(_short(name))}</text>'
        f'<path class="grid" stroke="#dde3df" d="M0 {top + height}H{WIDTH}"/>'
    )


def _picture(about: str, parts: list[str], top: int, span: tuple[datetime, datetime], context: Context) -> Markup:
    x = _scale(span)
    grid = [
        f'<path class="grid" stroke="#dde3df" d="M{x(tick):.1f} 18V{top}"/>'
        f'<text class="label" fill="#56645e" text-anchor="middle" x="{x(tick):.1f}" y="13" {_FONT}>{text}</text>'
        for tick, text in _ticks(*span, context)
    ]
    return Markup(  # noqa: S704 - all that others wrote in it is escaped
        f'<svg class="timeline-picture" viewBox="0 0 {WIDTH} {top + 2}" role="group" aria-label="{escape(about)}">'
        f"{''.join(grid)}{''.join(parts)}</svg>"
    )


def _lanes(rows: Iterable[UsageSessionRow], context: Context, lanes: Lanes) -> list[tuple[str, list[UsageSessionRow]]]:
    found: dict[str, list[UsageSessionRow]] = {}
    for row in rows:
        names = row.cameras if lanes == "camera" else [row.unit or context.catalog.name(row.equipment, chosen())]
        for name in names:
            found.setdefault(name, []).append(row)
    return sorted(found.items())


def _levels(rows: Iterable[UsageSessionRow], now: datetime) -> list[tuple[UsageSessionRow, int]]:
    """Each session with the first level of its lane on which none before it is still going on."""
    ends: list[datetime] = []
    placed = []
    for row in sorted(rows, key=lambda row: (row.started_at, row.id)):
        level = next((i for i, end in enumerate(ends) if end <= row.started_at), len(ends))
        ends[level : level + 1] = [row.ended_at or now]
        placed.append((row, level))
    return placed


def _clock(row: UsageSessionRow, context: Context) -> str:
    moments = (moment.astimezone(context.zone) for moment in (row.started_at, row.ended_at) if moment)
    return " – ".join(f"{at:%H:%M:%S}" for at in moments)  # noqa: RUF001


def _bar(row: UsageSessionRow, link: str, said: str, place: tuple[float, float, int], is_marked: bool) -> str:
    x, width, y = place
    kind = "bar marked" if is_marked else "bar" if row.ended_at else "bar open"
    return (
        f'<a href="{escape(link)}" tabindex="-1" aria-label="{escape(said)}">'
        f'<rect class="{kind}" fill="#0b7a5e" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2">'
        f"<title>{escape(said)}</title></rect></a>"
    )


def _ticks(begin: datetime, end: datetime, context: Context) -> list[tuple[datetime, str]]:
    """Round local times, at most 13 of them."""
    minutes = next(m for m in (5, 10, 15, 30, 60, 120, 180, 360, 1440) if (end - begin) <= timedelta(minutes=13 * m))
    step, local = timedelta(minutes=minutes), begin.astimezone(context.zone)
    offset = local.utcoffset() or timedelta()
    since = (begin - datetime(1970, 1, 1, tzinfo=begin.tzinfo)) + offset
    tick = begin + (-since % step)
    found = []
    while tick <= end:
        found.append((tick, tick.astimezone(context.zone).strftime("%H:%M")))
        tick += step
    return found


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
