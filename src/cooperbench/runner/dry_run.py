"""Look at what running a plan would do, writing nothing."""

from collections import Counter
from statistics import fmean
from typing import NamedTuple

from cooperbench.errors import UsageError
from cooperbench.records import RunConfig
from cooperbench.records.episode_state import EpisodeState, EpisodeView, read_state
from cooperbench.records.ledger import RunLedger
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.planning.resume import check_run, check_writable


class Preview(NamedTuple):
    """The consequences of running a plan."""

    plan: Plan
    config: RunConfig
    resumed: bool
    states: dict[EpisodeState, int]
    """Episodes found in each state."""
    notes: tuple[str, ...]
    concurrency: int
    mean_seconds: float | None = None
    """Of the finished episodes; `None` when there is none."""
    mean_cost: float | None = None
    """US dollars of a finished episode; `None` also when one's is unknown."""
    given_up: int = 0
    """Finished episodes whose results would make way for new ones."""
    spent: float = 0.0
    """US dollars that the run has cost so far, as far as known."""

    @property
    def to_run(self) -> int:
        """Episodes that would be run."""
        return sum(count for state, count in self.states.items() if state is not EpisodeState.FINISHED)


def preview(plan: Plan, options: SessionOptions) -> Preview:
    """Say what `execute` would do, writing nothing. Raises what `execute` would raise before it starts."""
    options.check()
    options = options.fitting(plan.config.team)
    _check_tasks(plan)
    check_writable(plan.directory)
    found = [read_state(episode.directory, episode.group) for episode in plan.episodes]
    finished = [each.completed for each in found if each.completed is not None]
    spent = RunLedger(plan.directory.ledger).total()
    _check_money(plan, spent, left=len(found) if options.force else len(found) - len(finished))
    if options.auto_eval:
        options.evaluation.check(plan.config.policy)
    opened = check_run(plan.directory, plan.config, force=options.force)
    given_up = len(finished) if options.force else 0
    notes = (f"finished episodes whose results are discarded (--force): {given_up}",) if given_up else ()
    costs = [result.total_cost for result in finished if result.total_cost is not None]
    return Preview(
        plan,
        opened.config,
        opened.resumed,
        _count(found, force=options.force),
        plan.notes + opened.notes + notes,
        options.concurrency,
        fmean(result.duration_seconds for result in finished) if finished else None,
        fmean(costs) if finished and len(costs) == len(finished) else None,
        given_up,
        spent,
    )


def _count(found: list[EpisodeView], *, force: bool) -> dict[EpisodeState, int]:
    return dict(Counter(EpisodeState.NEW if force else each.state for each in found))


def _check_tasks(plan: Plan) -> None:
    if plan.faults:
        task = plan.tasks[0]
        hint = f"fix the files, then: cooperbench tasks validate -r {task.repo} -t {task.task_id}"
        raise UsageError(f"nothing can be run; {'; '.join(plan.faults[:3])}", subject=task.key, hint=hint)


def _check_money(plan: Plan, spent: float, *, left: int) -> None:
    """Raise `UsageError` when the run's money is spent and episodes are left: what they did so far would be lost for nothing."""
    limit = plan.config.max_cost
    if limit is not None and spent >= limit and left:
        raise UsageError(
            f"${spent:,.2f} of this run's ${limit:,.2f} are spent, and {left} of its episodes are left",
            subject=plan.config.run,
            hint="raise --max-cost, or evaluate what is finished: cooperbench eval -n " + plan.config.run,
        )
