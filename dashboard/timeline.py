"""Sessions as bars over time, in lanes by equipment or by camera, as SVG drawn here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import url_for
from flask_babel import gettext
from markupsafe import Markup, escape

from dashboard.context import Context
from dashboard.language import chosen
from spotter.database.tables import UsageSessionRow

Lanes = Literal["equipment", "camera"]

MOST = 2000
"""Sessions in one picture."""

WIDTH, NAMES, MARGIN, ROW, BAR = 960, 150, 20, 18, 12
LEAST_BAR = 2.0
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Timeline:
    """A picture and what it is of."""

    about: str
    picture: Markup
    count: int


def draw(
    rows: Sequence[UsageSessionRow],
    span: tuple[datetime, datetime],
    context: Context,
    now: datetime,
    lanes: Lanes,
    marked: str | None = None,
) -> Timeline:
    """Bars of sessions from `span`'s begin to its end; `marked` is the id of the one that a page is about."""
    begin, end = span
    scale = (WIDTH - NAMES - MARGIN) / max((end - begin) / timedelta(seconds=1), 1)

    def x(moment: datetime) -> float:
        return NAMES + min(max((moment - begin) / timedelta(seconds=1), 0) * scale, WIDTH - NAMES - MARGIN)

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
        parts.append(f'<text class="label" fill="#56645e" x="0" y="{top + 14}" {_FONT}>{escape(_short(name))}</text>')
        parts.append(f'<path class="grid" stroke="#dde3df" d="M0 {top + height}H{WIDTH}"/>')
        top += height
    grid = [
        f'<path class="grid" stroke="#dde3df" d="M{x(tick):.1f} 18V{top}"/>'
        f'<text class="label" fill="#56645e" text-anchor="middle" x="{x(tick):.1f}" y="13" {_FONT}>{text}</text>'
        for tick, text in _ticks(begin, end, context)
    ]
    about = gettext("%(count)s sessions as bars over time", count=len(rows))
    picture = Markup(  # noqa: S704 - all that others wrote in it is escaped
        f'<svg class="timeline-picture" viewBox="0 0 {WIDTH} {top + 2}" role="group" aria-label="{escape(about)}">'
        f"{''.join(grid)}{''.join(parts)}</svg>"
    )
    return Timeline(about, picture, len(rows))


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
