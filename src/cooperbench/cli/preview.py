"""Print what a run would do, for `--dry-run`."""

from collections.abc import Iterator, Sequence
from typing import Any

from cooperbench.cli.output import console, counted
from cooperbench.environments import Check
from cooperbench.runner import Preview


def print_preview(found: Preview, checks: Sequence[Check]) -> None:
    """Print what a run would do, and what it would find missing."""
    out = console()
    for line in (*_plan_lines(found), *_bound_lines(found), *found.notes, *_check_lines(checks)):
        out.print(line, markup=False, soft_wrap=True)


def preview_facts(found: Preview, checks: Sequence[Check]) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "directory": str(found.plan.directory.path),
        "config": found.config.model_dump(mode="json"),
        "resumed": found.resumed,
        "found": {state.value: count for state, count in found.states.items()},
        "to_run": found.to_run,
        "given_up": found.given_up,
        "spent": found.spent,
        "mean_seconds": found.mean_seconds,
        "mean_cost": found.mean_cost,
        "needs": [check.model_dump(mode="json") for check in checks],
    }


def _plan_lines(found: Preview) -> Iterator[str]:
    config = found.config
    yield f"run {config.run} in {found.plan.directory.path}" + (" (resumed)" if found.resumed else "")
    team = ", ".join(f"{member.agent_id}: {member.agent} with {member.model}" for member in config.team)
    yield f"{config.setting}, {config.backend} backend; {team}"
    if config.network is not None:
        yield f"network of sandboxes: {config.network.sentence}"
    states = ", ".join(f"{count} {state}" for state, count in found.states.items())
    yield f"{counted(len(found.plan.episodes), 'episode')} of {counted(len(found.plan.tasks), 'task')}: {states}"
    if found.spent:
        limit = "" if config.max_cost is None else f" of ${config.max_cost:,.2f}"
        yield f"${found.spent:,.2f}{limit} spent so far"


def _bound_lines(found: Preview) -> Iterator[str]:
    """Yield the upper bounds of cost and time, and an estimate from the episodes that are finished."""
    team, limit = found.config.team, found.config.max_cost
    costs = [member.limits.cost for member in team if member.limits.cost is not None]
    bounds = [f"${sum(costs) * found.to_run:,.2f} by the agents' cost limits"] if len(costs) == len(team) else []
    if limit is not None:
        bounds.append(f"${max(0.0, limit - found.spent):,.2f} by --max-cost")
    yield f"{found.to_run} to run, " + (f"at most {' and '.join(bounds)}" if bounds else "without a cost limit")
    if not found.to_run:
        return
    hours = max(member.limits.wall_time for member in team) * -(-found.to_run // found.concurrency) / 3600
    yield f"at most {hours:,.1f} hours of work with {counted(found.concurrency, 'episode')} at once"
    if found.mean_seconds is not None:
        money = "" if found.mean_cost is None else f"${found.mean_cost * found.to_run:,.2f} and "
        minutes = found.mean_seconds * found.to_run / min(found.concurrency, found.to_run) / 60
        yield f"about {money}{minutes:,.0f} minutes, at the average of the finished episodes"


def _check_lines(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        grade = "missing: " if check.blocks else "" if check.ok else "warning: "
        yield f"{grade}{check.name}: {check.detail}"
        if check.fix:
            yield f"  try: {check.fix}"
