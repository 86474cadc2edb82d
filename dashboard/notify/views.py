"""The page where one chooses the alerts that a browser tells of."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard import database
from dashboard.auth import somebody
from dashboard.context import current
from dashboard.language import chosen
from dashboard.notify import browsers
from dashboard.notify.channels import DeliveryError, Message
from dashboard.notify.push import Browser, GoneError
from dashboard.people import audit
from dashboard.said import said_here
from dashboard.security import limiter
from spotter.alert_words import KINDS, words
from spotter.database.people_tables import PushRow
from spotter.events import AlertKind, format_time

bp = Blueprint("push", __name__, url_prefix="/account/notifications")

LIMIT = "20 per minute"

_BASE64 = r"^[A-Za-z0-9_-]+=*$"


class Subscription(BaseModel):
    """What a browser gives, and what its person chose."""

    model_config = ConfigDict(extra="forbid")

    endpoint: Annotated[str, Field(max_length=2000)]
    p256dh: Annotated[str, Field(pattern=_BASE64, max_length=128)]
    auth: Annotated[str, Field(pattern=_BASE64, max_length=64)]
    kinds: Annotated[list[AlertKind], Field(min_length=1)]


@bp.get("")
def page() -> ResponseReturnValue:
    """What to be told of in this browser, and all of one's browsers."""
    context, found = current(), browsers.of_user(database.session(), current().settings.site, somebody().id)
    work = {
        "key": context.push.key,
        "browsers": [{"number": row.id, "endpoint": row.endpoint, "kinds": row.kinds} for row in found],
        "worker": url_for("static", filename="js/push-worker.js"),
        "subscribe": url_for("push.subscribe"),
    }
    kinds = [(kind, words(kind, chosen())) for kind in KINDS if kind in context.settings.notify.kinds]
    names = {kind: word.name for kind, word in kinds}
    return render_template(
        "people/notifications.html", work=work, kinds=kinds, names=names, browsers=found, zone=context.zone
    )


@bp.post("/browsers")
@limiter.limit(LIMIT)
def subscribe() -> ResponseReturnValue:
    """Tell a browser of alerts from now on."""
    context, opened, user = current(), database.session(), somebody()
    try:
        told = Subscription.model_validate_json(request.get_data())
    except ValidationError:
        return {"problem": gettext("What the browser sent was not understood.")}, 422
    if not context.push.is_known(told.endpoint):
        return {"problem": gettext("This browser's push service is not among those that the settings allow.")}, 422
    browser = Browser(told.endpoint, told.p256dh, told.auth)
    device, now = request.headers.get("User-Agent", ""), datetime.now(timezone.utc)
    kinds = [kind for kind in KINDS if kind in told.kinds]
    site = context.settings.site
    browsers.subscribe(opened, site, user.id, browser, kinds, chosen(), device, now)
    audit.record(opened, site, user.name, "notifications_on", user.name, kinds=" ".join(kinds))
    opened.commit()
    return Response(status=204)


@bp.post("/browsers/<int:number>/test")
@limiter.limit(LIMIT)
def test(number: int) -> ResponseReturnValue:
    """Send a message to one of one's browsers now."""
    row, context, now = _mine(number), current(), datetime.now(timezone.utc)
    content = {
        "title": gettext("Notifications work"),
        "body": gettext("Spotter at %(site)s reaches this browser.", site=context.settings.site),
        "url": url_for("push.page"),
        "tag": "test",
    }
    message = Message(f"test-{format_time(now)}", content["title"], content["body"], content, now)
    try:
        context.push.send(Browser(row.endpoint, row.p256dh, row.auth), message)
    except GoneError:
        browsers.remove(database.session().connection(), row.id)
        database.session().commit()
        flash(gettext("That browser wants no notifications any more; it is taken off the list."), "danger")
    except DeliveryError as error:
        flash(gettext("It did not get through: %(reason)s.", reason=said_here(str(error))), "danger")
    else:
        flash(gettext("Sent. It should be there within seconds."), "info")
    return redirect(url_for("push.page"))


@bp.post("/browsers/<int:number>/stop")
def stop(number: int) -> ResponseReturnValue:
    """Tell one of one's browsers nothing more."""
    row, opened, user = _mine(number), database.session(), somebody()
    browsers.remove(opened.connection(), row.id)
    audit.record(opened, current().settings.site, user.name, "notifications_off", user.name)
    opened.commit()
    return redirect(url_for("push.page"))


def _mine(number: int) -> PushRow:
    row = database.session().get(PushRow, number)
    if row is None or row.site != current().settings.site or row.user_id != somebody().id:
        abort(404)
    return row
