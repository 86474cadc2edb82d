"""Who may ask for what: every route and the roles that may use it, in one table. What is not in it is shut."""

from __future__ import annotations

from typing import Literal, get_args

from flask import request

from dashboard.language import mark

Role = Literal["owner", "trainer", "viewer", "kiosk"]
ROLES: tuple[Role, ...] = get_args(Role)

PEOPLES_ROLES: tuple[Role, ...] = ("owner", "trainer", "viewer")
"""Those of people; a kiosk is a tablet."""

NAMES: dict[str, str] = {
    "owner": mark("owner"),
    "trainer": mark("trainer"),
    "viewer": mark("viewer"),
    "kiosk": mark("kiosk"),
}

EXPLAINED: dict[Role, str] = {
    "owner": mark("everything, and who else may do what"),
    "trainer": mark("everything but people, tokens and the log"),
    "viewer": mark("the live page and the figures, but no single session"),
    "kiosk": mark("a tablet that is a kiosk and nothing else"),
}

STRANGER = "stranger"
"""Somebody who is not signed in."""

OWNERS = frozenset({"owner"})
TRAINERS = OWNERS | {"trainer"}
VIEWERS = TRAINERS | {"viewer"}
ANYBODY_SIGNED_IN = VIEWERS | {"kiosk"}
EVERYBODY = ANYBODY_SIGNED_IN | {STRANGER}

RIGHTS: dict[str, frozenset[str]] = {
    "static": EVERYBODY,
    "bootstrap.static": EVERYBODY,
    "favicon": EVERYBODY,
    "auth.login": EVERYBODY,
    "auth.second_step": EVERYBODY,
    "auth.setup": EVERYBODY,
    "language.choose": EVERYBODY,
    "auth.logout": ANYBODY_SIGNED_IN,
    "join.accept": EVERYBODY,
    "health.healthz": EVERYBODY,
    "health.livez": EVERYBODY,
    "health.metrics": EVERYBODY,  # which lets in this machine and viewers only
    "today.page": VIEWERS,
    "today.chart": VIEWERS,
    "live.page": VIEWERS,
    "live.events": VIEWERS,
    "live.state": VIEWERS,
    "live.preview": VIEWERS,
    "live.camera": VIEWERS,
    "live.thoughts": VIEWERS,
    "alerts.index": VIEWERS,
    "alerts.acknowledge": TRAINERS,
    "alerts.service": TRAINERS,
    "report.page": VIEWERS,
    "report.chart": VIEWERS,
    "equipment.index": VIEWERS,
    "equipment.card": VIEWERS,
    "equipment.chart": VIEWERS,
    "layouts.index": TRAINERS,
    "layouts.editor": TRAINERS,
    "layouts.save": OWNERS,
    "layouts.restore": OWNERS,
    "labelling.index": TRAINERS,
    "labelling.create": TRAINERS,
    "labelling.pictures": TRAINERS,
    "labelling.add": TRAINERS,
    "labelling.remove_set": OWNERS,
    "labelling.download": TRAINERS,
    "labelling.editor": TRAINERS,
    "labelling.picture_file": TRAINERS,
    "labelling.save": TRAINERS,
    "labelling.suggest": TRAINERS,
    "labelling.remove": TRAINERS,
    "cards.index": EVERYBODY,
    "cards.card": EVERYBODY,
    "cards.qr": EVERYBODY,
    "identify.page": EVERYBODY,
    "identify.answer": EVERYBODY,
    "kiosk.index": ANYBODY_SIGNED_IN,
    "kiosk.page": ANYBODY_SIGNED_IN,
    "kiosk.events": ANYBODY_SIGNED_IN,
    "kiosk.state": ANYBODY_SIGNED_IN,
    "sessions.index": TRAINERS,
    "sessions.download": TRAINERS,
    "review.next_one": TRAINERS,
    "review.session": TRAINERS,
    "review.right": TRAINERS,
    "review.relabel": TRAINERS,
    "review.discard": TRAINERS,
    "review.merge": TRAINERS,
    "review.split": TRAINERS,
    "review.undo": TRAINERS,
    "review.corrections": TRAINERS,
    "review.download": TRAINERS,
    "account.index": VIEWERS,
    "account.change_password": VIEWERS,
    "account.end_sign_in": VIEWERS,
    "account.end_other_sign_ins": VIEWERS,
    "account.two_step_on": VIEWERS,
    "account.two_step_off": VIEWERS,
    "push.page": VIEWERS,
    "push.subscribe": VIEWERS,
    "push.test": VIEWERS,
    "push.stop": VIEWERS,
    "people.index": OWNERS,
    "people.change_role": OWNERS,
    "people.remove": OWNERS,
    "people.unlock": OWNERS,
    "people.invite": OWNERS,
    "people.withdraw": OWNERS,
    "people.all_sign_ins": OWNERS,
    "people.end_sign_in": OWNERS,
    "people.log": OWNERS,
    "tokens.index": OWNERS,
    "tokens.issue": OWNERS,
    "tokens.revoke": OWNERS,
    "openapi.spec": VIEWERS,
    "reference.page": VIEWERS,
    "api.sessions": TRAINERS,
    "api.one_session": TRAINERS,
    "api.live": VIEWERS,
    "api.events": VIEWERS,
    "api.cameras": VIEWERS,
    "api.one_camera": VIEWERS,
    "api.camera_thoughts": VIEWERS,
    "api.equipment_use": VIEWERS,
    "today_api.today": VIEWERS,
    "figures.figures": VIEWERS,
    "figures.figures_csv": VIEWERS,
    "figures.sites": VIEWERS,
    "figures.week": VIEWERS,
    "figures.week_csv": VIEWERS,
    "facts.alerts": VIEWERS,
    "facts.one_alert": VIEWERS,
    "facts.corrected": TRAINERS,
    "facts.versions": TRAINERS,
    "facts.one_layout": TRAINERS,
    "changes.acknowledge": TRAINERS,
    "changes.service_history": VIEWERS,
    "changes.service": TRAINERS,
    "changes.review": TRAINERS,
    "changes.relabel": TRAINERS,
    "changes.discard": TRAINERS,
    "changes.merge": TRAINERS,
    "changes.split": TRAINERS,
    "changes.undo": TRAINERS,
    "api.catalogue": VIEWERS,
    "api.catalogue_entry": VIEWERS,
    "labels_api.every_set": TRAINERS,
    "labels_api.one_set": TRAINERS,
    "labels_api.one_picture": TRAINERS,
    "labels_api.picture_file": TRAINERS,
    "people_api.people": OWNERS,
    "people_api.open_invitations": OWNERS,
    "people_api.all_sign_ins": OWNERS,
    "people_api.tokens": OWNERS,
    "people_api.log": OWNERS,
}

