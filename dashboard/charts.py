"""Charts: what plotly draws, as data for the page, and plotly's own script from its wheel."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from flask import Blueprint, Flask, Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from dashboard.language import chosen
from dashboard.usage_hours import HOURS, EquipmentUse
from spotter.catalog import Catalog

bp = Blueprint("charts", __name__)

_A_YEAR = "public, max-age=31536000, immutable"
"""The address carries the version, so a copy never grows old."""

MOST_SERIES = 8
"""More colours than these can't be told apart; the rest is one series, and the table has every kind."""


def init_app(app: Flask) -> None:
    """Serve plotly's script, and tell templates where."""
    app.register_blueprint(bp)
    app.context_processor(lambda: {"plotly_script": lambda: url_for("charts.plotly_script", release=version("plotly"))})


@bp.get("/assets/plotly-<release>.min.js")
def plotly_script(release: str) -> ResponseReturnValue:
    """Plotly's script; the same for every release asked for, since only this one is installed."""
    packed = request.accept_encodings["gzip"] > 0
    response = Response(_packed_script() if packed else _script(), mimetype="text/javascript")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers.update({"Cache-Control": _A_YEAR, "Vary": "Accept-Encoding"})
    return response


def hours_chart(kinds: list[EquipmentUse], days: int, catalog: Catalog) -> dict[str, Any]:
    """Minutes of use on a day, by hour of day, stacked by kind; series in the order of use."""
    hours = [f"{hour:02d}:00" for hour in range(HOURS)]
    series = [
        {"name": name, "x": hours, "y": [round(seconds / 60 / days, 1) for seconds in by_hour]}
        for name, by_hour in _series(kinds, catalog)
    ]
    title = gettext("Minutes in use") if days == 1 else gettext("Minutes a day")
    return {"kind": "hours", "series": series, "unit": gettext("min"), "y": title}


def totals_chart(kinds: list[EquipmentUse], catalog: Catalog) -> dict[str, Any]:
    """Use in the period for each kind, most used on top; in minutes where hours would all be fractions."""
    most = max((kind.seconds for kind in kinds), default=0.0)
    if most >= 2 * 3600:
        name, unit, seconds = gettext("Hours"), gettext("h"), 3600
    else:
        name, unit, seconds = gettext("Minutes"), gettext("min"), 60
    return {
        "kind": "totals",
        "names": [catalog.name(kind.equipment, chosen()) for kind in kinds],
        "values": [round(kind.seconds / seconds, 2) for kind in kinds],
        "axis": name,
        "unit": unit,
    }


def _series(kinds: list[EquipmentUse], catalog: Catalog) -> list[tuple[str, list[float]]]:
    shown = kinds if len(kinds) <= MOST_SERIES else kinds[: MOST_SERIES - 1]
    series = [(catalog.name(kind.equipment, chosen()), kind.seconds_by_hour) for kind in shown]
    rest = kinds[len(shown) :]
    if rest:
        series.append((gettext("Other"), [sum(kind.seconds_by_hour[hour] for kind in rest) for hour in range(HOURS)]))
    return series


@cache
def _script() -> bytes:
    return files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


@cache
def _packed_script() -> bytes:
    return gzip.compress(_script(), 6)
