"""`spotter dashboard` serves the pages; `spotter user` says who may sign in."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dashboard import users
from dashboard.database import check_tables, what_is_wrong
from dashboard.keys import SetupLink, secret_key
from spotter.database.engine import open_database
from spotter.database.tables import UserRow
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
def user() -> None:
    """Add people who may sign in."""


_name = click.argument("name")
_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@user.command("add")
@_config
@_name
@click.option("--role", type=click.Choice(users.ROLES), default="viewer", show_default=True)
@_password_stdin
def add(config_path: Path, name: str, role: users.Role, password_stdin: bool) -> None:
    """Add somebody. The password is asked for, or read from standard input."""
    with _session(config_path) as session:
        users.clean_name(name)
        try:
            added = users.add_user(session, name, _read_password(password_stdin), role)
        except SQLAlchemyError as error:
            raise ServerError(what_is_wrong(error, session.get_bind().engine)) from error
    click.echo(f"{added.name} may sign in ({added.role}).")


@user.command("password")
@_config
@_name
@_password_stdin
def password(config_path: Path, name: str, password_stdin: bool) -> None:
    """Set somebody's new password; whoever is signed in as them has to sign in again."""
    with _session(config_path) as session:
        users.change_password(session, name, _read_password(password_stdin))
    click.echo(f"{name} has a new password.")


@user.command("list")
@_config
def list_users(config_path: Path) -> None:
    """Show who may sign in."""
    with _session(config_path) as session:
        rows = session.scalars(select(UserRow).order_by(UserRow.name)).all()
    for row in rows:
        click.echo(f"{row.name}\t{row.role}\tsince {row.created_at:%Y-%m-%d}")
    if not rows:
        click.echo("Nobody yet; add somebody with: spotter user add NAME --role owner", err=True)


@user.command("remove")
@_config
@_name
def remove(config_path: Path, name: str) -> None:
    """Remove somebody; their sign-ins end at once."""
    with _session(config_path) as session:
        row = session.scalar(select(UserRow).where(UserRow.name == users.clean_name(name)))
        if row is None:
            raise users.UserError(f"there is nobody called {name}; `spotter user list` shows who there is")
        session.delete(row)
        session.commit()
    click.echo(f"{name} may no longer sign in.")


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


def _session(path: Path) -> Session:
    engine = open_database(load(path).database_url)
    check_tables(engine)
    return Session(engine, expire_on_commit=False)


def _read_password(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
