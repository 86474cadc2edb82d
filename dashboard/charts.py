"""Charts as SVG drawn here: the same picture in a page, on paper and as a file, without a script.

Every shape has a class, by which the page colours it for light and dark, and the light colour itself, for where the
page's styles are not. Texts are plain text; figures are in the chart's own table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from dashboard.sessions import safe_cell

SERIES = ("#0b7a5e", "#3b6fc4", "#c9781a", "#9a52b0", "#b5404f", "#3f8f9c", "#7c7a2c", "#6b62c9")
"""More colours than these can't be told apart; the rest is one series, and the table has all."""

_COLOURS = {
    "label": "#56645e",
    "ink": "#15201b",
    "grid": "#dde3df",
    "usual": "#56645e",
    "unseen": "#eceeec",
    "short-2": "#e58a7f",
    "short-1": "#f5c7bf",
    "healthy": "#a5d9b8",
    "plenty-1": "#d5e4f7",
    "plenty-2": "#edf3fb",
    **{f"series-{number}": colour for number, colour in enumerate(SERIES)},
}

WIDTH = 760
_FONT = 'font-family="system-ui, sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the figures in it."""

    name: str
    title: str
    about: str
    picture: Markup
    columns: tuple[tuple[str, str], ...]
    """(name in the file, heading on the page)"""
    rows: tuple[tuple[object, ...], ...]
    coverage: float | None
    """Share of the time that cameras really covered; None where nothing could be."""

    def csv(self) -> str:
        """The figures as a file."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow([name for name, _ in self.columns])
        for row in self.rows:
            writer.writerow([value if isinstance(value, int | float) else safe_cell(value) for value in row])
        return buffer.getvalue()


class Drawing:
    """An SVG picture under way. Lengths are its own units, `WIDTH` of them across."""

    def __init__(self, height: float, title: str, width: float = WIDTH) -> None:
        self._size, self._title = (width, height), title
        self._parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> None:
        """A filled rectangle; `tip` shows under the pointer."""
        said = f"<title>{escape(tip)}</title>" if tip else ""
        self._parts.append(
            f'<rect class="k-{kind}" fill="{_COLOURS[kind]}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}"'
            f' height="{max(height, 0):.1f}">{said}</rect>'
        )

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """A rectangle's edge."""
        self._parts.append(
            f'<rect class="k-frame" fill="none" stroke="{_COLOURS["ink"]}" stroke-width="1.5" x="{x:.1f}" y="{y:.1f}"'
            f' width="{width:.1f}" height="{height:.1f}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], kind: str = "grid", wide: float = 1) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline class="k-{kind}-line" fill="none" stroke="{_COLOURS[kind]}" stroke-width="{wide}"'
            f' points="{path}"/>'
        )

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "label") -> None:
        """A line of text, `y` being its baseline."""
        self._parts.append(
            f'<text class="k-{kind}" fill="{_COLOURS[kind]}" x="{x:.1f}" y="{y:.1f}"'
            f' text-anchor="{anchor}">{escape(text)}</text>'
        )

    def legend(self, entries: Iterable[tuple[str, str]], y: float, x: float = 0) -> float:
        """(kind, name) in a row, broken where it is full; gives where the row below would be."""
        left = x
        for kind, name in entries:
            # Korean letters are twice as wide.
            wide = 26 + sum(13 if ord(letter) > 0x1100 else 7 for letter in name)
            if left > x and left + wide > self._size[0]:
                left, y = x, y + 18
            self.box(left, y - 10, 12, 12, kind)
            self.text(left + 17, y, name)
            left += wide
        return y + 18

    def done(self) -> Markup:
        """The picture."""
        width, height = self._size
        return Markup(  # noqa: S704 - every text in it was escaped
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
            f' height="{height:g}" role="img" aria-label="{escape(self._title)}" {_FONT}>{"".join(self._parts)}</svg>'
        )


