"""`spotter bench dashboard`: every page and API call over a year of a busy gym: p95 of each, slowest queries."""

from __future__ import annotations

import io
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
import sqlalchemy
import yaml
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard import rights
from dashboard.app import create_app
from dashboard.bench import changes, surroundings, year
from dashboard.context import Context, attached
from dashboard.labelling import sets
from dashboard.labelling.sets import Box
from dashboard.labelling.views import FOLDER
from dashboard.people import invitations, sign_ins, tokens
from dashboard.security import limiter
from dashboard.server import settle
from dashboard.users import NO_PASSWORD
from spotter import settings as settings_module
from spotter.database.engine import open_database
from spotter.database.migrate import upgrade
from spotter.database.people_tables import EVERY_SITE, SiteRoleRow, UserRow
from spotter.database.tables import AlertRow, UsageSessionRow
from spotter.embedded.servers import with_embedded
from spotter.errors import SpotterError
from spotter.settings import Settings

GOAL_MS = 150
SLOWEST = 8
LEFT_OUT = {
    "live.events": "a stream",
    "kiosk.events": "a stream",
    "api.events": "a stream",
    "sessions.download": "all of five million sessions take as long as they take; a day of them is asked for",
    "auth.setup": "a link that works once",
    "auth.logout": "would end the measurement",
}
"""What is not asked for, and why; nor are the forms that change something, which do what the API's calls do."""

PERSON = "bench"
PICTURES = 80
"""Of the labelling set: two pages of them."""


@dataclass
class Asked:
    """A route's answers."""

    path: str
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    """Of the same answers, SQLite in them: what other work on the machine hardly changes."""

    @property
    def p95(self) -> float:
        """Milliseconds that 95 of 100 answers stay below."""
        return _p95(self.seconds)


@click.command()
@click.option("--sessions", type=click.IntRange(min=1000), default=5_000_000, show_default=True, help="In the year.")
@click.option("--rounds", type=click.IntRange(min=2), default=20, show_default=True, help="How often each is asked.")
@click.option(
    "--database",
    help="A database to fill, or one that this has filled before, such as postgresql+psycopg://…; a new SQLite file "
    "that is deleted afterwards unless given.",
)
def bench_dashboard(sessions: int, rounds: int, database: str | None) -> None:
    """Every page and API call over a year of 60 units: p95 of each route, and the slowest queries."""
    with (
        tempfile.TemporaryDirectory(prefix="spotter-bench-") as name,
        Progress(console=Console(stderr=True), transient=True) as progress,
        ExitStack() as around,
    ):
        folder = Path(name)
        settings = _settings(folder, database)
        embedded = around.enter_context(surroundings.running(settings.data))
        settings = with_embedded(settings)
        engine = open_database(settings.database_url)
        upgrade(engine)
        now = datetime.now(timezone.utc)
        if not year.built_sessions(engine):
            task = progress.add_task("building the year", total=1.0)
            began = time.monotonic()
            year.build(engine, sessions, now, lambda share: progress.update(task, completed=share))
            click.echo(f"built in {time.monotonic() - began:.0f} s", err=True)
        count = year.built_sessions(engine)
        app = create_app(settings)
        settle()  # as the server does
        limiter.enabled = False  # nobody asks for every page so often
        try:
            with _slow_queries(attached(app).engine) as queries:
                around.enter_context(surroundings.life(embedded, year.SITE, list(settings.cameras)))
                found = _ask_all(app, engine, now, rounds, progress)
        finally:
            limiter.enabled = True
            attached(app).watcher.stop()
            attached(app).engine.dispose()
            engine.dispose()
    _print(found, queries, f"{count:,} sessions, 60 units, {settings.database_url.split(':')[0]}")


def _settings(folder: Path, database: str | None) -> Settings:
    gym = {
        "site": year.SITE,
        "timezone": year.CLOCKS,
        "data": str(folder / "data"),
        "database": {"url": database or f"sqlite:///{folder / 'bench.db'}"},
        "dashboard": {"url": "http://spotter.gym"},  # codes for phones lead there
        "cameras": {f"cam-{number}": {"uri": "none.mp4"} for number in range(9)},
    }
    path = folder / "gym.yaml"
    path.write_text(yaml.safe_dump(gym))
    return settings_module.load(path)


