"""Turn click's errors into ours, so that every mistake on the command line has the same form."""

import re
from collections.abc import Sequence
from itertools import takewhile

import click

from cooperbench.errors import UsageError, suggestion

_COMMAND = re.compile(r"No such command '(.*?)'\.")


def as_ours(error: click.ClickException, words: Sequence[str]) -> UsageError:
    """Return the error in our words, with a name that was meant and the command that shows the right ones.

    `words` are those of the command line; click does not say of every error in which command it was.
    """
    context = error.ctx if isinstance(error, click.UsageError) else None
    place = context.command_path if context else " ".join(["cooperbench", *takewhile(str.isalpha, words[:1])])
    return UsageError(_message(error, context, place), hint=f"{place} --help")


def _message(error: click.ClickException, context: click.Context | None, place: str) -> str:
    if isinstance(error, click.NoSuchOption) and context:
        return f"{place} has no option {error.option_name!r}" + suggestion(error.option_name, _options(context), "")
    if context and isinstance(context.command, click.Group) and (found := _COMMAND.match(error.message)):
        names = context.command.list_commands(context)
        return f"unknown command {found[1]!r}{suggestion(found[1], names)} Available: {', '.join(names)}."
    text = " ".join(error.format_message().split()).removesuffix(".")
    if isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        given = re.match(r"'(.*?)' is not one of", error.message)
        text += suggestion(given[1], map(str, error.param.type.choices), "") if given else ""
    return text[:1].lower() + text[1:]


def _options(context: click.Context) -> list[str]:
    return [name for parameter in context.command.get_params(context) for name in parameter.opts if name[0] == "-"]
