"""Signing in and out, the one-time set-up, and the rule that everything else needs it."""

from __future__ import annotations

from typing import cast

import structlog
from flask import Blueprint, Flask, abort, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, EqualTo, Length

from dashboard import database, users
from dashboard.context import current
from dashboard.keys import SetupLink
from dashboard.security import client_address, limiter, safe_next

log = structlog.get_logger()

bp = Blueprint("auth", __name__)

PUBLIC = {
    *("static", "bootstrap.static", "auth.login", "auth.setup", "language.choose"),
    *("health.healthz", "health.livez", "health.metrics"),
}
"""All that a stranger may ask for; `health.metrics` has a rule of its own."""

ANSWERED_WITH_401 = {"live.events", "live.state", "live.preview"}
"""Asked for by scripts, which a redirect to a page would only confuse."""

ADDRESS_LIMIT = "30 per minute"
GUESS_LIMIT = "5 per minute; 30 per hour"
"""For one name from one address: enough for a person's typing errors, far too few for a list of passwords. Not for
the name alone, since then a stranger could lock its owner out."""


class LoginForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Name and password."""

    name = StringField(
        _l("Name"),
        [DataRequired(_l("Type your name.")), Length(max=users.LONGEST_NAME)],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Type your password.")), Length(max=users.LONGEST_PASSWORD)],
        render_kw={"autocomplete": "current-password"},
    )
    submit = SubmitField(_l("Sign in"))


class SetupForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The first person's name and password."""

    name = StringField(
        _l("Your name"),
        [DataRequired(_l("Choose a name.")), Length(max=users.LONGEST_NAME)],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )
    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Choose a password.")), Length(max=users.LONGEST_PASSWORD)],
        description=_l("At least %(count)s characters. A few unrelated words do well.", count=users.SHORTEST_PASSWORD),
        render_kw={"autocomplete": "new-password"},
    )
    repeated = PasswordField(
        _l("Password again"),
        [EqualTo("password", _l("The two passwords differ."))],
        render_kw={"autocomplete": "new-password"},
    )
    submit = SubmitField(_l("Start using Spotter"))


def init_app(app: Flask) -> None:
    """Load who is signed in, and turn everybody else away."""
    # Templates ask `person()` instead: an error page must not ask a database that does not answer.
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = "basic"

    def load(cookie_id: str) -> users.User | None:
        return users.user_of_cookie(database.session(), cookie_id)

    manager.user_loader(load)
    app.before_request(_require_login)
    app.register_blueprint(bp)


def is_signed_in() -> bool:
    """Whether the one who asks is signed in."""
    return bool(current_user.is_authenticated)


def person() -> users.User | None:
    """Who is signed in."""
    return cast(users.User, current_user) if is_signed_in() else None


def role_name(role: str) -> str:
    """What a role is called in the language of the one who asks."""
    return str(gettext(users.ROLE_NAMES.get(role, role)))


def _require_login() -> ResponseReturnValue | None:
    """Refuse by default: a new route is private unless it is named above."""
    if request.endpoint in PUBLIC or is_signed_in():
        return None
    if request.endpoint in ANSWERED_WITH_401 or request.path.startswith("/api/"):
        return jsonify(status=401, title="Sign in first"), 401
    asked = request.full_path.rstrip("?") if request.method == "GET" and request.path != "/" else None
    return redirect(url_for("auth.login", next=asked))


def _name_and_address() -> str:
    return f"{client_address()}/{request.form.get('name', '').strip().casefold()[: users.LONGEST_NAME]}"


def _is_get() -> bool:
    return request.method == "GET"


@bp.route("/login", methods=["GET", "POST"])
@limiter.limit(ADDRESS_LIMIT, exempt_when=_is_get)
@limiter.limit(GUESS_LIMIT, key_func=_name_and_address, exempt_when=_is_get)
def login() -> ResponseReturnValue:
    """The sign-in page."""
    target = safe_next(request.args.get("next")) or url_for("live.page")
    if is_signed_in():
        return redirect(target)
    form = LoginForm()
    if form.validate_on_submit():
        user = users.authenticate(database.session(), form.name.data, form.password.data)
        if user is not None:
            session.clear()  # nothing of a stranger's session is carried into a signed-in one
            login_user(user)
            session.permanent = True
            log.info("signed_in", user=user.name, address=client_address())
            return redirect(target)
        log.warning("sign_in_refused", address=client_address())
        flash(gettext("That name and password do not fit together."), "danger")
    return render_template("auth/login.html", form=form, set_up=database.any_user())


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out; a form with a CSRF token, so that no other site can do it."""
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


@bp.route("/setup/<token>", methods=["GET", "POST"])
@limiter.limit(ADDRESS_LIMIT)
def setup(token: str) -> ResponseReturnValue:
    """Where the printed link leads: the first person chooses a name and password."""
    link = SetupLink(current().settings.data)
    if not link.fits(token) or database.any_user():
        return render_template("auth/setup_refused.html", set_up=database.any_user()), 404
    form = SetupForm()
    if form.validate_on_submit():
        try:
            users.check_password(users.clean_name(form.name.data), form.password.data)
        except users.UserError as error:
            form.password.errors = [*form.password.errors, f"{str(error)[0].upper()}{str(error)[1:]}."]
            return render_template("auth/setup.html", form=form)
        if not link.use(token):
            abort(404)
        try:
            user = users.add_user(database.session(), form.name.data, form.password.data, "owner")
        except Exception:
            link.give_back(token)
            raise
        session.clear()
        login_user(user)
        session.permanent = True
        log.info("set_up", user=user.name)
        return redirect(url_for("live.page"))
    return render_template("auth/setup.html", form=form)
