"""Signing in and out, the one-time set-up, and the rule that everything else needs it."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, cast

import structlog
from flask import (
    Blueprint,
    Flask,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as WerkzeugResponse
from wtforms import PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, EqualTo, Length

from dashboard import api_access, database, rights, users
from dashboard.context import current
from dashboard.keys import SetupLink
from dashboard.people import audit, lockout, sign_ins, two_step
from dashboard.security import client_address, limiter, safe_next
from spotter.database.people_tables import UserRow

log = structlog.get_logger()

bp = Blueprint("auth", __name__)

ANSWERED_WITH_401 = {
    "live.events",
    "live.state",
    "live.preview",
    "live.thoughts",
    "kiosk.events",
    "kiosk.state",
    "layouts.save",
    "labelling.save",
    "labelling.suggest",
    "push.subscribe",
}
"""Asked for by scripts, which a redirect to a page would only confuse. Their errors are JSON, too."""

ADDRESS_LIMIT = "30 per minute"
GUESS_LIMIT = "5 per minute; 30 per hour"
"""For one name from one address: enough for a person's typing errors, far too few for a list of passwords. Guesses
from many addresses run into `people.lockout`."""

SECOND_STEP_SECONDS = 300
_HALF = "half_signed_in"

HOMES = {"owner": "today.page", "trainer": "today.page", "viewer": "today.page", "kiosk": "kiosk.index"}
"""Where each role begins. A kiosk may sign in as somebody who can do more."""


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


class CodeForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """The code of the second step."""

    code = StringField(
        _l("Code"),
        [DataRequired(_l("Type the code.")), Length(max=40)],
        description=_l("Six digits from the app on your phone, or one of your recovery codes."),
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )
    submit = SubmitField(_l("Go on"))


class NewPersonForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A new person's name and password."""

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

    def refuse(self, error: users.UserError) -> None:
        """Show what is wrong with what was chosen."""
        text = str(error)
        self.password.errors = [*self.password.errors, f"{text[0].upper()}{text[1:]}."]


def init_app(app: Flask) -> None:
    """Load who is signed in, and turn everybody else away."""
    # Templates ask `person()` instead: an error page must not ask a database that does not answer.
    manager = LoginManager()
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = "basic"

    def load(token: str) -> users.User | None:
        site = current().settings.site
        found = sign_ins.find(database.session(), token, site, datetime.now(timezone.utc), client_address())
        if found is not None and found.renewed and found.role == "kiosk":
            session.modified = True  # sends the cookie again, with a new age
        return found

    manager.user_loader(load)
    app.before_request(_require_right)
    app.context_processor(lambda: {"may": may})
    app.register_blueprint(bp)


def is_signed_in() -> bool:
    """Whether the one who asks is signed in."""
    return bool(current_user.is_authenticated)


def person() -> users.User | None:
    """Who is signed in."""
    return cast(users.User, current_user) if is_signed_in() else None


def role_name(role: str) -> str:
    """What a role is called in the language of the one who asks."""
    return str(gettext(rights.NAMES.get(role, role)))


def somebody() -> users.User:
    """Who is signed in, where rights have seen to it that somebody is."""
    return cast(users.User, current_user)


def may(endpoint: str) -> bool:
    """Whether who asks may also ask for `endpoint`; pages show no link that leads to a refusal."""
    user = person()
    return rights.may(user.role if user else rights.STRANGER, endpoint)


def home(role: str) -> str:
    """The first page of a role."""
    return url_for(HOMES[role])


def enter(user: UserRow, role: str, how: str) -> None:
    """Sign `user` in at this browser and commit, with a line in the log."""
    opened, site = database.session(), current().settings.site
    now, device = datetime.now(timezone.utc), request.headers.get("User-Agent", "")
    token = sign_ins.begin(opened, user.id, site, now, client_address(), device)
    audit.record(opened, site, user.name, "signed_in", user.name, how=how)
    opened.commit()
    session.clear()  # nothing of a stranger's session is carried into a signed-in one
    login_user(users.User(user.id, user.name, role, token))
    session.permanent = True


