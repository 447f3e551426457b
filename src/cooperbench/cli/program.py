"""The `cooperbench` command: finds the module of a subcommand by name and turns errors into one line.

Subcommands are imported when they are called.
"""

import sys
from importlib import import_module

import click

from cooperbench.cli.commands import COMMANDS, SUMMARY
from cooperbench.errors import CooperBenchError, RunLockedError, RunMismatchError, UsageError

# The caller has to change the command; nothing was begun.
_NOT_STARTED = (UsageError, RunMismatchError, RunLockedError)


class _LazyGroup(click.Group):
    """A group whose commands live in modules that are imported when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, help=SUMMARY, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cooperbench")
def cli() -> None:
    """All commands."""


def run() -> None:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 bad usage, 130 interrupted."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CooperBenchError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"  try: {error.hint}", err=True)
        sys.exit(2 if isinstance(error, _NOT_STARTED) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
