"""Who may do what here, and who did what, over the HTTP API, to read: for owners and tokens with `people:read`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, Field

from dashboard import api, database, users
from dashboard.api_access import LIMIT, PREFIX, who
from dashboard.context import current
from dashboard.people import audit, invitations, lockout, sign_ins, two_step
from dashboard.people import tokens as api_tokens
from dashboard.security import limiter
from spotter.database.people_tables import EVERY_SITE
from spotter.events import UtcTime

bp = APIBlueprint("people_api", __name__, url_prefix=PREFIX, tag="Spotter")
limiter.limit(LIMIT, key_func=who)(bp)
bp.after_request(api.tag)

LARGEST_ID = 2**63 - 1


class PersonOut(BaseModel):
    """A person, or a kiosk's tablet."""

    name: str
    role: str
    every_site: bool = Field(description="the role holds at every site of this database")
    two_step: bool = Field(description="signing in takes a code, too")
    locked: bool = Field(description="after too many wrong passwords, for a quarter of an hour")
    since: UtcTime


class PeopleOut(BaseModel):
    """Everybody who may sign in here, by name."""

    people: list[PersonOut]


class InvitationOut(BaseModel):
    """A link that was not used yet; the link itself nobody can read again."""

    note: str
    role: str
    by: str
    made: UtcTime
    ends: UtcTime


class InvitationsOut(BaseModel):
    """Invitations that work, newest first."""

    invitations: list[InvitationOut]


class SignInOut(BaseModel):
    """A browser in which somebody is signed in."""

    name: str
    began: UtcTime
    seen: UtcTime
    ends: UtcTime
    address: str
    device: str = Field(description="what the browser calls itself")


class SignInsOut(BaseModel):
    """Sign-ins at this site, last seen first."""

    sign_ins: list[SignInOut]


class TokenOut(BaseModel):
    """A token of this API; the token itself nobody can read again."""

    name: str
    scopes: list[str]
    by: str
    made: UtcTime
    ends: UtcTime | None
    used: UtcTime | None = Field(description="to within five minutes; null: never")


class TokensOut(BaseModel):
    """Tokens of this site."""

    tokens: list[TokenOut]


class LogQuery(BaseModel):
    """Which lines."""

    by: str = Field("", description="only what this person, or `token NAME`, did")
    before: int | None = Field(None, ge=1, le=LARGEST_ID, description="`next` of the page before")
    limit: int = Field(100, ge=1, le=500)


class LineOut(BaseModel):
    """Who did what."""

    line: int
    at: UtcTime
    by: str = Field(description="empty for a stranger")
    action: str
    subject: str
    detail: dict[str, Any]
    address: str


class LogOut(BaseModel):
    """A page of the log, newest first."""

    lines: list[LineOut]
    next: int | None = Field(description="`before` of the next, older page; null on the last one")


@bp.get("/people")
@bp.output(PeopleOut)
def people() -> PeopleOut:
    """Who may sign in here, and as what."""
    opened = database.session()
    found = users.of_site(opened, current().settings.site)
    locked = lockout.locked_names(opened, [user.name for user, _ in found], datetime.now(timezone.utc))
    return PeopleOut(
        people=[
            PersonOut(
                name=user.name,
                role=role.role,
                every_site=role.site == EVERY_SITE,
                two_step=two_step.is_on(opened, user.id),
                locked=user.name in locked,
                since=user.created_at,
            )
            for user, role in found
        ]
    )


@bp.get("/people/invitations")
@bp.output(InvitationsOut)
def open_invitations() -> InvitationsOut:
    """Links that nobody has used yet."""
    found = invitations.open_ones(database.session(), current().settings.site, datetime.now(timezone.utc))
    return InvitationsOut(
        invitations=[
            InvitationOut(note=row.note, role=row.role, by=row.created_by, made=row.created_at, ends=row.expires_at)
            for row in found
        ]
    )


@bp.get("/people/sign-ins")
@bp.output(SignInsOut)
def all_sign_ins() -> SignInsOut:
    """In which browsers people are signed in."""
    found = sign_ins.of_site(database.session(), current().settings.site, datetime.now(timezone.utc))
    return SignInsOut(
        sign_ins=[
            SignInOut(
                name=name,
                began=row.created_at,
                seen=row.seen_at,
                ends=row.expires_at,
                address=row.address,
                device=row.device,
            )
            for row, name in found
        ]
    )


@bp.get("/people/tokens")
@bp.output(TokensOut)
def tokens() -> TokensOut:
    """Which programs may ask here, and for what."""
    return TokensOut(
        tokens=[
            TokenOut(
                name=row.name,
                scopes=row.scopes,
                by=row.created_by,
                made=row.created_at,
                ends=row.expires_at,
                used=row.used_at,
            )
            for row in api_tokens.of_site(database.session(), current().settings.site)
        ]
    )


@bp.get("/people/log")
@bp.input(LogQuery, location="query", arg_name="query")
@bp.output(LogOut)
def log(query: LogQuery) -> LogOut:
    """Who did what, newest first, page by page."""
    found, older = audit.page(
        database.session(), current().settings.site, query.before, query.by.strip() or None, query.limit
    )
    return LogOut(
        lines=[
            LineOut(
                line=row.id,
                at=row.at,
                by=row.actor,
                action=row.action,
                subject=row.subject,
                detail=row.detail,
                address=row.address,
            )
            for row in found
        ],
        next=older,
    )
