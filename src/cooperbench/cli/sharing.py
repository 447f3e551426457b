"""Options of commands that work on a run beside other processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cooperbench.cli.options import YEAR, Amount

if TYPE_CHECKING:
    from cooperbench.runner import ClaimOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def _read_shard(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    number, _, parts = value.partition("/")
    if not number.isdecimal() or not parts.isdecimal() or not 1 <= int(number) <= int(parts):
        raise click.BadParameter(f"{value!r} is not a part such as 3/16, the third of sixteen", context, option)
    return int(number), int(parts)


def sharing_options(command: Command) -> Command:
    """Add `--claim`, `--shard` and `--claim-patience`."""
    for option in reversed(
        (
            click.option(
                "--claim",
                is_flag=True,
                help="Share the run with other processes that use the same log directory, on any machine: each takes "
                "episodes one by one until all are finished.",
            ),
            click.option(
                "--shard",
                metavar="K/N",
                callback=_read_shard,
                help="Share the run, and take only the K-th of N parts of its episodes.",
            ),
            click.option(
                "--claim-patience",
                type=Amount(0, YEAR, min_open=True),
                metavar="SECONDS",
                help="Seconds without a sign of life after which others take over an episode.  [default: 90]",
            ),
        )
    ):
        command = option(command)
    return command


def claim_options(values: dict[str, Any]) -> "ClaimOptions | None":
    """Return how the run is shared; `None` when this process has it alone. Raises `UsageError` for options that do not fit."""
    from cooperbench.errors import UsageError
    from cooperbench.runner import ClaimOptions

    claim, shard, patience = values["claim"], values["shard"], values["claim_patience"]
    if not claim and shard is None:
        if patience is not None:
            raise UsageError(
                "--claim-patience is about a run that is shared", subject="claim_patience", hint="add --claim"
            )
        return None
    return ClaimOptions(shard=shard) if patience is None else ClaimOptions(patience, shard)
