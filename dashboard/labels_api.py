"""Sets of pictures to label, over the HTTP API, to read: for trainers and tokens with `labels:read`."""

from __future__ import annotations

from typing import Any, Literal

from apiflask import APIBlueprint, abort
from flask import Response, send_file
from pydantic import BaseModel, Field

from dashboard import api
from dashboard.api_access import LIMIT, PREFIX, who
from dashboard.context import current
from dashboard.labelling import sets
from dashboard.labelling.sets import LabelSet, SetError
from dashboard.labelling.views import FOLDER
from dashboard.security import limiter

bp = APIBlueprint("labels_api", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)

_BYTES = {"schema": {"type": "string", "format": "binary"}}
PICTURE: dict[int | str, Any] = {
    200: {"description": "the picture", "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp"), _BYTES)}
}
UNREADABLE: dict[int, str] = {409: "the set's own files can't be read; `detail` names the file"}

StateOut = Literal["new", "proposed", "done"]


class SetOut(BaseModel):
    """A set of pictures."""

    set: str
    pictures: int
    proposed: int = Field(description="of the pictures, those with proposals that nobody looked at yet")
    done: int = Field(description="of the pictures, those that somebody looked at")


class SetsOut(BaseModel):
    """Every set, by name."""

    sets: list[SetOut]


class PictureOut(BaseModel):
    """A picture of a set."""

    picture: str
    state: StateOut


class PicturesOut(SetOut):
    """A set with its pictures."""

    labels: list[str] = Field(description="the classes, in the order of their numbers")
    files: list[PictureOut]


class BoxOut(BaseModel):
    """A thing on a picture."""

    label: str
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 as shares of the picture's sides")


class BoxesOut(PictureOut):
    """What is drawn on a picture, or else proposed."""

    boxes: list[BoxOut]


@bp.get("/labels")
@bp.output(SetsOut)
def every_set() -> SetsOut:
    """Sets of pictures to label, and how far each is."""
    return SetsOut(sets=[SetOut(**_counts(one)) for one in sets.all_sets(current().settings.data / FOLDER)])


@bp.get("/labels/<name>")
@bp.output(PicturesOut)
@bp.doc(responses=UNREADABLE)
def one_set(name: str) -> PicturesOut:
    """A set's pictures, by name."""
    one = _set(name)
    try:
        labels = list(one.labels)
    except SetError as error:
        abort(409, str(error))
    files = [PictureOut(picture=picture, state=one.state(picture)) for picture in one.pictures]
    return PicturesOut(**_counts(one), labels=labels, files=files)


@bp.get("/labels/<name>/<picture>")
@bp.output(BoxesOut)
@bp.doc(responses=UNREADABLE)
def one_picture(name: str, picture: str) -> BoxesOut:
    """The boxes of a picture."""
    one = _set(name)
    if one.path(picture) is None:
        abort(404, "The set has no such picture.")
    try:
        drawn = one.read(picture)
    except SetError as error:
        abort(409, str(error))
    boxes = [BoxOut(label=box.label, box=box.corners) for box in drawn.boxes]
    return BoxesOut(picture=picture, state=drawn.state, boxes=boxes)


@bp.get("/labels/<name>/<picture>/picture")
@bp.doc(responses=PICTURE)
def picture_file(name: str, picture: str) -> Response:
    """The picture itself."""
    path = _set(name).path(picture)
    if path is None:
        abort(404, "The set has no such picture.")
    return send_file(path)


def _set(name: str) -> LabelSet:
    one = sets.find(current().settings.data / FOLDER, name)
    if one is None:
        abort(404, "There is no such set here.")
    return one


def _counts(one: LabelSet) -> dict[str, Any]:
    counts = one.counts()
    return {"set": one.name, "pictures": counts.total(), "proposed": counts["proposed"], "done": counts["done"]}
