"""The kiosk: a tablet's full screen that follows one camera and shows the card of what is held up to it."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale

from dashboard import auth, database, floor
from dashboard.cards import phone_url
from dashboard.context import current
from dashboard.language import NAMES, chosen
from dashboard.live.views import answer_stream, current_state
from spotter.settings import Zone

bp = Blueprint("kiosk", __name__, url_prefix="/kiosk")


def init_app(app: Flask) -> None:
    """Lead a tablet that opens the bare address to its kiosk. To be called before rights are asked for."""
    app.before_request(_lead_home)


def cameras() -> tuple[list[str], list[str]]:
    """Cameras with a kiosk zone, and those without any zone, which name what is in their middle as well."""
    known = _zones()
    kiosks = [name for name, zones in known.items() if any(zone.kind == "kiosk" for zone in zones.values())]
    return kiosks, [name for name, zones in known.items() if not zones]


@bp.get("")
def index() -> ResponseReturnValue:
    """Straight to the kiosk where there is one; else a choice, and how to make one."""
    kiosks, others = cameras()
    if len(kiosks) == 1:
        return redirect(url_for("kiosk.page", camera=kiosks[0]))
    return render_template("kiosk/choose.html", kiosks=kiosks, others=others)


@bp.get("/<camera>")
def page(camera: str) -> str:
    """The screen, with every card in every language in it, so that an answer shows without another request."""
    _check(camera)
    context = current()
    entries = [entry for entry in context.catalog if entry.equipment]
    screens = {}
    for code in NAMES:
        with force_locale(code):
            screens[code] = render_template(
                "kiosk/screens.html",
                entries=entries,
                code=code,
                phone_url=phone_url,
            )
    places = {
        "events": url_for("kiosk.events", camera=camera),
        "state": url_for("kiosk.state", camera=camera),
        "login": url_for("auth.login"),
    }
    return render_template("kiosk/kiosk.html", camera=camera, screens=screens, places=places, shown=chosen())


@bp.get("/<camera>/events")
def events(camera: str) -> ResponseReturnValue:
    """Server-sent events of one camera alone: `held` and `camera`, as on the live page."""
    _check(camera)
    return answer_stream(_keys(camera))


@bp.get("/<camera>/state")
def state(camera: str) -> ResponseReturnValue:
    """The same as one document."""
    _check(camera)
    return current_state(_keys(camera))


def _keys(camera: str) -> frozenset[str]:
    return frozenset((f"held:{camera}", f"camera:{camera}"))


def _check(camera: str) -> None:
    if camera not in _zones():
        abort(404)


def _zones() -> dict[str, dict[str, Zone]]:
    return floor.zones_of_cameras(database.session().connection(), current().settings)


def _lead_home() -> ResponseReturnValue | None:
    """An installed page begins at the first page, and an error leads there: a kiosk's is another one."""
    user = auth.person() if request.endpoint == "today.page" else None
    return redirect(auth.home(user.role)) if user is not None and user.role == "kiosk" else None
