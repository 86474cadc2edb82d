"""The labelling pages: sets of pictures, and one picture with its boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import structlog
from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dashboard import database
from dashboard.auth import somebody
from dashboard.context import current
from dashboard.identify import namer_of
from dashboard.labelling import sets
from dashboard.labelling.sets import SET_NAME, Box, ConflictError, LabelSet, SetError, State
from dashboard.language import chosen
from dashboard.naming import BusyError, NotAPictureError
from dashboard.people import audit
from dashboard.said import said_here
from spotter.errors import WeightsError

log = structlog.get_logger()

bp = Blueprint("labelling", __name__, url_prefix="/labels")

FOLDER = "labelling"
MOST_BOXES = 500
PAGE_PICTURES = 60
LEAST_SIDE = 0.001
SUGGESTED_FROM = 0.25
"""Score: fainter boxes are more often wrong than right, and deleting costs a click, too."""


class DrawnBox(BaseModel):
    """A box as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    label: str
    box: tuple[
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
    ]

    @model_validator(mode="after")
    def _has_a_size(self) -> DrawnBox:
        x1, y1, x2, y2 = self.box
        if x2 - x1 < LEAST_SIDE or y2 - y1 < LEAST_SIDE:
            raise ValueError("a box must have a width and a height")
        return self


class Drawing(BaseModel):
    """All boxes of a picture, and the version that they replace."""

    model_config = ConfigDict(extra="forbid")

    boxes: Annotated[list[DrawnBox], Field(max_length=MOST_BOXES)]
    version: str


@bp.get("")
def index() -> ResponseReturnValue:
    """All sets, and a form for another."""
    shown = []
    for one in sets.all_sets(_root()):
        counts = one.counts()
        shown.append({"name": one.name, "all": counts.total(), "done": counts["done"], "proposed": counts["proposed"]})
    return render_template("labelling/sets.html", sets=shown, pattern=SET_NAME.pattern)


@bp.post("")
def create() -> ResponseReturnValue:
    """Begin a set."""
    name = request.form.get("name", "").strip().lower()
    if not SET_NAME.fullmatch(name):
        flash(gettext("A name has up to 40 small letters, digits and hyphens."), "danger")
        return redirect(url_for("labelling.index"))
    try:
        sets.create(_root(), name, [entry.label for entry in current().catalog])
    except FileExistsError:
        flash(gettext("There is a set of that name already."), "info")
    else:
        _record("labels_begun", name)
    return redirect(url_for("labelling.pictures", name=name))


