"""Where an invitation's link leads: somebody new chooses a name and password, or a tablet becomes a kiosk."""

from __future__ import annotations

from datetime import datetime, timezone

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from dashboard import auth, database, users
from dashboard.auth import ADDRESS_LIMIT, NewPersonForm
from dashboard.context import current
from dashboard.people import audit, invitations, lockout
from dashboard.security import limiter
from spotter.database.people_tables import InvitationRow

bp = Blueprint("join", __name__)


@bp.route("/join/<token>", methods=["GET", "POST"])
@limiter.limit(ADDRESS_LIMIT)
def accept(token: str) -> ResponseReturnValue:
    """Accept an invitation; its link works once."""
    opened, site, now = database.session(), current().settings.site, datetime.now(timezone.utc)
    invitation = invitations.find(opened, site, token, now)
    if invitation is None:
        return render_template("people/join_refused.html"), 404
    if invitation.role == "kiosk":
        return _pair(invitation)
    form = NewPersonForm()
    if form.validate_on_submit():
        try:
            row = users.join(opened, form.name.data, form.password.data, invitation.role, site)
        except users.UserError as error:
            form.refuse(error)
        else:
            role, by = invitation.role, invitation.created_by
            if not invitations.use_up(opened, invitation.id):
                opened.rollback()
                return render_template("people/join_refused.html"), 404
            audit.record(opened, site, row.name, "joined", row.name, role=role, invited_by=by)
            auth.enter(row, role, "invitation")
            response = make_response(redirect(auth.home(role)))
            lockout.mark(response, row.name)
            return response
    return render_template("people/join.html", form=form, invitation=invitation)


def _pair(invitation: InvitationRow) -> ResponseReturnValue:
    """Make the device that opened the link a kiosk, once somebody says so on it."""
    opened, site = database.session(), current().settings.site
    problem = None
    if request.method == "POST":
        identity, by = invitation.id, invitation.created_by
        try:
            row = users.add_tablet(opened, invitation.note, site)
        except users.UserError as error:
            problem = str(error)
            invitation = opened.get_one(InvitationRow, identity)
        else:
            if not invitations.use_up(opened, identity):
                opened.rollback()
                return render_template("people/join_refused.html"), 404
            audit.record(opened, site, row.name, "joined", row.name, role="kiosk", invited_by=by)
            auth.enter(row, "kiosk", "invitation")
            return redirect(auth.home("kiosk"))
    return render_template("people/pair.html", invitation=invitation, problem=problem)
