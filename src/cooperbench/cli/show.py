"""Print facts about runs, as tables or as JSON."""

from collections.abc import Collection, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from cooperbench.cli.exit_codes import exit_code
from cooperbench.cli.failures import common_failure
from cooperbench.cli.output import console, counted, print_json
from cooperbench.cli.replayed import replay_summary, replays_of
from cooperbench.cli.typed import lead_on
from cooperbench.records import (
    EpisodeResult,
    GroupKey,
    Outcome,
    RunConfig,
    RunDirectory,
    RunSummary,
    Verdict,
)
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.run_lock import is_locked
from cooperbench.records.run_result import RunResult
from cooperbench.records.visible import one_line


def show_outcome(
    result: RunResult, *, as_json: bool, judged: bool = True, part: Collection[GroupKey] | None = None
) -> int:
    """Print the end of `run` and `eval`, and return the exit code; see `exit_code`."""
    if as_json:
        print_json(run_facts(result))
    else:
        out = console()
        out.print(episodes_table(result, out.width))
        print_summary(out, result.summary)
        for line in replay_summary(result.episodes):
            out.print(one_line(line), markup=False, soft_wrap=True)
        if alike := common_failure(result.episodes):
            out.print(one_line(alike), markup=False, soft_wrap=True)
        out.print(f"record: {result.directory}", markup=False)
        if result.stopped:
            out.print(
                f"stopped early: {result.stopped}; the same command resumes the run", markup=False, soft_wrap=True
            )
        if result.interrupted:
            out.print("interrupted; the same command resumes the run", markup=False)
        if not result.stopped and not result.interrupted:
            lead_on(result)
    return exit_code(result, judged=judged, part=part)


def run_facts(result: RunResult) -> dict[str, Any]:
    """Return a run as JSON values."""
    return {
        "directory": str(result.directory),
        "config": result.config.model_dump(mode="json"),
        "summary": result.summary.model_dump(mode="json"),
        "interrupted": result.interrupted,
        "stopped": result.stopped,
        "episodes": [episode_facts(episode) for episode in result.episodes],
    }


def episode_facts(episode: EpisodeView) -> dict[str, Any]:
    """Return an episode as JSON values."""
    return {
        "episode": str(episode.group),
        "directory": str(episode.directory),
        "result": episode.result.model_dump(mode="json") if episode.result else None,
        "evaluation": episode.evaluation.model_dump(mode="json") if episode.evaluation else None,
        "replays": [report.model_dump(mode="json") for report in replays_of(episode)],
    }


_COLUMNS = ("episode", "status", "outcome", "features", "messages", "steps", "cost", "seconds")
_NUMBERS = frozenset({"messages", "steps", "cost", "seconds"})
_SPARED = ("features", "messages", "steps")
"""Columns that a narrow terminal drops, in this order; `runs show NAME EPISODE` and --json have them."""


def episodes_table(result: RunResult, width: int) -> Table:
    """Build a table with a row per episode that has a result, in as many columns as fit."""
    rows = [
        dict(zip(_COLUMNS, [str(episode.group), *_cells(episode.result, episode.verdict)], strict=True))
        for episode in result.episodes
        if episode.result is not None
    ]
    columns = list(_COLUMNS)
    for spared in _SPARED:
        wide = (max(len(name), *(len(row[name]) for row in rows)) + 1 if rows else 0 for name in columns)
        if sum(wide) > width:
            columns.remove(spared)
    table = Table(box=None, pad_edge=False)
    for name in columns:
        # A number names its policy: this column is the policy's verdict.
        table.add_column(
            result.policy if name == "outcome" else name,
            justify="right" if name in _NUMBERS else "left",
            no_wrap=True,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(one_line(row[name]) for name in columns))
    return table


def _cells(result: EpisodeResult, verdict: Verdict | None) -> list[str]:
    outcome, features = "", ""
    if verdict is not None:
        outcome = verdict.outcome.value
        features = " ".join(f"f{feature.feature}:{feature.outcome}" for feature in verdict.features)
    cost = "?" if result.total_cost is None else f"${result.total_cost:.2f}"
    return [
        result.status.value,
        outcome,
        features,
        str(result.messages),
        str(result.total_steps),
        cost,
        f"{result.duration_seconds:.1f}",
    ]


