"""The application factory."""

from __future__ import annotations

from typing import Any

import structlog
from apiflask import APIFlask
from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

import spotter
from dashboard import (
    api,
    api_access,
    api_document,
    auth,
    cards,
    changes_api,
    database,
    facts_api,
    health,
    identify,
    keys,
    kiosk,
    labels_api,
    language,
    people_api,
    problems,
    reference,
    report,
    review,
    said,
    security,
    sessions,
)
from dashboard.alerts import views as alerts
from dashboard.context import Context, attach, current
from dashboard.equipment import api as figures
from dashboard.equipment import views as equipment
from dashboard.labelling import views as labelling
from dashboard.language import mark
from dashboard.layouts import views as layouts
from dashboard.live import views as live
from dashboard.live.redis_watch import open_redis
from dashboard.live.watcher import Watcher
from dashboard.notify import views as push
from dashboard.notify.push import Push
from dashboard.people import account, join, token_views
from dashboard.people import views as people
from dashboard.today import api as today_api
from dashboard.today import views as today
from spotter import catalog
from spotter.database.engine import open_database
from spotter.settings import Settings

log = structlog.get_logger()

_EXPLAINED = {
    400: (mark("That request was not understood"), mark("Go back, load the page again and try once more.")),
    401: (mark("Sign in first"), mark("The menu leads to the sign-in page.")),
    403: (mark("Not for you"), mark("You may not see this page. An owner can give you another role.")),
    404: (mark("There is nothing here"), mark("The address may have changed; the menu leads to every page.")),
    405: (mark("That does not work here"), mark("Go back and use the page's own buttons.")),
    413: (mark("That was too much at once"), mark("Send less and try again.")),
    429: (mark("Too many attempts"), mark("Wait a minute and try again.")),
}

_UNEXPLAINED = (mark("That did not work"), mark("Try again; if it stays so, look at the dashboard's log."))


def create_app(settings: Settings, overrides: dict[str, Any] | None = None) -> Flask:
    """The dashboard of `settings`. It connects to nothing and starts no thread until the first request.

    `overrides` replaces Flask settings, as tests need. Raises SettingsError for an address that can't be used and
    DataFolderError when the secret key can't be kept.
    """
    app = APIFlask(
        __name__,
        title=api_document.TITLE,
        version=spotter.__version__,
        spec_path=api.SPEC_PATH,
        docs_path=None,
        json_errors=False,
    )
    secret = keys.secret_key(settings.data)
    app.config.update(SECRET_KEY=secret, BOOTSTRAP_SERVE_LOCAL=True)
    app.jinja_options["trim_blocks"] = app.jinja_options["lstrip_blocks"] = True

    engine = open_database(settings.database_url)
    redis_url = settings.redis.url.get_secret_value() if settings.redis else None
    client = open_redis(redis_url) if redis_url else None
    shipped = catalog.load()
    watcher = Watcher(settings, engine, client, shipped)
    context = Context(settings, engine, shipped, client, watcher, Push(settings, secret))
    attach(app, context)

    # Of what has no secret in it: pages are small, and what is compressed beside a secret can tell it (BREACH).
    app.config.update(
        COMPRESS_MIMETYPES=["text/css", "text/javascript", "image/svg+xml"],
        COMPRESS_STREAMING_ENDPOINT_CONDITIONAL=["static", "bootstrap.static"],
    )
    Compress(app)
    database.init_app(app)
    security.init_app(app, redis_url)
    app.config.update(overrides or {})
    language.init_app(app)
    said.init_app(app)
    Bootstrap5(app)
    health.init_app(app, context)
    kiosk.init_app(app)
    auth.init_app(app)
    cards.init_app(app)
    identify.init_app(app)
    for blueprint in (
        today.bp,
        live.bp,
        alerts.bp,
        sessions.bp,
        review.bp,
        equipment.bp,
        labelling.bp,
        layouts.bp,
        kiosk.bp,
        account.bp,
        push.bp,
        join.bp,
        people.bp,
        token_views.bp,
        reference.bp,
        report.bp,
        api.bp,
        figures.bp,
        facts_api.bp,
        changes_api.bp,
        today_api.bp,
        people_api.bp,
        labels_api.bp,
    ):
        app.register_blueprint(blueprint)
    app.add_url_rule("/favicon.ico", "favicon", app.doc(hide=True)(_favicon))
    api_document.init_app(app)
    app.register_error_handler(HTTPException, _explain_http)
    app.register_error_handler(SQLAlchemyError, _explain_database)
    app.context_processor(_common)
    return app


def _favicon() -> ResponseReturnValue:
    """What browsers ask for beside whatever is no page, such as JSON."""
    return current_app.send_static_file("mark.svg")


def _common() -> dict[str, Any]:
    context = current()
    return {
        "site": context.settings.site,
        "timezone": context.settings.timezone,
        "version": spotter.__version__,
        "person": auth.person,
        "role_name": auth.role_name,
        "unseen_alerts": context.watcher.unseen_alerts,
    }


def _wants_json() -> bool:
    return request.endpoint in auth.ANSWERED_WITH_401


def _explain_http(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400 or error.response is not None:
        return error
    if api_access.is_api():
        return problems.of_http(error)
    if code == 413:
        identify.drain()
    title, advice = _EXPLAINED.get(code, _UNEXPLAINED)
    if _wants_json():
        return jsonify(status=code, title=title, detail=error.description), code
    return render_template("error.html", title=gettext(title), advice=gettext(advice), detail=None), code


def _explain_database(error: SQLAlchemyError) -> ResponseReturnValue:
    reason = database.what_is_wrong(error, current().engine)
    log.error("query_failed", reason=reason)
    title = mark("The database does not answer")
    advice = mark("Nothing is lost: the camera boxes keep what it misses.")
    # Nobody can be known as signed in without the database, so only the one reason without an address is shown.
    detail = reason if reason == database.MISSING_TABLES else None
    if api_access.is_api():
        return problems.problem(503, gettext(title))
    if _wants_json():
        return jsonify(status=503, title=title), 503
    shown = {"title": gettext(title), "advice": gettext(advice), "detail": gettext(detail) if detail else None}
    return render_template("error.html", **shown, bare=True), 503
