"""Reading what a run is doing now, for the runner's display and for any other terminal."""

from typing import NamedTuple

from cooperbench.records.base import utc_now
from cooperbench.records.claims import newest_attempt
from cooperbench.records.episode import EpisodeStatus
from cooperbench.records.episode_state import EpisodeStart, read_start
from cooperbench.records.layout import EpisodeDirectory, RunDirectory
from cooperbench.records.member_files import MemberFolder, Progress, read_progress
from cooperbench.records.run import GroupKey, RunConfig
from cooperbench.records.run_result import RunResult


class LiveEpisode(NamedTuple):
    """An episode at work."""

    group: GroupKey
    start: EpisodeStart
    progress: dict[str, Progress | None]


class Counts(NamedTuple):
    """The whole run at one moment."""

    planned: int
    """Episodes of the run."""
    reused: int
    """Finished in an earlier session."""
    completed: int
    """Finished altogether."""
    running: int
    capacity: int | None
    """The most episodes that run at the same time; `None` when seen from another process."""
    infra_errors: int
    evaluated: int
    passed: int
    cost: float | None
    """US dollars of all model calls of the run so far, discarded attempts included; `None` when a finished episode's is unknown."""
    seconds: float
    """Of this session."""
    seconds_left: float | None = None
    """Forecast."""
    cost_left: float | None = None
    """Forecast, US dollars."""


def read_live(directory: RunDirectory, config: RunConfig) -> list[LiveEpisode]:
    """Read the episodes at work, in the order of the plan."""
    found = (_read_episode(group, directory.episode(config.setting, group)) for group in config.groups)
    return [episode for episode in found if episode is not None]


def _read_episode(group: GroupKey, directory: EpisodeDirectory) -> LiveEpisode | None:
    start = read_start(directory)
    if start is None and not directory.result.exists() and (attempt := newest_attempt(directory)) is not None:
        directory, start = attempt, read_start(attempt)
    if start is None:
        return None
    progress = {agent: read_progress(MemberFolder(directory.members / agent).progress) for agent in start.agents}
    return LiveEpisode(group, start, progress)


def counts_of(result: RunResult, live: list[LiveEpisode]) -> Counts:
    """Compute the numbers of a run that another process works on."""
    summary = result.summary
    over = [episode.result for episode in result.episodes if episode.result is not None]
    finished = [each for each in over if each.status is EpisodeStatus.COMPLETED]
    mean = sum(each.duration_seconds for each in finished) / len(finished) if finished else None
    left = summary.planned - summary.completed
    begun = min((episode.start.started_at for episode in live), default=utc_now())
    return Counts(
        planned=summary.planned,
        reused=0,
        completed=summary.completed,
        running=len(live),
        capacity=None,
        infra_errors=summary.infra_errors,
        evaluated=summary.evaluated,
        passed=summary.passed,
        cost=None if summary.total_cost is None else summary.total_cost + summary.wasted_cost,
        seconds=(utc_now() - min([begun, *(each.started_at for each in over)])).total_seconds(),
        seconds_left=mean * left / len(live) if mean is not None and live else None,
        cost_left=(summary.total_cost or 0.0) / len(finished) * left if finished else None,
    )
