"""Options that several commands share, and the parsing of their values."""

import math
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from cooperbench.runner import ResolverOptions
    from cooperbench.tasks import Group, Task

YEAR = 365 * 86_400.0
"""Seconds. The clocks of kernels and engines overflow somewhere beyond it."""


class ClonePath(click.Path):
    """A folder that exists. `~` is the home folder, which shells leave as it is in `--option=~/folder`."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)

    def convert(
        self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None
    ) -> "str | bytes | os.PathLike[str]":
        """Return the path of the folder."""
        path = Path(value)
        return super().convert(path.expanduser() if path.parts[:1] == ("~",) else path, param, ctx)


subset_option = click.option("-s", "--subset", help="Only tasks of this subset; `demo` selects the bundled tasks.")
repo_option = click.option("-r", "--repo", help="Only tasks of this repository.")
task_option = click.option("-t", "--task", "task_id", help="Only the task with this number.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
log_dir_option = click.option(
    "--log-dir",
    type=click.Path(path_type=Path),
    help="Directory of the runs.  [default: $COOPERBENCH_LOG_DIR or ./logs]",
)
policy_option = click.option("--policy", help="Policy that the verdicts shown go by.  [default: the run's policy]")
dataset_option = click.option(
    "--dataset-dir",
    type=click.Path(path_type=Path),
    help="Directory of the dataset.  [default: $COOPERBENCH_DATASET_DIR or ./dataset; not needed with -s demo]",
)


class ModelOptions(NamedTuple):
    """Where a model is served, and what it costs: `--base-url`, `--api-key-env` and `--price-table`."""

    base_url: str | None
    api_key_env: str | None
    price_table: Path | None

    def section(self) -> dict[str, Any] | None:
        """Return the options as the section `model` of an agent's configuration; `None` without any."""
        given = {name: str(value) for name, value in self._given().items()}
        return {"model": given} if given else None

    def resolver(self, model: str | None) -> "ResolverOptions | None":
        """Return the resolver `model`, if any. Raises `UsageError` for options without a model."""
        from cooperbench.runner import ResolverOptions

        if model is not None:
            return ResolverOptions(model=model, **self._given())
        if any(self):
            raise UsageError("--base-url, --api-key-env and --price-table need --resolver-model")
        return None

    def _given(self) -> dict[str, Any]:
        table = self.price_table.resolve() if self.price_table else None
        given = self._replace(price_table=table)._asdict()
        return {name: value for name, value in given.items() if value is not None}


def model_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a model, and pass them on as one `ModelOptions`, the argument `served`."""

    @wraps(function)
    def served(
        *values: Any, base_url: str | None, api_key_env: str | None, price_table: Path | None, **named: Any
    ) -> Any:
        return function(*values, served=ModelOptions(base_url, api_key_env, price_table), **named)

    url = click.option("--base-url", metavar="URL", help="OpenAI-compatible server, such as http://localhost:8000/v1.")
    key = click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the model's API key.")
    prices = click.option("--price-table", type=click.Path(path_type=Path), help="YAML file with the model's prices.")
    return url(key(prices(served)))


class TaskFilter(NamedTuple):
    """The tasks that a user selects with `-s`, `-r`, `-t` and `--dataset-dir`."""

    subset: str | None
    repo: str | None
    task_id: str | None
    dataset_dir: Path | None

    def find(self) -> "list[Task]":
        """Return the selected tasks, and say what is left out. Raises `UsageError` when there are none."""
        from cooperbench.tasks import find_tasks

        found = find_tasks(self.dataset_dir, self.subset, self.repo, self.task_id)
        for line in found.left_out:
            click.echo(f"left out: {line}", err=True)
        return found.tasks

    def groups(self, features: tuple[int, ...] | None, size: int) -> "list[Group]":
        """Return the selected groups of features. Raises `UsageError` when there are none."""
        from cooperbench.tasks import discover_groups

        return discover_groups(self.find(), features=features, subset=self.subset, size=size)


def task_filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select tasks, and pass them on as one `TaskFilter`, the first argument."""

    @wraps(function)
    def filtered(
        subset: str | None, repo: str | None, task_id: str | None, dataset_dir: Path | None, **values: Any
    ) -> Any:
        return function(TaskFilter(subset, repo, task_id, dataset_dir), **values)

    return subset_option(repo_option(task_option(dataset_option(filtered))))


class Amount(click.FloatRange):
    """A finite number in a range. Click's own type accepts `nan` and `inf` too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the value, or fail with a usage error."""
        if not math.isfinite(number := float(super().convert(value, param, ctx))):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def parse_features(text: str | None) -> tuple[int, ...] | None:
    """Parse a list such as `1,2`. Raises `UsageError`."""
    if text is None:
        return None
    numbers = []
    for part in text.split(","):
        if not part.strip().isdecimal():
            raise UsageError(f"{text!r} is not a list of feature numbers", subject=text, hint="-f 1,2")
        numbers.append(int(part))
    return tuple(numbers)


def load_environment_file() -> None:
    """Load variables such as API keys from `.env` in the current directory. Variables that are set already win."""
    if Path(".env").is_file():
        from dotenv import load_dotenv

        try:
            load_dotenv(Path(".env"), override=False)
        except (OSError, ValueError) as error:  # other encodings are a ValueError, as is a NUL in a variable
            raise UsageError(f"cannot read .env: {error}", subject=".env", hint="fix or remove the file") from error
