"""Look for what a run needs and lacks, without starting anything: part of `--dry-run`."""

from collections.abc import Iterator, Sequence

from cooperbench.agents.registry import missing_for
from cooperbench.collaboration.broker import open_broker
from cooperbench.environments import Check, get_backend, readiness
from cooperbench.errors import CooperBenchError
from cooperbench.records import RunConfig, Setting
from cooperbench.tasks import Task


def preflight(config: RunConfig, tasks: Sequence[Task], *, redis_url: str | None = None) -> tuple[Check, ...]:
    """Find what a run lacks, and what will be fetched before it begins; the latter is `ok`.

    Asks the backend, and starts a mailbox's server for a moment where the run has one. Failures are part of the answer.
    """
    checks = [check for check in readiness(config.backend).checks if not check.ok]
    if not checks:  # a backend that does not answer cannot be asked for images
        recipes = {task.recipe.name: task.recipe for task in tasks}
        checks += get_backend(config.backend).image_checks(list(recipes.values()))
    if config.setting is not Setting.SOLO and (config.messaging or config.task_board):
        checks += _mailbox(redis_url)
    return (*checks, *_agents(config))


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
