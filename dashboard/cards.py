"""Cards: what a piece of equipment is and how it is used. Anybody in the gym may read them, without signing in."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import urlsplit

import segno
from flask import Blueprint, Flask, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.context import current
from dashboard.language import chosen
from dashboard.security import is_loopback
from spotter.catalog import Entry

bp = Blueprint("cards", __name__)

_PICTURES = Path(__file__).with_name("static") / "pictures"
_ANY_PICTURE = "other"


def init_app(app: Flask) -> None:
    """Serve the cards, and let templates ask for pictures."""
    app.register_blueprint(bp)
    app.context_processor(lambda: {"picture_of": picture_of})


@bp.get("/cards")
def index() -> str:
    """All cards."""
    return render_template("cards/index.html", entries=[entry for entry in current().catalog if entry.equipment])


@bp.get("/cards/<label>")
def card(label: str) -> str:
    """One card, made to be read on a phone or printed and put beside the rack."""
    entry = entry_of(label)
    return render_template(
        "cards/card.html", entry=entry, card=entry.card(chosen()), has_code=phone_url(entry) is not None
    )


@bp.get("/cards/<label>/code.svg")
def qr(label: str) -> ResponseReturnValue:
    """The QR code that leads a phone to a card."""
    url = phone_url(entry_of(label))
    if url is None:
        abort(404)
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        drawn, kind="svg", border=2, scale=8, dark="#15201b", light="#ffffff", omitsize=True, xmldecl=False
    )
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


def entry_of(label: str) -> Entry:
    """The catalogue's entry of a kind of equipment; 404 for anything else."""
    entry = current().catalog.get(label)
    if entry is None or not entry.equipment:
        abort(404)
    return entry


def picture_of(label: str) -> str:
    """The address of the picture of a label; of a box for one that nobody has drawn yet."""
    name = label if (_PICTURES / f"{label}.svg").is_file() else _ANY_PICTURE
    return url_for("static", filename=f"pictures/{name}.svg")


def phone_url(entry: Entry) -> str | None:
    """The address at which a phone finds a card; None where this machine has one that only itself can reach."""
    base = current().settings.dashboard.url or request.host_url
    host = urlsplit(base).hostname or ""
    if host == "localhost" or is_loopback(host):
        return None
    return base.rstrip("/") + url_for("cards.card", label=entry.label)
