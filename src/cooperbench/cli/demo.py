"""`cooperbench demo`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import json_option, log_dir_option
from cooperbench.cli.output import console, print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from rich.table import Table

    from cooperbench.runner.demo import Gap, ScenarioResult


@click.command("demo")
@log_dir_option
@json_option
def command(log_dir: Path | None, as_json: bool) -> int:
    """Watch scripted teams work on bundled tasks.

    Agents, sandboxes, messages, git remote and tests are real; only the model plays a script. Needs no engine, API key or
    network.
    """
    import time

    from cooperbench.records import default_log_dir
    from cooperbench.runner.demo import coordination_gap, run_demo

    out = console()
    started = time.monotonic()
    if not as_json:
        out.print("Scripted teams work on bundled tasks; this takes about half a minute.")
    results = run_demo(log_dir)
    gap = coordination_gap(results)
    if as_json:
        print_json([_facts(item) for item in results])
    else:
        out.print(_table(results))
        out.print(_explanation(gap), markup=False)
        place = (log_dir or default_log_dir()).absolute()
        out.print(f"record: {place}/demo-*  ({time.monotonic() - started:.0f} s)", markup=False, soft_wrap=True)
        out.print(f"pages: {_write_pages(results, place)}", markup=False, soft_wrap=True)
        print_next("cooperbench runs show demo-talks_and_passes ledgerkit_task/1/f4_f5", log_dir=log_dir)
        print_next("cooperbench view", log_dir=log_dir)
    return 0 if all(item.episode.verdict is not None for item in results) else 1


def _table(results: list["ScenarioResult"]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("scenario", "task", "members", "messages", "merge", "outcome", "features"):
        table.add_column(column, no_wrap=True, overflow="fold")
    for item in results:
        result, evaluation = item.episode.result, item.episode.evaluation
        merge = next((stage.status.value for stage in evaluation.stages), "") if evaluation else ""
        verdict = evaluation.verdict if evaluation else None
        features = " ".join(f"f{each.feature}:{each.outcome}" for each in verdict.features) if verdict else ""
        table.add_row(
            item.scenario.name,
            f"{item.scenario.repo.removesuffix('_task')}/{item.scenario.task_id}",
            str(len(result.agents)) if result else "",
            str(result.messages) if result else "",
            merge if item.scenario.together else "-",
            verdict.outcome.value if verdict else "not judged",
            features,
        )
    return table


def _write_pages(results: list["ScenarioResult"], log_dir: Path) -> Path:
    """Write what just happened as pages that open without a server, and return the first one."""
    from cooperbench.records.runs import read_run
    from cooperbench.viewer.export_folder import write_pages

    runs = [read_run(item.episode.directory.relative_to(log_dir).parts[0], log_dir) for item in results]
    return write_pages(runs, log_dir / "demo-pages")[0]


def _explanation(gap: "Gap") -> str:
    if gap.points is None:
        return "coordination gap: unknown, because some submissions could not be judged"
    return (
        f"coordination gap: {gap.points:.0f} points. Agents alone passed {gap.solo_passed} of {gap.solo}, teams passed "
        f"{gap.coop_passed} of {gap.coop}: the difference is the cost of dividing the same work."
    )


def _facts(item: "ScenarioResult") -> dict[str, object]:
    result, verdict = item.episode.result, item.episode.verdict
    return {
        "scenario": item.scenario.name,
        "description": item.scenario.description,
        "directory": str(item.episode.directory),
        "messages": result.messages if result else None,
        "outcome": verdict.outcome.value if verdict else None,
    }
