"""Figures in the words of the one who reads: shares, changes, and what a hint says with its reasons."""

from __future__ import annotations

from flask_babel import gettext, ngettext

from dashboard.equipment.figures import Figures, Hint, change
from dashboard.language import mark
from dashboard.times import length

VERDICTS = {
    "buy": mark("Too few"),
    "enough": mark("Enough"),
    "too_many": mark("More than needed"),
    "unknown": mark("Not known yet"),
}
"""As a chip says it."""

CHIPS = {"buy": "chip-bad", "enough": "chip-ok", "too_many": "chip-warn", "unknown": "chip-plain"}


UNKNOWN = "\u2013"


def percent(share: float | None) -> str:
    """``43 %``; a dash for what is not known."""
    return UNKNOWN if share is None else f"{round(share * 100)} %"


def hour(of_day: int) -> str:
    """``18:00`` to ``19:00``."""
    return f"{of_day:02d}:00\u2013{(of_day + 1) % 24:02d}:00"


def changed(now: float, before: float) -> str:
    """``+12 %``; empty where there was nothing before."""
    grown = change(now, before)
    return "" if grown is None else f"{round(grown * 100):+d} %".replace("-", "\u2212")


def reason(hint: Hint) -> str:
    """What a hint follows from."""
    if hint.peak is None:
        return str(gettext("Not used in this time."))
    at, figures = hour(hint.peak.hour), hint.peak.figures
    if hint.verdict == "unknown":
        return str(
            gettext(
                "Cameras saw %(share)s of the busiest hour (%(hour)s): too little to say.",
                share=percent(figures.coverage),
                hour=at,
            )
        )
    busy = gettext(
        "In the busiest hour (%(hour)s) %(busy)s of %(pieces)s are in use on average: %(free)s free.",
        hour=at,
        busy=f"{hint.busy:.1f}",
        pieces=hint.pieces,
        free=percent(figures.availability),
    )
    if hint.verdict == "enough":
        return f"{busy} {_waited(figures)}".strip()
    if hint.verdict == "buy":
        more = ngettext(
            "One more would leave %(then)s.", "%(num)d more would leave %(then)s.", hint.change, then=percent(hint.then)
        )
    else:
        more = ngettext(
            "With one less %(then)s would be free.",
            "With %(num)d less %(then)s would be free.",
            hint.change,
            then=percent(hint.then),
        )
    return f"{busy} {more} {_waited(figures)}".strip()


def _waited(figures: Figures) -> str:
    if figures.queue_ms < 60_000:
        return ""
    return str(gettext("People waited %(time)s in that hour, all days together.", time=length(figures.queue_ms / 1000)))
