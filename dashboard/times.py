"""Times as people of the gym read them: the gym's own zone, days that may have 23 or 25 hours, spoken lengths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from babel.dates import format_date
from flask_babel import gettext

from dashboard.language import chosen

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""Between them lies every day that somebody may ask for."""

_WEEK_MINUTES = 7 * 24 * 60


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(timezone.utc)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The gym's calendar day at a moment."""
    return moment.astimezone(zone).date()


def parse_local(text: str, zone: ZoneInfo, *, end: bool) -> datetime | None:
    """The moment, in UTC, of a day (``2026-11-22``) or local time (``2026-11-22T18:00``) that a person typed.

    As the `end` of a range, a day counts whole, and of a time that the clocks show twice the later one is meant.
    None for anything else, and for years in which no gym was watched.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        return None
    if len(text) == len("2026-11-22"):
        return day_start(local.date() + timedelta(days=1) if end else local.date(), zone)
    if local.tzinfo is not None:
        return local.astimezone(timezone.utc)
    return local.replace(tzinfo=zone, fold=1 if end else 0).astimezone(timezone.utc)


def as_typed(moment: datetime, zone: ZoneInfo) -> str:
    """The local minute of a moment as fields for times hold it, and `parse_local` reads it: ``2026-11-22T18:04``."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def length(seconds: float) -> str:
    """A stretch of time in words of two units: ``45 s``, ``12 min 5 s``, ``3 h 20 min``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, over = divmod(minutes, 60)
    if not minutes:
        return str(gettext("%(seconds)s s", seconds=rest))
    if hours:
        said = (
            gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=over)
            if over
            else gettext("%(hours)s h", hours=hours)
        )
    elif rest:
        said = gettext("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)
    else:
        said = gettext("%(minutes)s min", minutes=minutes)
    return str(said)


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """``18:04:10`` in the gym's zone."""
    return moment.astimezone(zone).strftime("%H:%M:%S")


def iso_texts(zone: ZoneInfo) -> Callable[[int], str]:
    """What turns milliseconds since 1970 into ``2026-11-22T18:04:10+01:00``, for files of many rows.

    The zone is asked once for each minute. Several times as fast as `fromtimestamp` and `isoformat`, which it agrees
    with wherever clocks change on a whole minute.
    """
    patterns: dict[int, str] = {}

    def text(moment: int) -> str:
        minute, rest = divmod(moment, 60_000)
        pattern = patterns.get(minute)
        if pattern is None:
            if len(patterns) == _WEEK_MINUTES:
                patterns.clear()  # a file may be of years
            local = datetime.fromtimestamp(minute * 60, zone).isoformat(timespec="seconds")
            pattern = patterns[minute] = f"{local[:17]}%02d{local[19:]}"
        return pattern % (rest // 1000)

    return text


def spoken_day(day: date, today: date) -> str:
    """``Today``, ``Yesterday``, or ``Sat 21 Nov 2026``."""
    if day == today:
        return str(gettext("Today"))
    if day == today - timedelta(days=1):
        return str(gettext("Yesterday"))
    return long_day(day)


def long_day(day: date) -> str:
    """``Sat 21 Nov 2026``."""
    # Translators: a pattern of Unicode's date symbols, as is the next one.
    return format_date(day, gettext("EEE d MMM y"), locale=chosen())


def weekday(day: date) -> str:
    """``Sat``."""
    return format_date(day, gettext("EEE"), locale=chosen())
