"""The layout pages: versions with who and when, and one camera's zones to draw."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from pydantic import BaseModel, ConfigDict, ValidationError

from dashboard import database
from dashboard.auth import somebody
from dashboard.context import current
from dashboard.language import chosen, mark
from dashboard.layouts import documents
from dashboard.layouts.documents import ZonesError
from dashboard.people import audit
from spotter.database import layouts
from spotter.database.layouts import Document, OutdatedError, StoredLayout

bp = Blueprint("layouts", __name__, url_prefix="/layout")

KINDS = {
    "station": mark("Station: fixed equipment"),
    "rack": mark("Rack: the home of portable kit"),
    "floor": mark("Floor: where kit is used"),
    "walkway": mark("Walkway: nothing may lie here"),
    "waiting": mark("Waiting: people queue here"),
    "kiosk": mark("Kiosk: items are held up here"),
}
SOURCES = {
    "settings": mark("from the settings file"),
    "import": mark("imported"),
    "dashboard": mark("drawn here"),
}
STATIONS = ("bench", "bike", "cable_machine", "elliptical", "power_rack", "rower", "smith_machine", "treadmill")
"""Offered as equipment of stations; any other name will do."""

MOST_SHOWN = 50


class Drawing(BaseModel):
    """A camera's zones, and the version that they are a change of (0: of the settings file)."""

    model_config = ConfigDict(extra="forbid")

    version: int
    zones: dict[str, Any]


@bp.get("")
def index() -> ResponseReturnValue:
    """Cameras with their zones, and all versions."""
    context, connection = current(), database.session().connection()
    found = layouts.versions(connection, context.settings.site)
    in_force = layouts.in_force(connection, context.settings.site)
    older: list[StoredLayout | None] = [*found[1:], None][: len(found)]
    shown = [
        {
            "known": known,
            "made": known.created_at.astimezone(context.zone),
            "applied": known.applied_at.astimezone(context.zone) if known.applied_at else None,
            "source": gettext(SOURCES.get(known.source, known.source)),
            "changes": documents.changes(before.document if before else None, known.document),
        }
        for known, before in zip(found, older, strict=True)
    ]
    newest = _document(found[0] if found else None)
    cameras = [{"name": name, "zones": newest["cameras"].get(name, {})} for name in _cameras(newest)]
    return render_template(
        "layouts/index.html", cameras=cameras, versions=shown[:MOST_SHOWN], in_force=in_force, kinds=_kinds()
    )


@bp.get("/<camera>")
def editor(camera: str) -> ResponseReturnValue:
    """One camera's zones."""
    context = current()
    newest = layouts.newest(database.session().connection(), context.settings.site)
    document = _document(newest)
    if camera not in _cameras(document):
        abort(404)
    names = {entry.label: entry.card(chosen()).name for entry in context.catalog}
    work = {
        "camera": camera,
        "version": newest.version if newest else 0,
        "zones": document["cameras"].get(camera, {}),
        "units": sorted(documents.units(document)),
        "kit": [[e.label, e.card(chosen()).name] for e in context.catalog if e.equipment],
        "names": names,
        "save": url_for("layouts.save", camera=camera),
        "overview": url_for("layouts.index"),
        "events": url_for("live.events"),
        "state": url_for("live.state"),
        "login": url_for("auth.login"),
        "preview": url_for("live.preview", site=context.settings.site, camera=camera),
    }
    return render_template("layouts/editor.html", camera=camera, work=work, kinds=_kinds(), stations=STATIONS)


@bp.put("/<camera>")
def save(camera: str) -> ResponseReturnValue:
    """Keep a camera's zones as a new version of the layout."""
    context = current()
    newest = layouts.newest(database.session().connection(), context.settings.site)
    document = _document(newest)
    if camera not in _cameras(document):
        abort(404)
    try:
        drawing = Drawing.model_validate_json(request.get_data())
        changed = documents.with_camera(document, camera, drawing.zones)
    except ValidationError:
        return {"problems": [gettext("Those zones were not understood; load the page again.")]}, 422
    except ZonesError as error:
        return {"problems": error.problems}, 422
    try:
        version = layouts.replace(
            context.engine, context.settings.site, drawing.version, changed, "dashboard", somebody().name
        )
    except OutdatedError as error:
        by = error.newest.created_by or gettext("somebody")
        said = gettext("%(name)s saved version %(version)s meanwhile.", name=by, version=error.newest.version)
        return {"problems": [f"{said} {gettext('Load the page again to see it; yours is not saved.')}"]}, 409
    _recorded("layout_saved", camera, version)
    return {"version": version}


@bp.post("/versions/<int:number>/restore")
def restore(number: int) -> ResponseReturnValue:
    """Make an earlier version the newest again, as a version of its own."""
    context = current()
    found = layouts.versions(database.session().connection(), context.settings.site)
    wanted = next((known for known in found if known.version == number), None)
    if wanted is None:
        abort(404)
    version = layouts.add(context.engine, context.settings.site, wanted.document, "dashboard", somebody().name)
    if version != found[0].version:
        _recorded("layout_restored", str(number), version)
        flash(gettext("Version %(version)s is as version %(old)s was.", version=version, old=number), "info")
    else:
        flash(gettext("That is how it is already."), "info")
    return redirect(url_for("layouts.index"))


def _document(newest: StoredLayout | None) -> Document:
    return newest.document if newest else documents.of_settings(current().settings)


def _cameras(document: Document) -> list[str]:
    """Those of the settings, then others that the layout knows."""
    own = current().settings.cameras
    return [*own, *sorted(document["cameras"].keys() - own.keys())]


def _kinds() -> dict[str, str]:
    return {kind: gettext(text) for kind, text in KINDS.items()}


def _recorded(action: str, subject: str, version: int) -> None:
    opened = database.session()
    audit.record(opened, current().settings.site, somebody().name, action, subject, version=version)
    opened.commit()
