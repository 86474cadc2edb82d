"""The owner's pages: who may do what here, invitations, sign-ins and the log."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, SubmitField
from wtforms.validators import Length

from dashboard import database, users
from dashboard.auth import role_name, somebody
from dashboard.context import current
from dashboard.language import mark
from dashboard.people import audit, invitations, lockout, sign_ins, two_step
from dashboard.rights import EXPLAINED, PEOPLES_ROLES, ROLES
from spotter.database.people_tables import EVERY_SITE, InvitationRow, SignInRow, SiteRoleRow, UserRow

bp = Blueprint("people", __name__, url_prefix="/people")

ACTIONS = {
    "signed_in": mark("signed in"),
    "locked_out": mark("was locked out after wrong passwords"),
    "unlocked": mark("unlocked"),
    "invited": mark("invited"),
    "invitation_withdrawn": mark("withdrew the invitation of"),
    "joined": mark("joined"),
    "user_added": mark("added"),
    "role_changed": mark("changed the role of"),
    "removed": mark("took away all rights of"),
    "password_changed": mark("changed the password of"),
    "two_step_on": mark("turned two-step sign-in on for"),
    "two_step_off": mark("turned two-step sign-in off for"),
    "notifications_on": mark("turned notifications on in a browser of"),
    "notifications_off": mark("turned notifications off in a browser of"),
    "token_issued": mark("made the API token"),
    "token_revoked": mark("revoked the API token"),
    "alert_acknowledged": mark("saw to the alert"),
    "session_reviewed": mark("reviewed the session"),
    "session_relabel": mark("renamed the equipment of the session"),
    "session_discard": mark("took away the session"),
    "session_merge": mark("put the session together with the next"),
    "session_split": mark("split the session"),
    "session_undo": mark("took back a correction of the session"),
    "layout_saved": mark("changed the zones of camera"),
    "layout_restored": mark("went back to the layout of version"),
    "labels_begun": mark("began the set of pictures"),
    "labels_deleted": mark("deleted the set of pictures"),
    "labels_photos_added": mark("added photos to the set"),
    "labels_photo_deleted": mark("deleted the photo"),
    "labels_saved": mark("saved the boxes of the photo"),
    "service_start": mark("began to service"),
    "service_done": mark("serviced"),
    "sign_in_ended": mark("ended a sign-in of"),
    "sign_ins_ended": mark("ended the other sign-ins of"),
}
"""Each action of the log in words. An action that is not here is shown as it is."""


class InviteForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Whom to invite as what."""

    role = SelectField(_l("Role"), default="viewer")
    note = StringField(_l("For (your note)"), [Length(max=64)])
    submit = SubmitField(_l("Make a link"))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.role.choices = [(role, f"{role_name(role)}: {gettext(EXPLAINED[role])}") for role in ROLES]


@bp.get("")
def index() -> ResponseReturnValue:
    """Who may do what at this site."""
    return _page(InviteForm())


@bp.post("/invitations")
def invite() -> ResponseReturnValue:
    """Make an invitation and show its link, this once."""
    form, opened, site, user = InviteForm(), database.session(), current().settings.site, somebody()
    if not form.validate_on_submit():
        return _page(form), 422
    note = (form.note.data or "").strip()
    if form.role.data == "kiosk" and not note:
        form.note.errors = [*form.note.errors, gettext("Give the tablet a name.")]
        return _page(form), 422
    token = invitations.invite(opened, site, form.role.data, note, user.name, datetime.now(timezone.utc))
    audit.record(opened, site, user.name, "invited", note, role=form.role.data)
    opened.commit()
    return _page(InviteForm(formdata=None), url_for("join.accept", token=token, _external=True))


@bp.post("/invitations/<identity>/withdraw")
def withdraw(identity: str) -> ResponseReturnValue:
    """Take an invitation back."""
    opened, site = database.session(), current().settings.site
    row = opened.get(InvitationRow, identity)
    if row is None or row.site != site:
        abort(404)
    audit.record(opened, site, somebody().name, "invitation_withdrawn", row.note, role=row.role)
    opened.delete(row)
    opened.commit()
    return redirect(url_for("people.index"))


