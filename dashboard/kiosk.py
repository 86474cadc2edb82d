"""The kiosk: a tablet's full screen that follows one camera and shows the card of what is held up to it."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale

from dashboard.cards import phone_url
from dashboard.context import current
from dashboard.language import NAMES, chosen
from dashboard.live.views import answer_stream, current_state

bp = Blueprint("kiosk", __name__, url_prefix="/kiosk")


def cameras() -> tuple[list[str], list[str]]:
    """Cameras with a kiosk zone, and those without any zone, which name what is in their middle as well."""
    known = current().settings.cameras
    kiosks = [name for name, camera in known.items() if any(zone.kind == "kiosk" for zone in camera.zones.values())]
    return kiosks, [name for name, camera in known.items() if not camera.zones]


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
    if camera not in current().settings.cameras:
        abort(404)
