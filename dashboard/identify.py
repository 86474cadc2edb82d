"""`/identify`: take or choose a photo, get the card. For anybody in the gym; the photo is never stored."""

from __future__ import annotations

import io
from typing import IO

import structlog
from flask import Blueprint, Flask, Request, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from dashboard.context import attached, current
from dashboard.language import chosen, mark
from dashboard.naming import BusyError, Named, Namer, NotAPictureError
from dashboard.security import limiter
from spotter.catalog import Entry
from spotter.errors import WeightsError

log = structlog.get_logger()

bp = Blueprint("identify", __name__)

LARGEST_PHOTO = 15_000_000
"""Bytes: what the best phones make, with room."""

LARGEST_SENT = {"identify.answer": LARGEST_PHOTO, "labelling.add": 60_000_000}
"""Bytes of one request to the routes that take photos."""

MOST_DRAINED = {"identify.answer": 64_000_000, "labelling.add": 500_000_000}
"""So much of a larger one is read and thrown away: anything that is one photo, and a hundred of a trainer's at once."""

LIMIT = "20 per minute; 200 per hour"
"""For one address. A photo costs a tenth of a second of one core."""

_NAMER = "spotter.namer"

TOO_LARGE = mark("That photo is too large. Take one of less than 15 MB.")
NOT_A_PICTURE = mark("That is no photo that can be read here. Take a JPEG, PNG or WebP.")
NOTHING_SENT = mark("Take or choose a photo first.")
BUSY = mark("Many people ask at the moment. Try again in a few seconds.")
NO_DETECTOR = mark("This machine can't look at photos. Find the equipment in the list below.")


class SpotterRequest(Request):
    """A request whose files stay in memory: the usual one writes larger ones to a temporary file."""

    @property
    def max_content_length(self) -> int | None:
        """Photos may be larger than any form."""
        if self.endpoint in LARGEST_SENT:
            return LARGEST_SENT[self.endpoint]
        return super().max_content_length

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self._max_content_length = value

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def init_app(app: Flask) -> None:
    """Serve the page; the detector is opened with the first photo."""
    context = attached(app)
    known = frozenset(entry.label for entry in context.catalog if entry.equipment)
    app.extensions[_NAMER] = Namer(context.settings, known)
    app.request_class = SpotterRequest
    app.register_blueprint(bp)


def namer_of(app: Flask) -> Namer:
    """What looks at photos for `app`."""
    namer: Namer = app.extensions[_NAMER]
    return namer


def drain() -> None:
    """Take in the rest of photos that are too large: a browser reads no answer before it has sent its question."""
    source = request.environ["wsgi.input"]
    wanted = min(request.content_length or 0, MOST_DRAINED.get(request.endpoint or "", 0))
    while wanted > 0 and (read := source.read(min(wanted, 1 << 16))):
        wanted -= len(read)


@bp.get("/identify")
def page() -> str:
    """Where a photo is taken or chosen."""
    return _page()


@bp.post("/identify")
@limiter.limit(LIMIT)
def answer() -> ResponseReturnValue:
    """The card of what a photo shows, or why there is none."""
    photo = next((file for file in request.files.getlist("photo") if file.filename), None)
    if photo is None:
        return _page(NOTHING_SENT), 400
    try:
        named = namer_of(current_app).name(photo.stream.read())
    except NotAPictureError:
        return _page(NOT_A_PICTURE), 415
    except BusyError:
        return _page(BUSY), 503
    except (WeightsError, ImportError) as error:
        log.error("photo_not_identified", reason=str(error))
        return _page(NO_DETECTOR), 503
    log.info("photo_identified", state=named.state, labels=named.labels, score=round(named.score, 2))
    return _result(named)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> ResponseReturnValue:
    """Said on the page."""
    drain()
    return _page(TOO_LARGE), 413


@bp.errorhandler(BadRequest)
def not_understood(_: BadRequest) -> ResponseReturnValue:
    """A form whose token has run out: the page again, with a fresh one."""
    return _page(NOTHING_SENT), 400


def _page(problem: str | None = None) -> str:
    entries = [entry for entry in current().catalog if entry.equipment]
    said = gettext(problem) if problem else None
    return render_template("identify/identify.html", entries=entries, problem=said, largest=LARGEST_PHOTO)


def _result(named: Named) -> str:
    catalog = current().catalog
    entries = [entry for label in named.labels if (entry := catalog.get(label))]
    if named.state == "recognised":
        return render_template("identify/recognised.html", entry=entries[0], card=entries[0].card(chosen()))
    return render_template("identify/unsure.html", nearest=entries, entries=_rest(entries), largest=LARGEST_PHOTO)


def _rest(shown: list[Entry]) -> list[Entry]:
    return [entry for entry in current().catalog if entry.equipment and entry not in shown]
