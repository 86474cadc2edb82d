"""The live page, its stream of events and its pictures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import redis
from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.context import current
from dashboard.language import chosen
from dashboard.live import thinking
from dashboard.live.board import Board, Update
from spotter import redis_keys
from spotter.events import format_time

bp = Blueprint("live", __name__)

PING_SECONDS = 4.0
"""The page calls the connection lost after three pings that do not come."""

STREAM_SECONDS = 600.0
"""A stream ends after so long and the page opens the next one, so that signing out ends it too."""

_streams = threading.BoundedSemaphore(80)
"""Each stream holds a thread of the server; a page that gets none asks every two seconds instead."""


@bp.get("/live")
def page() -> str:
    """Cameras, what is in use, and health; filled and kept up to date by ``live.js``."""
    return render_template("live/live.html", **live_page())


def live_page() -> dict[str, Any]:
    """What a page with ``live.js`` in it needs."""
    context = current()
    tiles = context.watcher.tiles()
    places = {
        "events": url_for("live.events"),
        "state": url_for("live.state"),
        "login": url_for("auth.login"),
        "preview": url_for("live.preview", site=context.settings.site, camera="CAMERA"),
        "camera": url_for("live.camera", camera="CAMERA"),
        "card": url_for("equipment.card", label="LABEL"),
    }
    return {
        "cameras": [tile.camera for tile in tiles],
        "places": places,
        "names": _names(),
        "people_blurred": context.settings.privacy.blur_people,
    }


@bp.get("/cameras/<camera>")
def camera(camera: str) -> str:
    """One camera large: its zones and tracks, and what the rules think of what it shows."""
    context = current()
    if not any(tile.camera == camera for tile in context.watcher.tiles()):
        abort(404)
    places = {
        **live_page()["places"],
        "preview": url_for("live.preview", site=context.settings.site, camera=camera),
        "thoughts": url_for("live.thoughts", camera=camera),
        "live": url_for("live.page"),
    }
    return render_template("live/camera.html", camera=camera, places=places, names=_names())


@bp.get("/cameras/<camera>/thoughts")
def thoughts(camera: str) -> ResponseReturnValue:
    """What the rules think of a camera; 204 while the usage worker does not answer."""
    found = thinking.ask(current(), camera)
    headers = {"Cache-Control": "no-store"}
    if found is None:
        return Response(status=204, headers=headers)
    return Response(found.model_dump_json(), mimetype="application/json", headers=headers)


@bp.get("/live/events")
def events() -> ResponseReturnValue:
    """Server-sent events: `camera`, `held`, `use`, `alerts` and `health`; `ping` at least. `?only=alerts`: those."""
    return answer_stream(_asked_keys())


def answer_stream(
    keys: frozenset[str] | None = None, *, without: frozenset[str] = frozenset(), replay: bool = False
) -> ResponseReturnValue:
    """The stream from where the reader's `Last-Event-ID` was, or from the beginning: then everything comes once.

    Only the documents under `keys`, where they are given, and none of those under `without`. A page that was away wants
    the newest of each, and no past; with `replay`, a reader gets every change that it missed, in order, as far back as
    the board keeps them.
    """
    watcher = current().watcher
    watcher.ensure_started()
    if not _streams.acquire(blocking=False):
        abort(503, "There are too many open streams; ask for the state instead.")
    board = watcher.board
    version = _version_of(request.headers.get("Last-Event-ID", ""), board)
    missed = board.replay(version) if replay and version else Update(version, ())
    response = Response(_stream(board, missed, keys, without))
    response.mimetype = "text/event-stream"
    response.call_on_close(_streams.release)
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    return response


@bp.get("/live/state")
def state() -> ResponseReturnValue:
    """The same as one document: `{"now": …, "events": [[event, document], …]}`."""
    return current_state(_asked_keys())


def _asked_keys() -> frozenset[str] | None:
    return frozenset({"alerts"}) if request.args.get("only") == "alerts" else None


def current_state(keys: frozenset[str] | None = None) -> dict[str, object]:
    """The board as one document."""
    watcher = current().watcher
    watcher.ensure_started()
    documents = _only(watcher.board.since(0, timeout=0), keys).documents
    return {"now": _now(), "events": [[key.partition(":")[0], json.loads(text)] for key, text in documents]}


@bp.get("/cameras/<site>/<camera>/preview.jpg")
def preview(site: str, camera: str) -> ResponseReturnValue:
    """The newest preview, people already blurred by the camera box; 204 while there is none. Never cached."""
    context = current()
    if site != context.settings.site or not any(tile.camera == camera for tile in context.watcher.tiles()):
        abort(404)
    context.watcher.previews.want(camera)
    picture = _picture(context.redis, redis_keys.preview(site, camera))
    if picture is None:
        return Response(status=204, headers={"Cache-Control": "no-store"})
    response = Response(picture, mimetype="image/jpeg")
    response.add_etag()
    response.make_conditional(request)
    response.headers["Cache-Control"] = "no-store"
    return response


def _picture(client: redis.Redis | None, key: str) -> bytes | None:
    if client is None:
        return None
    try:
        picture = client.get(key)
    except redis.RedisError:
        return None  # the page says so through its health
    return picture if isinstance(picture, bytes) else None


def _names() -> dict[str, tuple[str, str]]:
    """Label -> what one and several are called, in the page's language; events carry labels for all languages."""
    cards = {entry.label: entry.card(chosen()) for entry in current().catalog}
    return {label: (card.name, card.plural) for label, card in cards.items()}


def _only(update: Update, keys: frozenset[str] | None, without: frozenset[str] = frozenset()) -> Update:
    wanted = (one for one in update.documents if (keys is None or one[0] in keys) and one[0] not in without)
    return Update(update.version, tuple(wanted))


def _version_of(event_id: str, board: Board) -> int:
    """The version that a reader has seen; 0 for one of another process or a made-up one, which gets everything."""
    epoch, _, version = event_id.partition("-")
    known = epoch == board.epoch and version.isascii() and version.isdecimal() and len(version) < 16
    return int(version) if known else 0


def _stream(board: Board, missed: Update, keys: frozenset[str] | None, without: frozenset[str]) -> Iterator[str]:
    yield "retry: 2000\n\n"
    missed = _only(missed, keys, without)
    if missed.documents:
        yield _spoken(missed, board.epoch)
    version = missed.version
    end, spoke = time.monotonic() + STREAM_SECONDS, 0.0
    while not board.closed and time.monotonic() < end:
        update = board.since(version, PING_SECONDS)
        version = update.version
        wanted, now = _only(update, keys, without), time.monotonic()
        if keys is None or wanted.documents or now - spoke >= PING_SECONDS:
            spoke = now
            yield _spoken(wanted, board.epoch)


def _spoken(update: Update, epoch: str) -> str:
    # json.dumps never writes a bare line break, so a document is one `data:` line.
    lines = [f"event: {key.partition(':')[0]}\ndata: {text}\n\n" for key, text in update.documents]
    # The id comes last, so that a reader which is cut off in between gets the documents before it again.
    ping = f"event: ping\nid: {epoch}-{update.version}\ndata: {json.dumps({'now': _now()})}\n\n"
    return "".join((*lines, ping))


def _now() -> str:
    return format_time(datetime.now(timezone.utc))