@bp.get("/<name>")
def pictures(name: str) -> ResponseReturnValue:
    """The pictures of a set, those that wait first asked for."""
    one = _set(name)
    state = request.args.get("state", "")
    wanted = [(p, one.state(p)) for p in one.pictures]
    counts = {kind: sum(s == kind for _, s in wanted) for kind in sets.STATES}
    if state in sets.STATES:
        wanted = [(p, s) for p, s in wanted if s == state]
    pages = max(1, -(-len(wanted) // PAGE_PICTURES))
    page = min(max(request.args.get("page", 1, int), 1), pages)
    try:
        boxes = [(_name_of(label), count) for label, count in one.boxes_by_label().most_common()]
        left_out = [f"{_name_of(label)} {count}" for label, count in one.left_out().most_common()]
        problem = None
    except SetError as error:
        boxes, left_out, problem = [], [], str(error)
    return render_template(
        "labelling/set.html",
        name=name,
        folder=one.folder,
        pictures=[{"name": p, "state": s} for p, s in wanted[(page - 1) * PAGE_PICTURES : page * PAGE_PICTURES]],
        counts=counts,
        state=state,
        page=page,
        pages=pages,
        boxes=boxes,
        left_out=", ".join(left_out),
        problem=problem,
        begin=next((p for p in one.pictures if one.state(p) != "done"), None),
    )


@bp.post("/<name>/pictures")
def add(name: str) -> ResponseReturnValue:
    """Add photos to a set."""
    one = _set(name)
    kept, known, unread = 0, 0, []
    for file in request.files.getlist("photos"):
        if not file.filename:
            continue
        try:
            added = one.add(file.stream.read(), file.filename)
        except NotAPictureError:
            unread.append(file.filename)
        else:
            kept, known = kept + (added is not None), known + (added is None)
    if unread:
        flash(gettext("Not a JPEG, PNG or WebP: %(names)s", names=", ".join(unread[:5])), "danger")
    if kept:
        _record("labels_photos_added", name, count=kept)
        flash(gettext("Added: %(count)s.", count=kept), "info")
    if known:
        flash(gettext("There already: %(count)s.", count=known), "info")
    if not (kept or known or unread):
        flash(gettext("Choose photos first."), "danger")
    return redirect(url_for("labelling.pictures", name=name))


@bp.post("/<name>/remove")
def remove_set(name: str) -> ResponseReturnValue:
    """Delete a set with its pictures, once its name is typed."""
    one = _set(name)
    if request.form.get("name", "").strip() != name:
        flash(gettext("Type the set's name to delete it."), "danger")
        return redirect(url_for("labelling.pictures", name=name))
    sets.delete(one)
    _record("labels_deleted", name)
    return redirect(url_for("labelling.index"))


@bp.get("/<name>/labels.zip")
def download(name: str) -> ResponseReturnValue:
    """The boxes, without pictures."""
    headers = {"Content-Disposition": f'attachment; filename="{name}-labels.zip"'}
    return Response(_set(name).zipped(), mimetype="application/zip", headers=headers)


@bp.get("/<name>/<picture>")
def editor(name: str, picture: str) -> ResponseReturnValue:
    """One picture: draw, move, name, delete, accept."""
    one = _picture(name, picture)
    before, after, waiting = one.neighbours(picture)
    try:
        drawn, (width, height), labels = one.read(picture), one.size(picture), one.labels
    except (SetError, NotAPictureError) as error:
        advice = said_here(str(error))
        return render_template("error.html", title=gettext("That did not work"), advice=advice, detail=None), 422
    links = {"before": before, "after": after, "next": waiting}
    return render_template(
        "labelling/editor.html",
        name=name,
        picture=picture,
        number=one.pictures.index(picture) + 1,
        count=len(one.pictures),
        state=drawn.state,
        before=before,
        after=after,
        work={
            "size": [width, height],
            "boxes": [{"label": box.label, "box": box.corners} for box in drawn.boxes],
            "version": drawn.version,
            "labels": [[label, _name_of(label)] for label in labels],
            "save": url_for("labelling.save", name=name, picture=picture),
            "suggest": url_for("labelling.suggest", name=name, picture=picture),
            "set": url_for("labelling.pictures", name=name),
            **{
                kind: url_for("labelling.editor", name=name, picture=target) if target else None
                for kind, target in links.items()
            },
        },
    )


@bp.get("/<name>/<picture>/picture")
def picture_file(name: str, picture: str) -> ResponseReturnValue:
    """The picture itself; `?small=1`: a small one."""
    one = _picture(name, picture)
    path = one.path(picture)
    assert path is not None
    if request.args.get("small"):
        try:
            answer = Response(one.small(picture), mimetype="image/jpeg")
        except NotAPictureError:
            abort(404)
    else:
        answer = send_file(path, conditional=True)
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


@bp.put("/<name>/<picture>/boxes")
def save(name: str, picture: str) -> ResponseReturnValue:
    """Accept the boxes that are sent for a picture."""
    one = _picture(name, picture)
    try:
        drawing = Drawing.model_validate_json(request.get_data())
        unknown = sorted({box.label for box in drawing.boxes} - set(one.labels))
        if unknown:
            return _refused(422, gettext("The set has no class %(label)s.", label=unknown[0]))
        version = one.save(picture, [Box(box.label, box.box) for box in drawing.boxes], drawing.version)
    except ValidationError:
        return _refused(422, gettext("Those boxes were not understood; load the page again."))
    except (ConflictError, SetError):
        return _refused(409, gettext("Somebody else saved this picture meanwhile; load the page again to see it."))
    _record("labels_saved", f"{name}/{picture}", boxes=len(drawing.boxes))
    return {"version": version}


@bp.post("/<name>/<picture>/suggest")
def suggest(name: str, picture: str) -> ResponseReturnValue:
    """What the detector finds on a picture."""
    one = _picture(name, picture)
    path = one.path(picture)
    assert path is not None
    try:
        seen, (width, height) = namer_of(current_app).look(path.read_bytes())
    except BusyError:
        return _refused(503, gettext("Many people ask at the moment. Try again in a few seconds."))
    except (NotAPictureError, WeightsError, ImportError) as error:
        log.error("picture_not_looked_at", reason=str(error))
        return _refused(503, gettext("This machine can't look at pictures. Draw the boxes yourself."))
    found = [
        {"label": s.label, "box": [s.box[0] / width, s.box[1] / height, s.box[2] / width, s.box[3] / height]}
        for s in seen
        if s.label in one.labels and s.score >= SUGGESTED_FROM
    ]
    return {"boxes": found}


@bp.post("/<name>/<picture>/remove")
def remove(name: str, picture: str) -> ResponseReturnValue:
    """Delete a picture."""
    one = _picture(name, picture)
    _, after, waiting = one.neighbours(picture)
    one.remove(picture)
    _record("labels_photo_deleted", f"{name}/{picture}")
    target = waiting or after
    if target is None:
        return redirect(url_for("labelling.pictures", name=name))
    return redirect(url_for("labelling.editor", name=name, picture=target))


def state_word(state: State) -> str:
    """A state in the language of the one who asks."""
    return str({"new": gettext("to do"), "proposed": gettext("to check"), "done": gettext("done")}[state])


bp.add_app_template_global(state_word, "label_state")


def _root() -> Path:
    return current().settings.data / FOLDER


def _set(name: str) -> LabelSet:
    return sets.find(_root(), name) or abort(404)


def _picture(name: str, picture: str) -> LabelSet:
    one = _set(name)
    if one.path(picture) is None:
        abort(404)
    return one


def _name_of(label: str) -> str:
    return current().catalog.name(label, chosen())


def _refused(status: int, detail: str) -> tuple[dict[str, str], int]:
    return {"detail": detail}, status


def _record(action: str, subject: str, **detail: int) -> None:
    audit.record(database.session(), current().settings.site, somebody().name, action, subject, **detail)
    database.session().commit()