SCOPES: dict[str, str] = {
    "sessions:read": mark("read single sessions"),
    "sessions:write": mark("review and correct sessions"),
    "live:read": mark("read what goes on now, and cameras"),
    "equipment:read": mark("read how much equipment is used"),
    "equipment:write": mark("record services of units"),
    "alerts:read": mark("read alerts, and who saw to them"),
    "alerts:write": mark("see to alerts"),
    "layout:read": mark("read the zones, and who changed them"),
    "labels:read": mark("read pictures to label, and their boxes"),
    "people:read": mark("read who may do what here, and the log"),
}
"""What a token of the API may be given."""

NEEDED_SCOPE: dict[str, str | None] = {
    "openapi.spec": None,
    "api.sessions": "sessions:read",
    "api.one_session": "sessions:read",
    "api.live": "live:read",
    "api.events": "live:read",
    "api.cameras": "live:read",
    "api.one_camera": "live:read",
    "api.camera_thoughts": "live:read",
    "api.equipment_use": "equipment:read",
    "today_api.today": "equipment:read",
    "figures.figures": "equipment:read",
    "figures.figures_csv": "equipment:read",
    "figures.sites": "equipment:read",
    "figures.week": "equipment:read",
    "figures.week_csv": "equipment:read",
    "facts.alerts": "alerts:read",
    "facts.one_alert": "alerts:read",
    "facts.corrected": "sessions:read",
    "facts.versions": "layout:read",
    "facts.one_layout": "layout:read",
    "changes.acknowledge": "alerts:write",
    "changes.service_history": "equipment:read",
    "changes.service": "equipment:write",
    "changes.review": "sessions:write",
    "changes.relabel": "sessions:write",
    "changes.discard": "sessions:write",
    "changes.merge": "sessions:write",
    "changes.split": "sessions:write",
    "changes.undo": "sessions:write",
    "api.catalogue": None,
    "api.catalogue_entry": None,
    "labels_api.every_set": "labels:read",
    "labels_api.one_set": "labels:read",
    "labels_api.one_picture": "labels:read",
    "labels_api.picture_file": "labels:read",
    "people_api.people": "people:read",
    "people_api.open_invitations": "people:read",
    "people_api.all_sign_ins": "people:read",
    "people_api.tokens": "people:read",
    "people_api.log": "people:read",
}
"""What a token needs for each route; None: any token will do. What is not in it no token opens."""


def may(role: str, endpoint: str | None) -> bool:
    """Whether `role`, or STRANGER, may ask for `endpoint`. None is a path that leads nowhere: anybody may read so."""
    if endpoint is None:
        return role != "kiosk"
    return role in RIGHTS.get(endpoint, frozenset())


def is_open() -> bool:
    """Whether anybody at all may ask for what is asked for now."""
    return may(STRANGER, request.endpoint) if request.endpoint else False
