"""The browsers that are told of alerts: who wants to be told of what, in which one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.orm import Session

from dashboard.notify.push import Browser
from dashboard.rights import VIEWERS
from spotter.database.people_tables import EVERY_SITE, PushRow, SiteRoleRow, UserRow
from spotter.database.tables import DeliveryRow

MOST = 20
"""Browsers of one person; the oldest give way."""

_PREFIX = "push-"


def channel_of(number: int) -> str:
    """What deliveries to a browser are filed under."""
    return f"{_PREFIX}{number}"


def is_browser(channel: str) -> bool:
    """Whether a channel is a browser, and not mail or webhook."""
    return channel.startswith(_PREFIX)


def subscribe(
    session: Session,
    site: str,
    user: int,
    browser: Browser,
    kinds: Sequence[str],
    language: str,
    device: str,
    now: datetime,
) -> None:
    """Tell this browser of alerts of these kinds from now on, to be committed by the caller.

    A browser is told for whom signed in there last, and of what was chosen last.
    """
    hashed = hashlib.sha256(browser.endpoint.encode()).hexdigest()
    found = session.scalar(select(PushRow).where(PushRow.site == site, PushRow.endpoint_hash == hashed))
    if found is None:
        found = PushRow(site=site, endpoint_hash=hashed, endpoint=browser.endpoint, created_at=now)
        session.add(found)
    found.user_id, found.kinds, found.language = user, list(kinds), language
    found.p256dh, found.auth, found.device = browser.p256dh, browser.auth, device[:256]
    session.flush()
    for old in of_user(session, site, user)[MOST:]:
        remove(session.connection(), old.id)


def of_user(session: Session, site: str, user: int) -> list[PushRow]:
    """A person's browsers, newest first."""
    mine = select(PushRow).where(PushRow.site == site, PushRow.user_id == user)
    return list(session.scalars(mine.order_by(PushRow.created_at.desc(), PushRow.id.desc())))


def of_site(connection: Connection, site: str) -> list[PushRow]:
    """The browsers of all who may see alerts at a site."""
    may = select(SiteRoleRow.user_id).where(
        or_(SiteRoleRow.site == site, SiteRoleRow.site == EVERY_SITE), SiteRoleRow.role.in_(VIEWERS)
    )
    query = select(PushRow).where(PushRow.site == site, PushRow.user_id.in_(may)).order_by(PushRow.id)
    return list(Session(connection).scalars(query))


def remove(connection: Connection, number: int) -> None:
    """Tell a browser nothing more, what waits for it included."""
    row = DeliveryRow
    waits = update(row).where(row.channel == channel_of(number), row.state == "waiting")
    connection.execute(waits.values(state="skipped"))
    connection.execute(delete(PushRow).where(PushRow.id == number))


def owners(session: Session, channels: Iterable[str]) -> dict[str, str]:
    """Whose browsers they are, by channel; those that are gone, and other channels, are left out."""
    numbers = {int(channel.removeprefix(_PREFIX)) for channel in channels if is_browser(channel)}
    if not numbers:
        return {}
    query = select(PushRow.id, UserRow.name).join(UserRow, UserRow.id == PushRow.user_id)
    found = session.execute(query.where(PushRow.id.in_(numbers)))
    return {channel_of(number): name for number, name in found}
