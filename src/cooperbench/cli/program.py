"""The `cooperbench` command: imports the module of a subcommand when it is called, and prints an error as one line."""

import os
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from cooperbench.cli.commands import COMMANDS, SUMMARY
from cooperbench.cli.mistakes import as_ours
from cooperbench.cli.output import visible_output
from cooperbench.cli.typed import as_typed
from cooperbench.errors import (
    CooperBenchError,
    RunLockedError,
    RunMismatchError,
    TaskError,
    UnreadableError,
    UsageError,
)

COMPLETE = "_COOPERBENCH_COMPLETE"
"""The environment variable by which a shell asks for completions; click names it after the program."""

# The caller has to change the command; nothing was started.
_NOT_STARTED = (UsageError, RunMismatchError, RunLockedError, UnreadableError, TaskError)


class _LazyGroup(click.Group):
    """A group that imports the module of a command when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        if COMPLETE in os.environ:
            from cooperbench.cli.completion import add_names

            add_names(command, cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands without importing their modules."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, help=SUMMARY, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cooperbench")
def cli() -> None:
    """Group all commands."""


def run(words: tuple[str, ...]) -> int:
    """Run the command that the words spell and return its exit code. Commands find the words as the context's object."""
    if COMPLETE in os.environ:  # click writes bytes then, for a shell to read
        return _run(words)
    with visible_output():
        return _run(words)


def _run(words: tuple[str, ...]) -> int:
    try:
        code = cli.main(words, prog_name="cooperbench", standalone_mode=False, obj=words)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        if _is_help(error):
            error.show()
            return error.exit_code
        return _complain(as_ours(error, words))
    except CooperBenchError as error:
        return _complain(error)
    return code if isinstance(code, int) else 0


def _complain(error: CooperBenchError) -> int:
    # Messages of providers may have line breaks.
    click.echo(f"error: {' '.join(error.message.split())}", err=True)
    if error.hint:
        click.echo(f"  try: {as_typed(' '.join(error.hint.split()))}", err=True)
    return 2 if isinstance(error, _NOT_STARTED) and not error.retryable else 1


def _is_help(error: click.ClickException) -> bool:
    """Tell a group without a command, for which click 8.2 and later raise the help, from a mistake."""
    return type(error).__name__ == "NoArgsIsHelpError"
