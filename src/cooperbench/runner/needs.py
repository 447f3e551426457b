"""What a run needs and does not find, looked for without starting anything: part of what `--dry-run` says."""

from collections.abc import Iterator, Sequence

from cooperbench.agents.registry import missing_for
from cooperbench.collaboration.broker import open_broker
from cooperbench.environments import Check, image_facts, readiness
from cooperbench.errors import CooperBenchError
from cooperbench.records import RunConfig, Setting
from cooperbench.tasks import Task

_NAMED = 5
"""Images that are named one by one."""


def find_needs(config: RunConfig, tasks: Sequence[Task], *, redis_url: str | None = None) -> tuple[Check, ...]:
    """What is missing for a run, and what will be fetched before it begins; the latter is `ok`.

    Asks the backend, and starts a mailbox's server for a moment where the run has one. Failures are part of the answer.
    """
    checks = [check for check in readiness(config.backend).checks if not check.ok]
    if not checks:  # a backend that does not answer knows no images
        checks += _images(config.backend, tasks)
    if config.setting is not Setting.SOLO and (config.messaging or config.task_board):
        checks += _mailbox(redis_url)
    return (*checks, *_agents(config))


def _images(backend: str, tasks: Sequence[Task]) -> Iterator[Check]:
    recipes = {task.recipe.name: task.recipe for task in tasks}
    absent = [name for name, recipe in recipes.items() if not image_facts(backend, recipe).here]
    bundled = [name for name in absent if recipes[name].bundled and backend in ("local", "docker")]
    if bundled:
        yield Check(name="images", ok=True, detail=f"{_listed(bundled)} will be built first")
    others = [name for name in absent if name not in bundled]
    if others and backend == "local":
        fix = "cooperbench images build NAME --backend local --repo-source CLONE"
        yield Check(name="images", ok=False, detail=f"{_listed(others)} must be built", fix=fix)
    elif others and backend == "docker":
        fix = "cooperbench images pull, to have it done before"
        yield Check(name="images", ok=True, detail=f"{_listed(others)} will be pulled first", fix=fix)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} of them ({', '.join(names[:_NAMED])}{more})"


def _mailbox(url: str | None) -> Iterator[Check]:
    try:
        open_broker(url).close()
    except CooperBenchError as error:
        yield Check(name="mailbox", ok=False, detail=error.message, fix=error.hint)


def _agents(config: RunConfig) -> Iterator[Check]:
    asked = {(member.agent, member.model): member for member in config.team}
    for (agent, model), member in asked.items():
        for what in missing_for(agent, model, member.config):
            yield Check(name=f"{agent} with {model}", ok=False, detail=f"needs {what}")
