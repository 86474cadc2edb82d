"""The owner's page of API tokens."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SelectField, SelectMultipleField, StringField, SubmitField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard import database
from dashboard.auth import somebody
from dashboard.context import current
from dashboard.people import audit, tokens
from dashboard.rights import SCOPES
from spotter.database.people_tables import ApiTokenRow

bp = Blueprint("tokens", __name__, url_prefix="/people/tokens")

DAYS = (30, 90, 365)
FOR_EVER = "0"


class TokenForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """What a token is for and may do."""

    name = StringField(_l("For (the program's name)"), [DataRequired(_l("Type a name.")), Length(max=64)])
    scopes = SelectMultipleField(
        _l("It may"),
        [DataRequired(_l("Choose at least one."))],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    days = SelectField(_l("Works for"), default="365")
    submit = SubmitField(_l("Make a token"))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scopes.choices = [(scope, gettext(name)) for scope, name in SCOPES.items()]
        self.days.choices = [
            *((str(days), gettext("%(days)s days", days=days)) for days in DAYS),
            (FOR_EVER, gettext("until it is revoked")),
        ]


@bp.get("")
def index() -> ResponseReturnValue:
    """Every token of this site."""
    return _page(TokenForm())


@bp.post("")
def issue() -> ResponseReturnValue:
    """Make a token and show it, this once."""
    form, opened, site, user = TokenForm(), database.session(), current().settings.site, somebody()
    if not form.validate_on_submit():
        return _page(form), 422
    days = int(form.days.data) or None
    name, now = form.name.data.strip(), datetime.now(timezone.utc)
    _, token = tokens.issue(opened, site, name, form.scopes.data, days, user.name, now)
    audit.record(opened, site, user.name, "token_issued", name, scopes=form.scopes.data, days=days)
    opened.commit()
    return _page(TokenForm(formdata=None), token)


@bp.post("/<int:number>/revoke")
def revoke(number: int) -> ResponseReturnValue:
    """End a token; the program that has it is refused from its next request on."""
    opened, site = database.session(), current().settings.site
    row = opened.get(ApiTokenRow, number)
    if row is None or row.site != site:
        abort(404)
    audit.record(opened, site, somebody().name, "token_revoked", row.name)
    opened.delete(row)
    opened.commit()
    return redirect(url_for("tokens.index"))


def _page(form: TokenForm, token: str | None = None) -> str:
    return render_template(
        "people/tokens.html",
        form=form,
        token=token,
        tokens=tokens.of_site(database.session(), current().settings.site),
        now=datetime.now(timezone.utc),
        zone=current().zone,
    )