@bp.post("/<int:number>/role")
def change_role(number: int) -> ResponseReturnValue:
    """Give somebody another role at this site."""
    opened, site = database.session(), current().settings.site
    user, old = _found(number)
    role = request.form.get("role", "")
    if role not in PEOPLES_ROLES or old.role == "kiosk":
        abort(400)
    if role != "owner" and _is_last_owner(user):
        _say_last_owner(user.name)
        return redirect(url_for("people.index"))
    if role != old.role:
        opened.merge(SiteRoleRow(user_id=user.id, site=site, role=role))
        audit.record(opened, site, somebody().name, "role_changed", user.name, before=old.role, after=role)
        opened.commit()
        flash(gettext("%(name)s is now %(role)s.", name=user.name, role=role_name(role)), "info")
    return redirect(url_for("people.index"))


@bp.post("/<int:number>/remove")
def remove(number: int) -> ResponseReturnValue:
    """Take all of somebody's rights at this site; who has none anywhere is deleted."""
    opened, site = database.session(), current().settings.site
    user, role = _found(number)
    name = user.name
    if _is_last_owner(user):
        _say_last_owner(name)
        return redirect(url_for("people.index"))
    # Asked for by itself: a role at this site hides it, and without that one it would hold again.
    if opened.get(SiteRoleRow, (user.id, EVERY_SITE)) is not None:
        text = mark("%(name)s has a role at every site. Take it away on the machine: spotter user remove %(name)s")
        flash(gettext(text, name=name), "danger")
        return redirect(url_for("people.index"))
    users.leave(opened, user, site)
    audit.record(opened, site, somebody().name, "removed", name, role=role.role)
    opened.commit()
    flash(gettext("%(name)s may no longer sign in here.", name=name), "info")
    return redirect(url_for("people.index"))


@bp.post("/<int:number>/unlock")
def unlock(number: int) -> ResponseReturnValue:
    """Forget somebody's wrong passwords."""
    opened, site = database.session(), current().settings.site
    user, _ = _found(number)
    lockout.forgive(opened, user.name)
    audit.record(opened, site, somebody().name, "unlocked", user.name)
    opened.commit()
    return redirect(url_for("people.index"))


@bp.get("/sign-ins")
def all_sign_ins() -> ResponseReturnValue:
    """Every browser in which somebody is signed in at this site."""
    found = sign_ins.of_site(database.session(), current().settings.site, datetime.now(timezone.utc))
    return render_template("people/sign_ins.html", sign_ins=found, zone=current().zone)


@bp.post("/sign-ins/<identity>/end")
def end_sign_in(identity: str) -> ResponseReturnValue:
    """End anybody's sign-in at this site."""
    opened, site = database.session(), current().settings.site
    row = opened.get(SignInRow, identity)
    if row is None or row.site != site:
        abort(404)
    name = opened.get_one(UserRow, row.user_id).name
    audit.record(opened, site, somebody().name, "sign_in_ended", name, device=row.device)
    opened.delete(row)
    opened.commit()
    return redirect(url_for("people.all_sign_ins"))


@bp.get("/log")
def log() -> ResponseReturnValue:
    """Who did what, newest first."""
    before = request.args.get("before", type=int)
    actor = request.args.get("by", "").strip() or None
    # An id beyond the largest of the database would be an error there.
    before = min(before, 2**63 - 1) if before is not None and before > 0 else None
    lines, older = audit.page(database.session(), current().settings.site, before, actor)
    return render_template(
        "people/log.html",
        lines=lines,
        actor=actor,
        actions=ACTIONS,
        older=url_for("people.log", before=older, by=actor) if older else None,
        newest=url_for("people.log", by=actor) if before else None,
        zone=current().zone,
    )


def _page(form: InviteForm, link: str | None = None) -> str:
    opened, site, now = database.session(), current().settings.site, datetime.now(timezone.utc)
    people = users.of_site(opened, site)
    return render_template(
        "people/people.html",
        form=form,
        link=link,
        people=people,
        two_step={user.id for user, _ in people if two_step.is_on(opened, user.id)},
        locked=lockout.locked_names(opened, [user.name for user, _ in people], now),
        invitations=invitations.open_ones(opened, site, now),
        roles=PEOPLES_ROLES,
        every_site=EVERY_SITE,
        zone=current().zone,
    )


def _say_last_owner(name: str) -> None:
    flash(gettext("%(name)s is the only owner here. Make somebody else an owner first.", name=name), "danger")


def _found(number: int) -> tuple[UserRow, SiteRoleRow]:
    people = {user.id: (user, role) for user, role in users.of_site(database.session(), current().settings.site)}
    if number not in people:
        abort(404)
    return people[number]


def _is_last_owner(user: UserRow) -> bool:
    people = users.of_site(database.session(), current().settings.site)
    return {one.id for one, role in people if role.role == "owner"} == {user.id}
