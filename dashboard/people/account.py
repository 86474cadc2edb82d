"""One's own account: password, second step, and the browsers in which one is signed in."""

from __future__ import annotations

from datetime import datetime, timezone

from flask import Blueprint, abort, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, EqualTo, Length

from dashboard import database, users
from dashboard.auth import ADDRESS_LIMIT, GUESS_LIMIT, somebody
from dashboard.context import current
from dashboard.people import audit, secret, sign_ins, two_step
from dashboard.security import limiter
from spotter.database.people_tables import SignInRow

bp = Blueprint("account", __name__, url_prefix="/account")

_PENDING = "two_step_secret"


class PasswordForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The old password and the new one."""

    old = PasswordField(
        _l("Password of now"),
        [DataRequired(_l("Type your password.")), Length(max=users.LONGEST_PASSWORD)],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField(
        _l("New password"),
        [DataRequired(_l("Choose a password.")), Length(max=users.LONGEST_PASSWORD)],
        description=_l("At least %(count)s characters. A few unrelated words do well.", count=users.SHORTEST_PASSWORD),
        render_kw={"autocomplete": "new-password"},
    )
    repeated = PasswordField(
        _l("New password again"),
        [EqualTo("password", _l("The two passwords differ."))],
        render_kw={"autocomplete": "new-password"},
    )
    submit = SubmitField(_l("Change password"))


class TurnOnForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The first code of the app, which shows that it has the secret."""

    code = StringField(
        _l("Code that the app shows"),
        [DataRequired(_l("Type the code.")), Length(max=40)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )
    submit = SubmitField(_l("Turn on"))


class TurnOffForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The password, so that an unguarded screen is not enough."""

    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Type your password.")), Length(max=users.LONGEST_PASSWORD)],
        render_kw={"autocomplete": "current-password"},
    )
    submit = SubmitField(_l("Turn off"))


@bp.get("")
def index() -> ResponseReturnValue:
    """Everything about one's own account."""
    return _page(PasswordForm(), TurnOffForm())


@bp.post("/password")
@limiter.limit(GUESS_LIMIT)
def change_password() -> ResponseReturnValue:
    """Change one's password; every other sign-in ends."""
    form, user, opened = PasswordForm(), somebody(), database.session()
    if form.validate_on_submit():
        if users.authenticate(opened, user.name, form.old.data) is None:
            form.old.errors = [*form.old.errors, gettext("That is not your password.")]
        else:
            try:
                users.change_password(opened, user.name, form.password.data, but_token=user.token)
            except users.UserError as error:
                text = str(error)
                form.password.errors = [*form.password.errors, f"{text[0].upper()}{text[1:]}."]
            else:
                audit.record(opened, current().settings.site, user.name, "password_changed", user.name)
                opened.commit()
                flash(gettext("Your password is changed. Every other browser has to sign in again."), "info")
                return redirect(url_for("account.index"))
    return _page(form, TurnOffForm()), 422


@bp.route("/two-step", methods=["GET", "POST"])
@limiter.limit(ADDRESS_LIMIT)
def two_step_on() -> ResponseReturnValue:
    """Turn the second step on: scan, type a code, keep the recovery codes."""
    user, opened, site = somebody(), database.session(), current().settings.site
    if two_step.is_on(opened, user.id):
        return redirect(url_for("account.index"))
    # In the cookie until it is confirmed: signed, and readable only by whom it is shown to.
    shared = session.setdefault(_PENDING, two_step.new_secret())
    form = TurnOnForm()
    if form.validate_on_submit():
        codes = two_step.turn_on(opened, user.id, shared, form.code.data, datetime.now(timezone.utc))
        if codes is not None:
            audit.record(opened, site, user.name, "two_step_on", user.name)
            opened.commit()
            session.pop(_PENDING)
            return render_template("people/recovery_codes.html", codes=codes)
        form.code.errors = [*form.code.errors, gettext("That code does not fit; is the phone's clock right?")]
    picture = two_step.qr_code(shared, user.name, site)
    return render_template("people/two_step.html", form=form, picture=picture, secret=shared)


@bp.post("/two-step/off")
@limiter.limit(GUESS_LIMIT)
def two_step_off() -> ResponseReturnValue:
    """Turn the second step off."""
    form, user, opened = TurnOffForm(), somebody(), database.session()
    if form.validate_on_submit():
        if users.authenticate(opened, user.name, form.password.data) is not None:
            if two_step.turn_off(opened, user.id):
                audit.record(opened, current().settings.site, user.name, "two_step_off", user.name)
                opened.commit()
                flash(gettext("Signing in takes the password alone again."), "info")
            return redirect(url_for("account.index"))
        form.password.errors = [*form.password.errors, gettext("That is not your password.")]
    return _page(PasswordForm(formdata=None), form), 422


@bp.post("/sign-ins/<identity>/end")
def end_sign_in(identity: str) -> ResponseReturnValue:
    """End one of one's own sign-ins."""
    opened, user = database.session(), somebody()
    row = opened.get(SignInRow, identity)
    if row is None or row.user_id != user.id:
        abort(404)
    audit.record(opened, current().settings.site, user.name, "sign_in_ended", user.name, device=row.device)
    opened.delete(row)
    opened.commit()
    return redirect(url_for("account.index"))


@bp.post("/sign-ins/end-others")
def end_other_sign_ins() -> ResponseReturnValue:
    """End all of one's sign-ins but this one."""
    opened, user = database.session(), somebody()
    ended = sign_ins.end_of_user(opened, user.id, but_token=user.token)
    audit.record(opened, current().settings.site, user.name, "sign_ins_ended", user.name, number=ended)
    opened.commit()
    return redirect(url_for("account.index"))


def _page(password: PasswordForm, turn_off: TurnOffForm) -> str:
    opened, user = database.session(), somebody()
    return render_template(
        "people/account.html",
        password=password,
        turn_off=turn_off,
        two_step_is_on=two_step.is_on(opened, user.id),
        sign_ins=sign_ins.of_user(opened, user.id, datetime.now(timezone.utc)),
        this=secret.hashed(user.token),
        zone=current().zone,
    )
