"""Show plans, and run several one after the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cooperbench.cli.display import open_display
from cooperbench.cli.exit_codes import exit_code
from cooperbench.cli.output import console, print_json
from cooperbench.cli.preview import preview_facts, print_preview
from cooperbench.cli.sharing import carry_out, cluster_checks
from cooperbench.cli.show import run_facts, runs_table, show_outcome
from cooperbench.runner import Plan, SessionOptions, preview
from cooperbench.runner.planning.preflight import check_mailbox, preflight

if TYPE_CHECKING:
    from cooperbench.environments import Check
    from cooperbench.runner import Preview, RunResult
    from cooperbench.runner.ray.running import RayOptions


def show_plan(plan: Plan, options: SessionOptions, ray: "RayOptions | None", *, as_json: bool) -> None:
    """Print what a run would do, and what it would find missing."""
    found, checks = _look(plan, options, ray)
    if as_json:
        print_json(preview_facts(found, checks))
    else:
        print_preview(found, checks)


def run_several(
    plans: Sequence[Plan], options: SessionOptions, ray: "RayOptions | None", *, dry_run: bool, as_json: bool
) -> int:
    """Run plans one after the other, and return the exit code. What can be refused is refused before the first starts."""
    if dry_run:
        looks = [_look(plan, options, ray) for plan in plans]
        if as_json:
            print_json([preview_facts(*look) for look in looks])
        else:
            for look in looks:
                print_preview(*look)
        return 0
    for plan in plans:
        preview(plan, options)
    results: list[RunResult] = []
    codes: list[int] = []
    for plan in plans:
        with open_display(plan.directory, quiet=as_json) as observer:
            results.append(carry_out(plan, options, observer, ray))
        codes.append(exit_code(results[-1], judged=options.auto_eval))
        if not as_json:
            show_outcome(results[-1], as_json=False, judged=options.auto_eval)
        if results[-1].interrupted:
            break
    if as_json:
        print_json([run_facts(result) for result in results])
    else:
        console().print(runs_table(results))
    return max(codes)


def _look(plan: Plan, options: SessionOptions, ray: "RayOptions | None") -> "tuple[Preview, list[Check]]":
    found = preview(plan, options)
    checks = [
        *preflight(found.config, plan.tasks, options.evaluation if options.auto_eval else None, plan.team),
        *check_mailbox(found.config, options.redis_url),
        *cluster_checks(plan, options, ray),
    ]
    return found, checks