def columns(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    unit: str,
    line: tuple[str, Sequence[float]] | None = None,
) -> Markup:
    """Stacked columns, one a label, and a `line` over them to compare with."""
    stacked = [sum(values[at] for _, values in series) for at in range(len(labels))]
    top, step = _scale(max([*stacked, *(line[1] if line else ()), 0.0]))
    rows = 18 * (1 + len(series) // 5)
    drawing, left, head, tall = Drawing(rows + 256, title), 52, rows + 24, 200
    kinds = [f"series-{number % len(SERIES)}" for number in range(len(series))]
    entries = list(zip(kinds, (name for name, _ in series), strict=True))
    drawing.legend([*entries, *([("usual", line[0])] if line else [])], 12)
    for number in range(round(top / step) + 1):
        y = head + tall - tall * number * step / top
        drawing.line([(left, y), (WIDTH, y)])
        drawing.text(left - 6, y + 4, f"{number * step:g}", "end")
    wide = (WIDTH - left) / len(labels)
    for at, label in enumerate(labels):
        x, y = left + wide * at, float(head + tall)
        for kind, (name, values) in zip(kinds, series, strict=True):
            high = tall * values[at] / top
            y -= high
            if high > 0:
                drawing.box(x + wide * 0.12, y, wide * 0.76, high, kind, f"{label} {name}: {values[at]:.1f} {unit}")
        if len(labels) <= 12 or at % 3 == 0:
            drawing.text(x + wide / 2, head + tall + 18, label, "middle")
    if line:
        points = [(left + wide * (at + 0.5), head + tall - tall * value / top) for at, value in enumerate(line[1])]
        drawing.line(points, "usual", 2.5)
    drawing.text(left - 6, head - 14, unit, "end")
    return drawing.done()


def bars(title: str, names: Sequence[str], values: Sequence[float], unit: str) -> Markup:
    """A bar across for each name."""
    high, left = 26, 190
    drawing, top = Drawing(high * max(1, len(names)) + 6, title), max([*values, 0.0]) or 1.0
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        y = number * high + 4
        drawing.text(left - 8, y + 14, name, "end", "ink")
        drawing.box(left, y, (WIDTH - left - 90) * value / top, high - 8, "series-0", f"{name}: {value:.1f} {unit}")
        drawing.text(left + (WIDTH - left - 90) * value / top + 6, y + 14, f"{value:,.1f} {unit}")
    return drawing.done()


def heatmap(
    title: str,
    weekdays: Sequence[str],
    shares: Sequence[Sequence[float | None]],
    limits: tuple[float, float],
    legend: Sequence[tuple[str, str]],
    unseen: str,
) -> Markup:
    """Shares of 0 to 1, a row of 24 hours for each weekday; those within `limits` are framed."""
    left, high, wide = 52, 26, (WIDTH - 52) / 24
    drawing = Drawing(high * len(weekdays) + 60, title)
    for hour in range(0, 24, 3):
        drawing.text(left + wide * hour, 14, f"{hour:02d}:00")
    for number, (weekday, row) in enumerate(zip(weekdays, shares, strict=True)):
        y = 22 + high * number
        drawing.text(left - 8, y + 17, weekday, "end", "ink")
        for hour, share in enumerate(row):
            x, said = left + wide * hour, unseen if share is None else f"{round(share * 100)} %"
            drawing.box(x + 0.5, y + 0.5, wide - 1, high - 1, heat(share, limits), f"{weekday} {hour:02d}:00: {said}")
            if share is None:
                continue
            if limits[0] <= share <= limits[1]:
                drawing.frame(x + 1.5, y + 1.5, wide - 3, high - 3)
            drawing.text(x + wide / 2, y + 17, str(round(share * 100)), "middle", "ink")
    drawing.legend(legend, 22 + high * len(weekdays) + 20, left)
    return drawing.done()


def heat(share: float | None, limits: tuple[float, float]) -> str:
    """The colour of an availability."""
    low, high = limits
    if share is None:
        return "unseen"
    if share < low:
        return "short-2" if share < low / 2 else "short-1"
    if share <= high:
        return "healthy"
    return "plenty-1" if share < (1 + high) / 2 else "plenty-2"


def _scale(most: float) -> tuple[float, float]:
    """(top, step) of an axis with about five round steps."""
    if most <= 0:
        return 1.0, 1.0
    raw = most / 5
    power = 10 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return step * ceil(most / step - 1e-9), step
