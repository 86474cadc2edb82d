"""What is worth knowing, as a sentence and a link to its evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import gettext

from dashboard.equipment import words
from dashboard.times import length, spoken_day
from dashboard.today.worth import Thing

Name = Callable[[str], str]
"""What a label is called in the language of the one who reads."""


class Said(NamedTuple):
    """A thing as the page says it."""

    kind: str
    text: str
    evidence: str
    """Where it can be seen."""


def say(thing: Thing, name: Name, today: date) -> Said:
    """A thing worth knowing, in a sentence."""
    what = thing.unit or (name(thing.equipment) if thing.equipment else "")
    return Said(thing.kind, _text(thing, what, today), _evidence(thing, today))


def _text(thing: Thing, what: str, today: date) -> str:
    when = ""
    if thing.day is not None and thing.hour is not None:
        when = f"{spoken_day(thing.day, today)} {words.hour(thing.hour)}"
    values: dict[str, Any] = {
        "what": what,
        "when": when,
        "share": words.percent(abs(thing.share)),
        "time": length(thing.ms / 1000),
        "days": thing.ms // (24 * 3_600_000),
    }
    if thing.kind == "unusual":
        if thing.share > 0:
            return str(gettext("Today is busier than usual: %(share)s more use so far.", **values))
        return str(gettext("Today is quieter than usual: %(share)s less use so far.", **values))
    texts = {
        "all_taken": lambda: gettext("%(what)s: all were taken %(share)s of the time (%(when)s).", **values),
        "queue": lambda: gettext("%(what)s: people waited %(time)s altogether (%(when)s).", **values),
        "missing": lambda: gettext("%(what)s: missing from its rack.", **values),
        "maintenance_due": lambda: gettext("%(what)s: due for service.", **values),
        "in_service": lambda: gettext("%(what)s: in service for %(days)s days.", **values),
        "idle": lambda: gettext("%(what)s: not used for a week, though others of its type were.", **values),
    }
    return str(texts[thing.kind]())


def _evidence(thing: Thing, today: date) -> str:
    if thing.kind in ("missing", "maintenance_due"):
        return url_for("alerts.index", kind=thing.kind, _anchor=f"alert-{thing.alert}")
    if thing.kind == "unusual" or thing.equipment is None:
        against = (today - timedelta(weeks=1)).isoformat()
        return url_for("equipment.index", period="today", against=against, _anchor="hours")
    if thing.unit is not None:
        return url_for("equipment.card", label=thing.equipment, unit=thing.unit, period="7d")
    days: dict[str, Any] = {"from": str(thing.day), "to": str(thing.day)}
    return url_for("equipment.card", label=thing.equipment, **days, _anchor="day")
