"""`cooperbench completion`: completion in a shell, with the names of runs, tasks, agents and subsets."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that completes `cooperbench` in SHELL.

    \b
    bash:  cooperbench completion bash > ~/.local/share/bash-completion/completions/cooperbench
    zsh:   cooperbench completion zsh > ~/.zfunc/_cooperbench    (with ~/.zfunc in $fpath, before compinit)
    fish:  cooperbench completion fish > ~/.config/fish/completions/cooperbench.fish
    """
    from cooperbench.cli.program import COMPLETE, cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "cooperbench", COMPLETE).source())


class _Names(click.types.StringParamType):
    """A text that is completed from a list of names. An error, such as a missing dataset, completes nothing."""

    def __init__(self, find: Callable[[dict[str, Any]], Iterable[object]]) -> None:
        self._find = find

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            names = sorted({str(name) for name in self._find(ctx.params)})
        except Exception:  # a shell that completes must not print errors
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def add_names(command: click.Command, path: str) -> None:
    """Let the texts that a command takes be completed by what is here. `path` is the command's, such as `runs show`."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            add_names(each, f"{path} {name}")
    for parameter in command.params:
        find = _finder(parameter, path)
        if find is not None and type(parameter.type) is click.types.StringParamType:
            parameter.type = _Names(find)


def _finder(parameter: click.Parameter, path: str) -> Callable[[dict[str, Any]], Iterable[object]] | None:
    if isinstance(parameter, click.Option):
        if path == "eval" and "--name" in parameter.opts:
            return _runs
        if path == "runs show" and "--agent" in parameter.opts:
            return _members
        return next((_OPTIONS[option] for option in parameter.opts if option in _OPTIONS), None)
    group = path.split()[0]
    if group == "agents":
        return {"name": _agents, "task": _tasks}.get(parameter.name or "") if path != "agents new" else None
    if path in ("tasks show", "images build"):
        return _tasks if group == "tasks" else _images
    if group in _ABOUT_RUNS and path != "runs merge":
        return _episodes if parameter.name == "episode" else _runs
    return None


def _runs(given: dict[str, Any]) -> list[str]:
    from cooperbench.records.runs import run_names

    return run_names(given.get("log_dir"))


def _episodes(given: dict[str, Any]) -> Iterator[object]:
    from cooperbench.records.runs import open_run

    yield from open_run(given["name"], given.get("log_dir"))[1].groups


def _members(given: dict[str, Any]) -> list[str]:
    from cooperbench.records.runs import open_run

    return [member.agent_id for member in open_run(given["name"], given.get("log_dir"))[1].team]


def _agents(given: dict[str, Any]) -> list[str]:
    from cooperbench.agents import agent_names

    return agent_names()


def _found(given: dict[str, Any]) -> list[Any]:
    """Return the tasks of the dataset that is named, or of the default one, or the bundled ones."""
    from cooperbench.errors import UsageError
    from cooperbench.tasks import find_tasks

    try:
        return find_tasks(given.get("dataset_dir"), given.get("subset")).tasks
    except UsageError:
        return find_tasks(subset="demo").tasks


def _tasks(given: dict[str, Any]) -> list[str]:
    return [task.key for task in _found(given)]


def _images(given: dict[str, Any]) -> list[str]:
    return [task.image for task in _found(given)]


def _repositories(given: dict[str, Any]) -> list[str]:
    return [task.repo for task in _found(given)]


def _numbers(given: dict[str, Any]) -> list[int]:
    repo = str(given.get("repo") or "").removesuffix("_task")
    return [task.task_id for task in _found(given) if not repo or task.repo.removesuffix("_task") == repo]


def _subsets(given: dict[str, Any]) -> Iterator[str]:
    from cooperbench.errors import UsageError
    from cooperbench.tasks import find_dataset, subset_names

    yield "demo"
    with suppress(UsageError):  # no dataset
        yield from subset_names(find_dataset(given.get("dataset_dir")))


def _backends(given: dict[str, Any]) -> list[str]:
    from cooperbench.environments import backend_names

    return backend_names()


def _policies(given: dict[str, Any]) -> Iterable[str]:
    from cooperbench.evaluation.policies import POLICIES

    return POLICIES


def _settings(given: dict[str, Any]) -> list[str]:
    from cooperbench.records import Setting

    return [setting.value for setting in Setting]


_ABOUT_RUNS = frozenset({"runs", "submit", "view", "report", "compare", "power", "explain", "label"})
_OPTIONS: dict[str, Callable[[dict[str, Any]], Iterable[object]]] = {
    "--subset": _subsets,
    "--repo": _repositories,
    "--task": _numbers,
    "--agent": _agents,
    "--backend": _backends,
    "--policy": _policies,
    "--setting": _settings,
    "--run": _runs,
}
