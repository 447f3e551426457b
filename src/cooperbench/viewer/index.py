"""What the lists show: runs, the groups of a run as a table and as a grid. All of it is computed from the records."""

import re
from collections.abc import Iterator, Mapping, Sequence

from cooperbench.records import EpisodeResult, GroupKey, Outcome, Record, RunConfig, RunDirectory
from cooperbench.records.base import UtcTime
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.live import LiveEpisode, read_live
from cooperbench.records.member_files import Progress
from cooperbench.records.run_lock import is_locked
from cooperbench.records.run_result import RunResult


class RunEntry(Record):
    """A row of the list of runs."""

    name: str
    experiment: str | None
    state: str
    """`running`, `complete`, `incomplete` or `unevaluated`."""
    setting: str
    backend: str
    policy: str
    """The policy that all outcomes here go by."""
    agents: tuple[str, ...]
    models: tuple[str, ...]
    data: str
    planned: int
    completed: int
    evaluated: int
    passed: int
    infra_errors: int
    outcomes: dict[str, int]
    cost: float | None
    """US dollars of the finished episodes; `None` if one's is unknown."""
    messages: int
    created_at: UtcTime


class GroupEntry(Record):
    """A row of the table of groups: one episode."""

    episode: str
    task: str
    """`repo/task_id`."""
    features: tuple[int, ...]
    repeat: int
    state: str
    """`running` for an episode at work now, else as in the record: `finished`, `new`, `infra_error`, …"""
    outcome: str | None = None
    reason: str = ""
    """One line that says why it did not pass, or what its members do now."""
    conflicts: tuple[str, ...] = ()
    """Files that could not be merged."""
    limits: tuple[str, ...] = ()
    """Kinds of the limits that ended members."""
    errors: tuple[str, ...] = ()
    """Kinds of the failures of the episode and its members."""
    cost: float | None = None
    seconds: float | None = None
    """From the first member's start to the last one's end."""
    steps: int = 0
    messages: int = 0


class GridLine(Record):
    """A task of the grid. Each cell holds the positions of its groups in the table: several for repeats, none for a gap."""

    task: str
    cells: tuple[tuple[int, ...], ...]


class Grid(Record):
    """Tasks by feature pairs."""

    columns: tuple[tuple[int, ...], ...]
    lines: tuple[GridLine, ...]


class RunPage(Record):
    """Everything that the page of a run shows."""

    run: RunEntry
    groups: tuple[GroupEntry, ...]
    grid: Grid


def run_entry(run: RunResult, *, running: bool) -> RunEntry:
    """Describe a run for the list of runs."""
    config, summary = run.config, run.summary
    return RunEntry(
        name=config.run,
        experiment=config.experiment,
        state="running" if running else _state(run),
        setting=config.setting.value,
        backend=config.backend,
        policy=run.policy,
        agents=tuple(dict.fromkeys(member.agent for member in config.team)),
        models=tuple(dict.fromkeys(recorded_model(member.model) for member in config.team)),
        data=", ".join(dict.fromkeys(filter(None, (config.tasks.dataset, config.tasks.subset)))),
        cost=summary.total_cost,
        created_at=config.created_at,
        **{
            name: getattr(summary, name)
            for name in ("planned", "completed", "evaluated", "passed", "infra_errors", "outcomes", "messages")
        },
    )


def _state(run: RunResult) -> str:
    if not run.complete:
        return "incomplete"
    return "unevaluated" if run.summary.evaluated < run.summary.completed else "complete"


def run_page(run: RunResult) -> RunPage:
    """Describe a run with its groups, also while it goes on."""
    directory = RunDirectory(run.directory)
    running = is_locked(directory)
    working = {each.group: each for each in read_live(directory, run.config)} if running else {}
    groups = tuple(group_entries(run.config, run.episodes, working))
    return RunPage(run=run_entry(run, running=running), groups=groups, grid=grid_of(groups))


def group_entries(
    config: RunConfig, episodes: Sequence[EpisodeView], working: Mapping[GroupKey, LiveEpisode]
) -> Iterator[GroupEntry]:
    """Yield a row for each episode. `working` are those that members work on now."""
    for episode in episodes:
        live = working.get(episode.group) if episode.result is None else None
        yield _group_entry(episode) if live is None else _working_entry(episode, live)


