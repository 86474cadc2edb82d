"""`spotter dashboard` serves the pages; `spotter user` says who may sign in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import click
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dashboard import users
from dashboard.database import check_tables, what_is_wrong
from dashboard.keys import SetupLink, secret_key
from dashboard.people import audit, lockout, two_step
from dashboard.rights import PEOPLES_ROLES, Role
from spotter.database.engine import open_database
from spotter.database.people_tables import EVERY_SITE, SiteRoleRow, UserRow
from spotter.errors import ServerError, SettingsError
from spotter.settings import Settings, load

_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gym.yaml"),
    show_default=True,
    help="Settings file.",
)


@click.command()
@_config
@click.option("--host", help="Address to listen on; dashboard.host unless given.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; dashboard.port unless given, 0 takes a free one.")
def dashboard(config_path: Path, host: str | None, port: int | None) -> None:
    """Serve the web pages. At the first start it prints a link with which the first person signs in."""
    from dashboard.app import create_app  # not above: `spotter user` needs no web server
    from dashboard.server import Server, address, listen

    settings = load(config_path)
    _check_servers(settings, config_path)
    engine = open_database(settings.database_url)
    check_tables(engine)
    secret_key(settings.data)
    create_app(settings)  # whatever is wrong with the settings is said here, once, not by every worker
    listening = listen(
        settings.dashboard.host if host is None else host, settings.dashboard.port if port is None else port
    )
    with Session(engine) as session:
        set_up = session.scalar(select(UserRow.id).limit(1)) is not None
    engine.dispose()

    where = address(listening)

    def announce() -> None:
        click.echo(f"Dashboard: {where}")
        if not set_up:
            click.echo(f"Set up Spotter: {where}/setup/{SetupLink(settings.data).renew()}")
        sys.stdout.flush()

    Server(lambda: create_app(settings), listening, announce).run()


@click.group()
def notify() -> None:
    """Who is told of alerts by mail and webhook."""


@notify.command("test")
@_config
def notify_test(config_path: Path) -> None:
    """Send a test message by every way that the settings name, and say which got through."""
    from dashboard.notify.channels import Channel, DeliveryError, channels
    from dashboard.notify.sender import trial_message

    settings = load(config_path)
    ways = channels(settings.notify)
    if not ways:
        raise SettingsError(
            f"{config_path}: tells nobody; add `notify:` with `email:` or `webhook:` (docs/settings.md)"
        )
    message = trial_message(settings, datetime.now(timezone.utc))

    def tried(send: Channel) -> str:
        try:
            send(message)
        except DeliveryError as error:
            return f"not delivered: {error}"
        return "delivered"

    said = {name: tried(send) for name, send in ways.items()}
    for name, text in said.items():
        click.echo(f"{name}: {text}")
    if set(said.values()) != {"delivered"}:
        raise SystemExit(1)


@click.group()
def user() -> None:
    """Say who may sign in, and as what."""


_name = click.argument("name")
_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_every_site = click.option("--every-site", is_flag=True, help="At every site of the database.")


@user.command("add")
@_config
@_name
@click.option("--role", type=click.Choice(PEOPLES_ROLES), default="viewer", show_default=True)
@_every_site
@_password_stdin
def add(config_path: Path, name: str, role: Role, every_site: bool, password_stdin: bool) -> None:
    """Add somebody. The password is asked for, or read from standard input."""
    with _opened(config_path) as (session, site):
        users.clean_name(name)
        row = users.join(session, name, _read_password(password_stdin), role, EVERY_SITE if every_site else site)
        audit.record(session, site, audit.COMMAND_LINE, "user_added", row.name, role=role, every_site=every_site)
        session.commit()
        click.echo(f"{row.name} may sign in ({role}).")


@user.command("role")
@_config
@_name
@click.argument("role", type=click.Choice(PEOPLES_ROLES))
@_every_site
def change_role(config_path: Path, name: str, role: Role, every_site: bool) -> None:
    """Give somebody a role at this site, or at every one; it holds with their next click."""
    with _opened(config_path) as (session, site):
        row = users.by_name(session, name)
        if every_site:  # or the role at a single site would win
            session.execute(delete(SiteRoleRow).where(SiteRoleRow.user_id == row.id))
        session.merge(SiteRoleRow(user_id=row.id, site=EVERY_SITE if every_site else site, role=role))
        audit.record(session, site, audit.COMMAND_LINE, "role_changed", row.name, after=role, every_site=every_site)
        session.commit()
        click.echo(f"{row.name} is now {role}{' at every site' if every_site else f' at {site}'}.")


@user.command("password")
@_config
@_name
@_password_stdin
def password(config_path: Path, name: str, password_stdin: bool) -> None:
    """Set somebody's new password; whoever is signed in as them has to sign in again."""
    with _opened(config_path) as (session, site):
        row = users.by_name(session, name)
        users.change_password(session, name, _read_password(password_stdin))
        lockout.forgive(session, row.name)
        audit.record(session, site, audit.COMMAND_LINE, "password_changed", row.name)
        session.commit()
        click.echo(f"{row.name} has a new password.")


@user.command("two-step-off")
@_config
@_name
def two_step_off(config_path: Path, name: str) -> None:
    """Let somebody who lost the phone and the recovery codes sign in with the password alone."""
    with _opened(config_path) as (session, site):
        row = users.by_name(session, name)
        if not two_step.turn_off(session, row.id):
            raise users.UserError(f"{row.name} signs in with the password alone already")
        audit.record(session, site, audit.COMMAND_LINE, "two_step_off", row.name)
        session.commit()
        click.echo(f"{row.name} signs in with the password alone.")


@user.command("list")
@_config
def list_users(config_path: Path) -> None:
    """Show who may sign in at this site, and as what."""
    with _opened(config_path) as (session, site):
        rows = users.of_site(session, site)
        for row, role in rows:
            where = "\tat every site" if role.site == EVERY_SITE else ""
            click.echo(f"{row.name}\t{role.role}\tsince {row.created_at:%Y-%m-%d}{where}")
    if not rows:
        click.echo("Nobody yet; add somebody with: spotter user add NAME --role owner", err=True)


@user.command("remove")
@_config
@_name
def remove(config_path: Path, name: str) -> None:
    """Remove somebody from every site; their sign-ins end at once."""
    with _opened(config_path) as (session, site):
        row = users.by_name(session, name)
        audit.record(session, site, audit.COMMAND_LINE, "removed", row.name)
        session.delete(row)
        session.commit()
        click.echo(f"{row.name} may no longer sign in.")


def _check_servers(settings: Settings, path: Path) -> None:
    missing = [name for name in ("redis", "mqtt") if getattr(settings, name) is None]
    if missing:
        raise SettingsError(
            *(
                f"{path}: {name}: missing; the dashboard alone needs it: add `{name}: {{url: …}}`, "
                f"set SPOTTER_{name.upper()}_URL, or start everything with `spotter up`"
                for name in missing
            )
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Session, str]]:
    """The database and the settings' site. Raises ServerError, with the mend, for whatever fails in it."""
    settings = load(path)
    engine = open_database(settings.database_url)
    check_tables(engine)
    try:
        with Session(engine, expire_on_commit=False) as session:
            yield session, settings.site
    except SQLAlchemyError as error:
        raise ServerError(what_is_wrong(error, engine)) from error


def _read_password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
