"""Look for what a run needs and lacks, without starting anything: shown by `--dry-run`, and refused by every other run."""

from collections.abc import Iterable, Iterator, Sequence

from cooperbench.agents.registry import checks_of
from cooperbench.collaboration.broker import open_broker
from cooperbench.environments import Check, get_backend, readiness
from cooperbench.errors import CooperBenchError, UsageError
from cooperbench.records import Member, RunConfig
from cooperbench.runner.planning.evaluation_options import EvaluationOptions, resolver_checks
from cooperbench.tasks import Task

ISOLATION = "isolation"


def preflight(
    config: RunConfig,
    tasks: Sequence[Task],
    evaluation: EvaluationOptions | None = None,
    team: Sequence[Member] | None = None,
) -> tuple[Check, ...]:
    """Find what a run lacks, and what will be fetched before it begins; the latter is `ok`.

    `team` are the members with the files of this machine, `Plan.team`. Asks the backend, the agents and the model that settles conflicts. Failures are part of the answer.
    """
    return (*_sandboxes(config, tasks), *_agents(team or config.team), *_resolver(evaluation))


def check_evaluations(config: RunConfig, tasks: Sequence[Task], evaluation: EvaluationOptions) -> tuple[Check, ...]:
    """Find what evaluating alone lacks."""
    return (*_sandboxes(config, tasks), *_resolver(evaluation))


def check_mailbox(config: RunConfig, redis_url: str | None) -> Iterator[Check]:
    """Start the server of the messages for a moment, if the run has one. Yield a check when that fails."""
    if config.setting.alone or not (config.messaging or config.task_board):
        return
    try:
        open_broker(redis_url).close()
    except CooperBenchError as error:
        yield Check(name="mailbox", ok=False, detail=error.message, fix=error.hint)


def refuse(checks: Iterable[Check], what: str) -> None:
    """Raise `UsageError` if something is missing without which nothing can succeed."""
    missing = [check for check in checks if check.blocks]
    if missing:
        detail = "; ".join(f"{check.name}: {check.detail}" for check in missing)
        hint = next((check.fix for check in missing if check.fix), None)
        raise UsageError(f"{what} cannot start: {detail}", subject=missing[0].name, hint=hint)


def _sandboxes(config: RunConfig, tasks: Sequence[Task]) -> Iterator[Check]:
    allowed = {ISOLATION} if config.environment.get("allow_unsandboxed") else set()
    checks = [check for check in readiness(config.backend).checks if not check.ok and check.name not in allowed]
    yield from checks
    if any(check.blocks for check in checks):  # a backend that does not answer cannot be asked for images
        return
    recipes = {task.recipe.name: task.recipe for task in tasks}
    yield from get_backend(config.backend).image_checks(list(recipes.values()))


def _agents(team: Sequence[Member]) -> Iterator[Check]:
    asked = {(member.agent, member.model): member for member in team}
    found = (checks_of(agent, model, member.config) for (agent, model), member in asked.items())
    yield from dict.fromkeys(check for checks in found for check in checks)


def _resolver(evaluation: EvaluationOptions | None) -> Iterator[Check]:
    if evaluation is not None and evaluation.resolver is not None:
        yield from resolver_checks(evaluation.resolver)
