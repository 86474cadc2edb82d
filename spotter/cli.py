"""The `spotter` command: every subcommand by the module that has it, imported only when called."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

import click

import spotter
from spotter.errors import MissingExtraError, SpotterError

# command: (module:attribute, extra that it needs, one line of help)
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("spotter.commands.up:up", "server", "Run everything on this machine."),
    "demo": ("spotter.commands.up:demo", "server", "Run everything on the bundled footage."),
    "pipeline": ("pipeline.cli:pipeline", "cpu", "Watch the cameras and publish scenes."),
    "ingest": ("consumers.cli:ingest", "server", "Take scenes from MQTT into Redis."),
    "usage": ("consumers.cli:usage", "server", "Turn scenes into usage sessions in the database."),
    "dashboard": ("dashboard.cli:dashboard", "server", "Serve the web pages."),
    "config": ("spotter.commands.config:config", "", "Check settings, or print their schema."),
    "camera": ("pipeline.cli:camera", "cpu", "Try a camera's address."),
    "doctor": ("pipeline.doctor.cli:doctor", "", "Look at all that is needed here, and say what to mend."),
    "record": ("pipeline.cli:record", "cpu", "Write the scenes of a camera or clip to a file."),
    "replay": ("consumers.tools:replay", "server", "Interpret recorded scenes, or send them into a running system."),
    "truth": ("consumers.tools:truth", "server", "Compare sessions with true times."),
    "rules": ("consumers.tools:rules", "server", "Try other thresholds on recorded scenes."),
    "events": ("spotter.commands.events:events", "", "Watch events, or write their schemas."),
    "dead": ("consumers.cli:dead", "server", "List or replay refused messages."),
    "alert": ("consumers.people:alert", "server", "List and acknowledge alerts."),
    "maintenance": ("consumers.people:maintenance", "server", "Hours of use, and services of units."),
    "layout": ("consumers.layout_cli:layout", "server", "Import, export or list versions of the zones."),
    "user": ("dashboard.cli:user", "server", "Add people who may sign in."),
    "notify": ("dashboard.cli:notify", "server", "Try the mails and webhooks that tell of alerts."),
    "db": ("spotter.commands.db:db", "server", "Bring the database's tables up to date, or recount figures."),
    "catalog": ("spotter.commands.catalog:catalog", "", "Read what the equipment catalogue says."),
    "model": ("models.cli:model", "", "Detect, evaluate, train and export."),
    "bench": ("spotter.commands.bench:bench", "server", "Measure this machine."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, so that `--help` needs no extras."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and give one command; raises MissingExtraError where its packages are not installed."""
        if cmd_name not in _COMMANDS:
            return None
        target, extra, _ = _COMMANDS[cmd_name]
        module, attribute = target.split(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if extra and error.name and error.name.split(".")[0] not in ("spotter", module.split(".")[0]):
                raise MissingExtraError(f"spotter {cmd_name}", extra) from error
            raise
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(spotter.__version__, prog_name="spotter")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails, and log more.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Spotter watches a gym through the cameras it already has."""
    from spotter.logs import configure

    ctx.obj = {"debug": debug}
    configure(debug=debug)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line: exit code 0 fine, 1 the job failed, 2 wrong usage or settings."""
    debug = "--debug" in (arguments if arguments is not None else sys.argv[1:])
    try:
        cli.main(args=arguments, prog_name="spotter", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else error.exit_code)
    except SpotterError as error:
        if debug:
            traceback.print_exc()
        else:
            click.echo("\n".join(f"error: {line}" for line in str(error).splitlines()), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last stop: a defect is one line too, unless --debug asks
        if debug:
            traceback.print_exc()
        else:
            click.echo(f"error: {type(error).__name__}: {error} (a defect; run again as `spotter --debug …`)", err=True)
        sys.exit(1)