def _group_entry(episode: EpisodeView) -> GroupEntry:
    result, verdict = episode.result, episode.verdict
    return GroupEntry(
        **_names(episode.group),
        state=episode.state.value,
        outcome=verdict.outcome.value if verdict is not None else None,
        reason=_reason(episode),
        conflicts=_conflicts(episode),
        limits=_limits(result),
        errors=_errors(result),
        cost=result.total_cost if result is not None else None,
        seconds=result.duration_seconds if result is not None else None,
        steps=result.total_steps if result is not None else 0,
        messages=result.messages if result is not None else 0,
    )


def _working_entry(episode: EpisodeView, live: LiveEpisode) -> GroupEntry:
    progress = {agent: found for agent, found in live.progress.items() if found is not None}
    costs = [each.usage.cost for each in progress.values()]
    return GroupEntry(
        **_names(episode.group),
        state="running",
        reason="; ".join(f"{agent}: {_present(found)}" for agent, found in live.progress.items()),
        cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        steps=sum(each.steps for each in progress.values()),
        messages=sum(each.messages for each in progress.values()),
    )


def _present(progress: Progress | None) -> str:
    if progress is None:
        return "starting"
    if progress.waiting is not None:
        return f"waits for its model: {progress.waiting.reason}"
    return _line(progress.last_action) or "working"


def _names(group: GroupKey) -> dict[str, object]:
    return {"episode": str(group), "task": group.task, "features": group.features, "repeat": group.repeat}


def _reason(episode: EpisodeView) -> str:
    if episode.verdict is not None:
        reasons = dict.fromkeys(each.reason for each in episode.verdict.features if each.reason)
        return _line("; ".join(reasons))
    if episode.result is not None and episode.result.error is not None:
        return _line(episode.result.error.message)
    if episode.state is EpisodeState.FINISHED:
        return "not judged"
    return _line(episode.note)


_LONGEST = 300
"""Characters of a reason in the table; the episode's page has all of it."""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _conflicts(episode: EpisodeView) -> tuple[str, ...]:
    verdict = episode.verdict
    if verdict is None or verdict.outcome is not Outcome.MERGE_CONFLICT:
        return ()
    paths = tuple(dict.fromkeys(path for each in verdict.features for path in each.paths))
    if paths or episode.evaluation is None:
        return paths
    # Verdicts of earlier runs do not name the files. Reading the whole evaluation takes ten times as long.
    steps = (step for stage in episode.evaluation.stages if stage.name == verdict.stage for step in stage.steps)
    return tuple(dict.fromkeys(conflict.path for step in steps for conflict in step.conflicts))


def _limits(result: EpisodeResult | None) -> tuple[str, ...]:
    members = result.agents.values() if result is not None else ()
    return tuple(dict.fromkeys(member.limit.kind for member in members if member.limit is not None))


def _errors(result: EpisodeResult | None) -> tuple[str, ...]:
    if result is None:
        return ()
    failures = (result.error, *(member.error for member in result.agents.values()))
    return tuple(dict.fromkeys(failure.kind for failure in failures if failure is not None))


def grid_of(groups: Sequence[GroupEntry]) -> Grid:
    """Arrange groups in lines by task and columns by features, repeats together."""
    columns = tuple(sorted({group.features for group in groups}, key=lambda features: (len(features), features)))
    cells: dict[str, dict[tuple[int, ...], list[int]]] = {}
    for position, group in enumerate(groups):
        cells.setdefault(group.task, {}).setdefault(group.features, []).append(position)
    lines = (
        GridLine(task=task, cells=tuple(tuple(found.get(features, ())) for features in columns))
        for task, found in sorted(cells.items(), key=lambda item: _natural(item[0]))
    )
    return Grid(columns=columns, lines=tuple(lines))


def _natural(task: str) -> list[tuple[str, int]]:
    """Return a key that puts `repo2/1` before `repo10/1`."""
    return [(word, int(digits or -1)) for word, digits in re.findall(r"(\D*)(\d*)", task)]