def _require_right() -> ResponseReturnValue | None:
    """Refuse by default: what `rights.RIGHTS` does not give to a role, it may not ask for."""
    if rights.is_open():
        return None
    if api_access.is_api() and request.authorization is not None:
        return api_access.judge_token()
    user = person()
    if user is not None:
        if not rights.may(user.role, request.endpoint):
            abort(403)
        return None
    if request.endpoint in ANSWERED_WITH_401 or request.path.startswith("/api/"):
        abort(401)
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
    target = safe_next(request.args.get("next"))
    user = person()
    if user is not None and user.role != "kiosk":
        return redirect(target or home(user.role))
    form = LoginForm()
    code = 200
    if form.validate_on_submit():
        opened, now = database.session(), datetime.now(timezone.utc)
        tried = lockout.attempt(form.name.data)
        if lockout.is_locked(opened, tried, now):
            log.warning("sign_in_locked", address=client_address())
            flash(_locked_text(), "danger")
            code = 429
        else:
            row = users.authenticate(opened, form.name.data, form.password.data)
            role = users.role_at(opened, row.id, current().settings.site) if row else None
            if row is not None and role is not None:
                if two_step.is_on(opened, row.id):
                    session[_HALF] = {"user": row.id, "at": time.time(), "next": target}
                    return redirect(url_for("auth.second_step"))
                return _let_in(row, role, "password", target)
            _refuse(tried, now, users.known_name(opened, form.name.data))
            flash(gettext("That name and password do not fit together."), "danger")
    return render_template("auth/login.html", form=form, set_up=database.any_user()), code


@bp.route("/login/code", methods=["GET", "POST"])
@limiter.limit(GUESS_LIMIT, exempt_when=_is_get)
def second_step() -> ResponseReturnValue:
    """Where who has a second step types its code, within five minutes of the password."""
    half: dict[str, Any] = session.get(_HALF) or {"at": 0}
    opened = database.session()
    row = opened.get(UserRow, half["user"]) if time.time() - half["at"] < SECOND_STEP_SECONDS else None
    role = users.role_at(opened, row.id, current().settings.site) if row else None
    if row is None or role is None:
        session.pop(_HALF, None)
        return redirect(url_for("auth.login"))
    form = CodeForm()
    code = 200
    if form.validate_on_submit():
        now, tried = datetime.now(timezone.utc), lockout.attempt(row.name)
        if lockout.is_locked(opened, tried, now):
            flash(_locked_text(), "danger")
            code = 429
        elif two_step.take(opened, row.id, form.code.data, now):
            return _let_in(row, role, "two steps", half["next"])
        else:
            _refuse(tried, now, row.name)
            flash(gettext("That code does not fit. Codes change every 30 seconds, and each works once."), "danger")
    return render_template("auth/second_step.html", form=form), code


def _let_in(row: UserRow, role: str, how: str, target: str | None) -> WerkzeugResponse:
    lockout.forgive_device(database.session(), lockout.attempt(row.name))
    enter(row, role, how)
    response = make_response(redirect(target or home(role)))
    lockout.mark(response, row.name)
    return response


def _refuse(tried: lockout.Attempt, now: datetime, known_name: str) -> None:
    log.warning("sign_in_refused", address=client_address())
    opened = database.session()
    if lockout.failed(opened, tried, now):
        audit.record(opened, current().settings.site, "", "locked_out", known_name)
        opened.commit()


def _locked_text() -> str:
    return str(
        gettext(
            "Too many wrong passwords for that name. Wait %(minutes)s minutes, use a device on which you signed in "
            "before, or ask an owner to unlock it.",
            minutes=int(lockout.LOCKED.total_seconds() // 60),
        )
    )


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out; a form with a CSRF token, so that no other site can do it."""
    sign_ins.end(database.session(), somebody().token)
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


@bp.route("/setup/<token>", methods=["GET", "POST"])
@limiter.limit(ADDRESS_LIMIT)
def setup(token: str) -> ResponseReturnValue:
    """Where the printed link leads: the first person chooses a name and password, and owns every site."""
    link = SetupLink(current().settings.data)
    if not link.fits(token) or database.any_user():
        return render_template("auth/setup_refused.html", set_up=database.any_user()), 404
    form = NewPersonForm()
    if form.validate_on_submit():
        try:
            users.check_password(users.clean_name(form.name.data), form.password.data)
        except users.UserError as error:
            form.refuse(error)
            return render_template("auth/setup.html", form=form)
        if not link.use(token):
            abort(404)
        try:
            row = users.add_user(database.session(), form.name.data, form.password.data, "owner")
        except Exception:
            link.give_back(token)
            raise
        return _let_in(row, "owner", "set-up link", None)
    return render_template("auth/setup.html", form=form)
