"""The queue of deliveries: what is to be told is written down first, then sent, retried, and given up in the end.

Any number of processes may work on it: a delivery is taken by an update that only one of them gets through, for
LEASE; one that dies meanwhile leaves it to the others. So a message can come twice, with the same identity, but never
not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from dashboard.notify import browsers
from dashboard.notify.channels import Channel, DeliveryError, Message, channels
from dashboard.notify.push import Browser, GoneError, Push
from dashboard.said import said
from spotter.alert_words import URGENT, headline, subject, words
from spotter.catalog import Catalog, Language
from spotter.database.tables import AlertRow, DeliveryRow
from spotter.events import format_time
from spotter.settings import Settings

log = structlog.get_logger()

EVERY_SECONDS = 2.0
NEWS = timedelta(hours=1)
"""Older alerts are not told of when notifications are switched on."""
LONGEST_OPEN = timedelta(days=30)
"""The end of one that was open for longer is not told of."""
LEASE = timedelta(minutes=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
MOST_TRIES = 12
"""With the waits between, about four hours."""
BATCH = 20


@dataclass(frozen=True, slots=True)
class Way:
    """One way to tell somebody, or a program."""

    send: Callable[[Message], None]
    language: Language
    kinds: frozenset[str]
    since: datetime | None = None
    """Only of alerts that were raised after."""
    for_programs: bool = False
    """Told of ends as well, and of what is over by now."""


class Sender:
    """Tells of one site's alerts. `step` does what is due now; `start` does so again and again in a thread."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        catalog: Catalog,
        push: Push,
        given: Mapping[str, Channel] | None = None,
    ) -> None:
        self._settings, self._engine, self._catalog, self._push = settings, engine, catalog, push
        known, kinds = channels(settings.notify) if given is None else given, frozenset(settings.notify.kinds)
        self._ways = {
            name: Way(send, settings.notify.language, kinds, for_programs=name == "webhook")
            for name, send in known.items()
        }
        self._zone = ZoneInfo(settings.timezone)
        self._stop = threading.Event()
        self._waits = False

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="notify", daemon=True).start()

    def stop(self) -> None:
        """End soon; what is being sent is sent."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._try_step()

    def _try_step(self) -> None:
        try:
            self.step(datetime.now(timezone.utc))
            self._waits = False
        except SQLAlchemyError as error:
            if not self._waits:  # said once, until the database answers again
                log.error("notifications_wait", reason=type(error).__name__)
            self._waits = True

    def step(self, now: datetime) -> int:
        """Write down what is new and send what is due; gives how many messages were sent."""
        with self._engine.connect() as connection:
            ways = {**self._ways, **self._browsers(connection)}
        if not ways:
            return 0
        with self._engine.begin() as connection:
            self._note(connection, ways, now)
        if is_quiet(self._settings, now.astimezone(self._zone).time()):
            return 0
        sent = 0
        with self._engine.connect() as connection:
            row = DeliveryRow
            due = (row.site == self._settings.site, row.state == "waiting", row.next_at <= now)
            query = select(row.alert, row.event, row.channel, row.tries).where(*due, row.channel.in_(ways))
            waiting = connection.execute(query.order_by(row.next_at).limit(BATCH)).all()
        for alert, event, channel, tries in waiting:
            if self._stop.is_set():
                break
            sent += self._deliver(alert, event, channel, ways[channel], tries, now)
        return sent

    def _browsers(self, connection: Connection) -> dict[str, Way]:
        """Those that want to be told."""
        kinds = frozenset(self._settings.notify.kinds)
        return {
            browsers.channel_of(row.id): Way(
                partial(self._show, row.id, Browser(row.endpoint, row.p256dh, row.auth)),
                "ko" if row.language == "ko" else "en",
                kinds & set(row.kinds),
                row.created_at,
            )
            for row in browsers.of_site(connection, self._settings.site)
        }

    def _show(self, number: int, browser: Browser, message: Message) -> None:
        """Show a notification in a browser, which is forgotten where it wants none any more."""
        body = "\n".join(part for part in (self._settings.site, message.detail) if part)
        alert = message.content["alert"]
        shown = {"title": message.content["title"], "body": body, "url": f"/alerts#alert-{alert}", "tag": alert}
        try:
            urgent = message.content["kind"] in URGENT
            self._push.send(browser, replace(message, content=shown), urgent=urgent)
        except GoneError:
            with self._engine.begin() as connection:
                browsers.remove(connection, number)
            raise

    def _note(self, connection: Connection, ways: Mapping[str, Way], now: datetime) -> None:
        """A delivery for each new thing to tell, by each way."""
        row, told = AlertRow, DeliveryRow
        query = select(row.id, row.kind, row.raised_at, row.cleared_at).where(
            row.site == self._settings.site,
            row.kind.in_(self._settings.notify.kinds),
            row.raised_at > now - LONGEST_OPEN,  # by the index, however many alerts there were
            or_(row.raised_at > now - NEWS, row.cleared_at > now - NEWS),
        )
        found = connection.execute(query).all()
        ids = [one.id for one in found]
        written = connection.execute(select(told.alert, told.event, told.channel).where(told.alert.in_(ids)))
        known = {(alert, event, channel) for alert, event, channel in written}
        for alert, kind, raised_at, cleared_at in found:
            for channel, way in ways.items():
                if kind not in way.kinds or (way.since is not None and raised_at < way.since):
                    continue
                events = ["raised"]
                # Of an end only a program is told, and only if it was told of the beginning.
                if way.for_programs and cleared_at is not None and (alert, "raised", channel) in known:
                    events.append("cleared")
                for event in events:
                    if (alert, event, channel) not in known:
                        _add(connection, self._settings.site, alert, event, channel, now)

    def _deliver(self, alert: str, event: str, channel: str, way: Way, tries: int, now: datetime) -> int:
        row = DeliveryRow
        mine = (row.alert == alert, row.event == event, row.channel == channel)
        with self._engine.begin() as connection:
            taken = update(row).where(*mine, row.state == "waiting", row.next_at <= now).values(next_at=now + LEASE)
            if connection.execute(taken).rowcount != 1:
                return 0
            found = Session(connection).get(AlertRow, alert)
        if found is None or (event == "raised" and found.cleared_at is not None and not way.for_programs):
            self._end(mine, state="skipped", error=None)
            return 0
        try:
            way.send(_message(found, event, self._settings, self._catalog, way.language, now))
        except GoneError:
            self._end(mine, state="skipped", error=None)
            return 0
        except DeliveryError as error:
            failed = tries + 1 >= MOST_TRIES
            wait = min(FIRST_WAIT * 2**tries, LONGEST_WAIT)
            log.warning("not_delivered", alert=alert, channel=channel, tries=tries + 1, reason=str(error))
            state = "failed" if failed else "waiting"
            self._end(mine, state=state, tries=tries + 1, next_at=now + wait, error=str(error))
            return 0
        self._end(mine, state="sent", tries=tries + 1, sent_at=now, error=None)
        log.info("delivered", alert=alert, notified=event, channel=channel)
        return 1

    def _end(self, mine: tuple[object, ...], **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(DeliveryRow).where(*mine).values(values))  # type: ignore[arg-type]


def is_quiet(settings: Settings, clock: time) -> bool:
    """Whether nobody is to be told at a local time; quiet hours may go past midnight."""
    notify = settings.notify
    if notify.quiet_from is None or notify.quiet_to is None:
        return False
    begin, end = time.fromisoformat(notify.quiet_from), time.fromisoformat(notify.quiet_to)
    return begin <= clock < end if begin <= end else clock >= begin or clock < end


def trial_message(settings: Settings, now: datetime) -> Message:
    """What `spotter notify test` sends."""
    text = f"This is a test from Spotter at {settings.site}: messages get through."
    content = {"type": "test", "site": settings.site, "time": format_time(now)}
    return Message(f"test-{format_time(now)}", f"[Spotter {settings.site}] Test", text, content, now)


def _add(connection: Connection, site: str, alert: str, event: str, channel: str, now: datetime) -> None:
    values = {
        "alert": alert,
        "event": event,
        "channel": channel,
        "site": site,
        "state": "waiting",
        "tries": 0,
        "next_at": now,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(DeliveryRow).values(values))
    except IntegrityError:
        return  # another process was quicker


def _message(
    row: AlertRow, event: str, settings: Settings, catalog: Catalog, language: Language, now: datetime
) -> Message:
    zone = ZoneInfo(settings.timezone)
    about = subject(catalog, language, camera=row.camera, zone=row.zone, unit=row.unit, equipment=row.equipment)
    title = headline(row.kind, about, language)
    moment = row.cleared_at if event == "cleared" and row.cleared_at else row.raised_at
    detail = (row.cleared_detail or "") if event == "cleared" else row.detail
    told = said(detail, language, catalog)
    lines = [
        title,
        words(row.kind, language).meaning,
        "",
        f"{moment.astimezone(zone).strftime('%Y-%m-%d %H:%M:%S')} {settings.timezone}",
        told,
    ]
    if settings.dashboard.url:
        lines += ["", f"{settings.dashboard.url.rstrip('/')}/alerts#alert-{row.id}"]
    content = {
        "type": event,
        "alert": row.id,
        "kind": row.kind,
        "site": row.site,
        "camera": row.camera,
        "zone": row.zone,
        "unit": row.unit,
        "equipment": row.equipment,
        "time": format_time(moment),
        "detail": detail,
        "title": title,
    }
    return Message(f"{row.id}-{event}", f"[Spotter {row.site}] {title}", "\n".join(lines), content, now, told)