def run_lines(config: RunConfig) -> Iterator[str]:
    """Yield what a run was asked to do."""
    members = [f"{member.agent} with {recorded_model(member.model)}" for member in config.team]
    same = len(set(members)) == 1 and len(members) > 1
    team = f"{len(members)} x {members[0]}" if same else ", ".join(members)
    means = [
        name
        for name, on in (("messages", config.messaging), ("git", config.git), ("task board", config.task_board))
        if on
    ]
    shared = f"; {', '.join(means) or 'no means to talk'}" if not config.setting.alone else ""
    repeats = f", {config.repeats} repeats" if config.repeats > 1 else ""
    yield f"run {config.run}: {config.setting} on {config.backend}, {team}{shared}{repeats}"
    subset = f", subset {config.tasks.subset}" if config.tasks.subset else ""
    seed = "" if config.seed is None else f"; seed {config.seed}"
    revision = config.tasks.revision or "unknown revision"
    yield f"data: {config.tasks.dataset}{subset} at {revision}; made {config.created_at:%Y-%m-%d %H:%M} UTC{seed}"


def runs_table(runs: list[RunResult]) -> Table:
    """Build a table with a row per run. Those of one experiment stand together."""
    table = Table(box=None, pad_edge=False)
    together = any(run.config.experiment for run in runs)
    columns = ("run", "state", "setting", "agent", "model", "episodes", "passed", "policy", "cost")
    for column in (*(["experiment"] if together else []), *columns):
        table.add_column(column, no_wrap=True, overflow="fold")
    for run in sorted(runs, key=lambda run: (run.config.experiment or run.config.run, run.config.created_at)):
        summary, team = run.summary, run.config.team
        cost = "?" if summary.total_cost is None else f"${summary.total_cost:.2f}"
        agents = "+".join(dict.fromkeys(member.agent for member in team))
        models = "+".join(dict.fromkeys(recorded_model(member.model) for member in team))
        done = f"{summary.completed}/{summary.planned}"
        passed = f"{summary.passed}/{summary.evaluated}"
        cells = summary.run, _state(run), summary.setting, agents, models, done, passed, run.policy, cost
        group = (run.config.experiment or "",) if together else ()
        table.add_row(*map(one_line, (*group, *cells)))
    return table


def _state(run: RunResult) -> str:
    if is_locked(RunDirectory(run.directory)):
        return "running"
    if not run.complete:
        return "incomplete"
    return "unevaluated" if run.summary.evaluated < run.summary.completed else "complete"


def summary_text(summary: RunSummary) -> str:
    """Return the whole run as one line."""
    cost = "unknown" if summary.total_cost is None else f"${summary.total_cost:.2f}"
    passed = f"{summary.passed}/{summary.evaluated} passed under {summary.policy}"
    rate = passed if summary.evaluated else "not evaluated"
    return (
        f"{summary.completed}/{summary.planned} episodes completed, {rate}; "
        f"features {summary.features_passed}/{summary.features_total}; cost {cost}"
    )


def print_summary(out: Console, summary: RunSummary) -> None:
    """Print the whole run in a few lines."""
    out.print(summary_text(summary), markup=False)
    if summary.wasted_cost:
        out.print(
            f"${summary.wasted_cost:.2f} more was spent on discarded attempts and on resolving conflicts",
            markup=False,
        )
    waiting = summary.planned - summary.completed - summary.infra_errors - summary.interrupted
    if waiting:
        out.print(f"{counted(waiting, 'episode')} not run", markup=False)
    if summary.infra_errors or summary.interrupted:
        out.print(
            f"{counted(summary.infra_errors, 'infra error')}, {summary.interrupted} interrupted: not scored, rerun on resume",
            markup=False,
        )
    unjudged = summary.completed - summary.evaluated
    if unjudged:
        out.print(f"{counted(unjudged, 'verdict')} missing: cooperbench eval -n {summary.run}", markup=False)
    forced = summary.outcomes.get(Outcome.FORCED.value, 0)
    if forced:
        out.print(f"{counted(forced, 'episode')} forced: tests passed that nobody can pass", markup=False)
    if summary.falsification_warnings:
        text = (
            f"{counted(summary.falsification_warnings, 'pass', 'passes')} contradicted by broken tests (--falsify warn)"
        )
        out.print(text, markup=False)
    if summary.achieved_concurrency is not None:
        out.print(
            f"concurrency: {summary.achieved_concurrency:g} achieved, {summary.requested_concurrency} requested",
            markup=False,
        )
