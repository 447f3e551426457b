"""Options that several commands share, and how their values are read."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cooperbench.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


LONGEST = 365 * 86_400.0
"""Seconds: a year. Clocks of systems and engines end somewhere beyond."""


class Amount(click.FloatRange):
    """A number that says something: not negative, not infinite, not `nan`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; fails with a usage error."""
        if not math.isfinite(number := float(super().convert(value, param, ctx))):
            self.fail(f"{value} is no amount.", param, ctx)
        return number


def parse_features(text: str | None) -> tuple[int, ...] | None:
    """Read `1,2`. Raises `UsageError`."""
    if text is None:
        return None
    numbers = []
    for part in text.split(","):
        if not part.strip().isdecimal():
            raise UsageError(f"{text!r} is no list of feature numbers", subject=text, hint="write -f 1,2")
        numbers.append(int(part))
    return tuple(numbers)


def log_dir_option(function: Function) -> Function:
    """`--log-dir`."""
    return click.option(
        "--log-dir",
        type=click.Path(path_type=Path),
        help="Where runs lie.  [default: $COOPERBENCH_LOG_DIR or ./logs]",
    )(function)


def dataset_option(function: Function) -> Function:
    """`--dataset-dir`."""
    return click.option(
        "--dataset-dir",
        type=click.Path(path_type=Path),
        help="The data set's folder.  [default: $COOPERBENCH_DATASET_DIR or ./dataset; not needed for -s demo]",
    )(function)


def json_option(function: Function) -> Function:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")(function)


def load_environment_file() -> None:
    """Take variables from `.env` in the current folder, such as providers' keys; those already set win."""
    if Path(".env").is_file():
        from dotenv import load_dotenv

        load_dotenv(Path(".env"), override=False)