def _ask_all(app: Flask, engine: Engine, now: datetime, rounds: int, progress: Progress) -> list[Asked]:
    """Each path some times, turn by turn, after once that is not counted, and then each call that changes something."""
    client, programs = _owner(app, engine, now), app.test_client()
    found: dict[str, Asked] = {}
    paths = list(_paths(app, engine, now))
    headers = {"Authorization": f"Bearer {_token(engine, now)}"}
    with engine.connect() as connection:
        sessions, alerts = changes.subjects(connection, rounds + 1)

    def ask(name: str, path: str, body: dict[str, Any] | None, is_counted: bool) -> TestResponse:
        began, used = time.perf_counter(), time.thread_time()
        if body is None:
            answer = client.get(path, headers={"Accept-Encoding": "identity"})
        else:
            answer = programs.post(path, json=body, headers=headers)
        answer.get_data()
        one = found.setdefault(name, Asked(name))
        if is_counted:
            one.seconds.append(time.perf_counter() - began)
            one.processor_seconds.append(time.thread_time() - used)
        answer.close()
        if answer.status_code >= 400:
            raise SpotterError(f"{name} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer

    for number in progress.track(range(rounds + 1), description="asking"):
        for path in paths:
            ask(path, path, None, number > 0)
        changes.change(
            lambda route, path, body: ask(f"POST {route}", path, body, number > 0).get_json(),  # noqa: B023
            sessions[number % len(sessions)],
            alerts[number % len(alerts)],
        )
    return sorted(found.values(), key=lambda one: -one.p95)


def _token(engine: Engine, now: datetime) -> str:
    with Session(engine) as session:
        _, token = tokens.issue(session, year.SITE, PERSON, list(rights.SCOPES), 1, PERSON, now)
        session.commit()
    return token


def _owner(app: Flask, engine: Engine, now: datetime) -> FlaskClient:
    """A browser in which an owner is signed in."""
    with Session(engine) as session:
        row = session.scalar(select(UserRow).where(UserRow.name == PERSON))
        if row is None:
            row = UserRow(name=PERSON, password_hash=NO_PASSWORD, created_at=now)
            session.add(row)
            session.flush()
            session.add(SiteRoleRow(user_id=row.id, site=EVERY_SITE, role="owner"))
        token = sign_ins.begin(session, row.id, year.SITE, now, "127.0.0.1", "bench")
        session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
    return client


def _paths(app: Flask, engine: Engine, now: datetime) -> Iterator[str]:
    """Every page and API call that somebody may ask for by GET, and the heavy questions to some of them."""
    with Session(engine) as session:
        known = {
            "label": "kettlebell",
            "site": year.SITE,
            "camera": "cam-0",
            "session": session.scalar(select(func.max(UsageSessionRow.id)).where(UsageSessionRow.site == year.SITE)),
            "alert": session.scalar(select(func.max(AlertRow.id)).where(AlertRow.site == year.SITE)),
            "name": "hours",
            "picture": _label_set(attached(app), "hours"),
            "number": 1,
            "token": invitations.invite(session, year.SITE, "viewer", PERSON, PERSON, now),
            "form": "csv",
            "code": "en",
        }
        session.commit()
    with app.test_request_context():
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
            if "GET" not in (rule.methods or ()) or rule.endpoint in LEFT_OUT or rule.endpoint not in rights.RIGHTS:
                continue
            if rule.endpoint.endswith("static"):
                continue
            built = rule.build({name: known[name] for name in rule.arguments})
            if built is not None:
                yield built[1] + _REQUIRED.get(rule.endpoint, "")
    long_ago = (now - timedelta(days=300)).date().isoformat()
    for path, queries in _HEAVY.items():
        for query in queries:
            yield f"{path}?{query.format(day=long_ago)}"


def _label_set(context: Context, name: str) -> str:
    """A labelling set of pictures of noise, every other one with boxes; gives the name of one."""
    labels = [entry.label for entry in context.catalog]
    made, chance = sets.create(context.settings.data / FOLDER, name, labels), random.Random(1)
    for number in range(PICTURES):
        noise, photo = Image.frombytes("RGB", (64, 36), chance.randbytes(64 * 36 * 3)), io.BytesIO()
        noise.resize((640, 360)).save(photo, "JPEG")
        added = made.add(photo.getvalue(), f"frame-{number}.jpg")
        if added and number % 2:
            boxes = [Box(labels[one], (0.1 * one, 0.2, 0.1 * one + 0.08, 0.5)) for one in range(9)]
            made.save(added, boxes, made.read(added).version)
    return made.pictures[0]


_REQUIRED = {"figures.week": "?equipment=treadmill", "figures.week_csv": "?equipment=treadmill"}

_HEAVY = {
    "/sessions": ("from={day}&to={day}", "equipment=kettlebell", "camera=cam-8", "from={day}&camera=cam-3"),
    "/sessions.csv": ("from={day}&to={day}",),
    "/alerts": ("state=all", "state=over&kind=queue"),
    "/equipment": ("period=today", "period=90d&against=before", "period=365d", "period=365d&against=before"),
    "/equipment/treadmill": (
        "",
        "period=365d",
        "period=365d&against=year",
        "period=365d&unit=treadmill-1",
        "from={day}&against=before",
    ),
    "/equipment/kettlebell": ("period=365d",),
    "/equipment/charts/availability.svg": ("label=treadmill&period=365d",),
    "/equipment/charts/units.csv": ("label=treadmill&period=365d",),
    "/api/v1/sessions": ("limit=500", "from={day}&to={day}&equipment=treadmill"),
    "/api/v1/equipment": ("days=366",),
    "/api/v1/figures": ("period=365d&against=before", "by=unit&period=365d"),
    "/api/v1/figures.csv": ("by=unit&period=365d",),
    "/api/v1/figures/sites": ("period=365d",),
    "/api/v1/figures/week": ("equipment=treadmill&period=365d", "equipment=treadmill&unit=treadmill-1&period=365d"),
}


@contextmanager
def _slow_queries(engine: Engine) -> Iterator[dict[str, list[float]]]:
    """Statement -> seconds of each time that it ran."""
    taken: dict[str, list[float]] = {}

    def begin(_: Any, __: Any, ___: Any, ____: Any, context: Any, _____: Any) -> None:
        context.bench_began = time.perf_counter()

    def end(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        taken.setdefault(" ".join(statement.split()), []).append(time.perf_counter() - context.bench_began)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    yield taken


def _print(found: list[Asked], queries: dict[str, list[float]], what: str) -> None:
    click.echo(f"| {what} | p50 ms | p95 ms | p95 processor ms |\n| --- | ---: | ---: | ---: |")
    for one in found:
        middle, used = statistics.median(one.seconds) * 1000, _p95(one.processor_seconds)
        click.echo(f"| `{one.path}` | {middle:.0f} | {one.p95:.0f} | {used:.0f} |")
    over = [one for one in found if one.p95 >= GOAL_MS]
    click.echo(f"\n{len(found) - len(over)} of {len(found)} are under the goal of {GOAL_MS} ms.\n")
    click.echo("| slowest queries | times | p50 ms | longest ms |\n| --- | ---: | ---: | ---: |")
    slowest = sorted(queries.items(), key=lambda one: -statistics.median(one[1]))[:SLOWEST]
    for statement, seconds in slowest:
        middle, longest = statistics.median(seconds) * 1000, max(seconds) * 1000
        click.echo(f"| `{_shortened(statement)}` | {len(seconds)} | {middle:.1f} | {longest:.1f} |")
    click.echo(
        f"\n{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"SQLAlchemy {sqlalchemy.__version__}",
        err=True,
    )


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1] * 1000


def _shortened(statement: str) -> str:
    """A query by where it reads and what it asks for."""
    columns, _, rest = statement.partition(" FROM ")
    return f"{columns[:40]}… FROM {rest[:160]}" if rest else statement[:200]
