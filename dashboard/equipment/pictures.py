"""The charts of the equipment pages, each with the figures in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from flask_babel import gettext

from dashboard import charts
from dashboard.charts import SERIES, Chart
from dashboard.equipment.figures import Figures, Limits, Week, by_hour_of_day
from dashboard.equipment.overview import Kind, Site, Unit, availability_rows
from dashboard.equipment.words import UNKNOWN, percent
from dashboard.times import weekday
from spotter.catalog import Catalog, Language

HOURS = tuple(f"{hour:02d}:00" for hour in range(24))


def hours(kinds: list[Kind], days: int, catalog: Catalog, language: Language, coverage: float | None) -> Chart:
    """Minutes in use on a day by hour of the day, a series a type."""
    title = gettext("Minutes in use by hour of the day")
    minutes = {kind.equipment: [one.in_use_ms / 60000 / days for one in kind.hours] for kind in kinds}
    shown = kinds if len(kinds) <= len(SERIES) else kinds[: len(SERIES) - 1]
    series = [(catalog.name(kind.equipment, language), minutes[kind.equipment]) for kind in shown]
    rest = [minutes[kind.equipment] for kind in kinds[len(shown) :]]
    if rest:
        series.append((gettext("Other"), [sum(values) for values in zip(*rest, strict=True)]))
    return Chart(
        "hours",
        title,
        gettext("On an average day, all pieces of a type added together."),
        charts.columns(title, HOURS, series, gettext("min")),
        (
            ("hour", gettext("Hour")),
            *((kind.equipment, catalog.name(kind.equipment, language)) for kind in kinds),
            ("all", gettext("All")),
        ),
        tuple(
            (HOURS[at], *(round(minutes[kind.equipment][at], 1) for kind in kinds), round(sum(column), 1))
            for at, column in enumerate(zip(*minutes.values(), strict=True))
        ),
        coverage,
    )


def totals(kinds: list[Kind], catalog: Catalog, language: Language, coverage: float | None) -> Chart:
    """Hours in use of each type, most used first."""
    title, names = gettext("Hours in use by type"), [catalog.name(kind.equipment, language) for kind in kinds]
    values = [kind.figures.seconds / 3600 for kind in kinds]
    return Chart(
        "totals",
        title,
        gettext("Time in use in the whole period."),
        charts.bars(title, names, values, gettext("h")),
        (
            ("equipment", gettext("Equipment")),
            ("hours", gettext("Hours")),
            ("sessions", gettext("Sessions")),
            ("coverage", gettext("Seen")),
        ),
        tuple(
            (name, round(value, 2), kind.figures.sessions, _rounded(kind.figures.coverage))
            for name, value, kind in zip(names, values, kinds, strict=True)
        ),
        coverage,
    )


def availability(week: Week, limits: Limits, coverage: float | None) -> Chart:
    """How much was free, by weekday and hour of the day."""
    title = gettext("Free, in percent, by weekday and hour")
    shares, days = availability_rows(week), _weekdays()
    low, high = round(limits.low * 100), round(limits.high * 100)
    legend = (
        ("short-2", gettext("under %(low)s %%: too few", low=low)),
        ("healthy", gettext("%(low)s to %(high)s %%, framed: healthy", low=low, high=high)),
        ("plenty-2", gettext("over %(high)s %%: plenty", high=high)),
        ("unseen", gettext("not seen")),
    )
    return Chart(
        "availability",
        title,
        gettext("The share of unit-time that was not in use: what a member who comes then finds."),
        charts.heatmap(title, days, shares, limits, legend, gettext("not seen")),
        (
            ("weekday", gettext("Day")),
            ("hour", gettext("Hour")),
            ("available", gettext("Free")),
            ("coverage", gettext("Seen")),
        ),
        tuple(
            (days[day], HOURS[hour], _rounded(share), _rounded(week.get((day, hour), Figures()).coverage))
            for day, row in enumerate(shares)
            for hour, share in enumerate(row)
        ),
        coverage,
    )


def day(week: Week, other: Week | None, days: int, other_days: int, coverage: float | None) -> Chart:
    """One type's or unit's minutes in use on a day by hour, over those of another time."""
    title = gettext("Minutes in use by hour of the day")
    now = [one.in_use_ms / 60000 / days for one in by_hour_of_day(week)]
    then = [one.in_use_ms / 60000 / other_days for one in by_hour_of_day(other)] if other is not None else None
    compared = gettext("compared with")
    return Chart(
        "day",
        title,
        gettext("On an average day of the period."),
        charts.columns(
            title, HOURS, [(gettext("this time"), now)], gettext("min"), (compared, then) if then is not None else None
        ),
        (("hour", gettext("Hour")), ("minutes", gettext("min")), *((("compared", compared),) if then else ())),
        tuple((HOURS[at], round(now[at], 1), *((round(then[at], 1),) if then else ())) for at in range(24)),
        coverage,
    )


def units(found: Sequence[Unit], coverage: float | None) -> Chart:
    """Hours in use of each unit."""
    title, names = gettext("Hours in use by unit"), [one.unit or one.zone or UNKNOWN for one in found]
    values = [one.figures.seconds / 3600 for one in found]
    return Chart(
        "units",
        title,
        gettext("Time in use in the whole period."),
        charts.bars(title, names, values, gettext("h")),
        (
            ("unit", gettext("Unit")),
            ("hours", gettext("Hours")),
            ("sessions", gettext("Sessions")),
            ("median_seconds", gettext("Usual session")),
            ("queue_seconds", gettext("Waiting")),
            ("hours_since_service", gettext("Since service")),
            ("coverage", gettext("Seen")),
        ),
        tuple(
            (
                name,
                round(value, 2),
                one.figures.sessions,
                _rounded(one.median_seconds),
                round(one.figures.queue_ms / 1000),
                _rounded(one.hours_since_service),
                _rounded(one.figures.coverage),
            )
            for name, value, one in zip(names, values, found, strict=True)
        ),
        coverage,
    )


def sites(found: Sequence[Site]) -> Chart:
    """Hours in use of each site."""
    title, values = gettext("Hours in use by site"), [one.figures.seconds / 3600 for one in found]
    return Chart(
        "sites",
        title,
        gettext("The same days, by each gym's own clocks."),
        charts.bars(title, [one.site for one in found], values, gettext("h")),
        (
            ("site", gettext("Site")),
            ("hours", gettext("Hours")),
            ("sessions", gettext("Sessions")),
            ("median_seconds", gettext("Usual session")),
            ("queue_seconds", gettext("Waiting")),
            ("available_at_peak", gettext("Free at peak")),
            ("coverage", gettext("Seen")),
        ),
        tuple(
            (
                one.site,
                round(value, 2),
                one.figures.sessions,
                _rounded(one.median_seconds),
                round(one.figures.queue_ms / 1000),
                percent(one.hint.peak.figures.availability) if one.hint.peak else UNKNOWN,
                _rounded(one.figures.coverage),
            )
            for one, value in zip(found, values, strict=True)
        ),
        None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _weekdays() -> list[str]:
    monday = date(2024, 1, 1)
    return [weekday(monday + timedelta(days=number)) for number in range(7)]
