"""`summary.json`: whole-run numbers, computed from the episodes' records each time."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from cooperbench.errors import RecordError
from cooperbench.records.base import utc_now
from cooperbench.records.episode_state import EpisodeState, EpisodeView, read_state
from cooperbench.records.files import read_model, write_model
from cooperbench.records.layout import RunDirectory
from cooperbench.records.ledger import RunLedger
from cooperbench.records.run import GroupKey, RunConfig, RunSummary
from cooperbench.records.verdict import Outcome


def read_episodes(
    directory: RunDirectory,
    config: RunConfig,
    settled: dict[GroupKey, EpisodeView] | None = None,
    *,
    policy: str | None = None,
) -> tuple[EpisodeView, ...]:
    """Read all episodes of a run, in the order of its plan, with their verdicts under `policy`, by default the run's own.

    Pass the same dictionary `settled` to read again and again: it keeps episodes with a verdict, which take nearly all of the time.
    """
    settled = {} if settled is None else settled
    episodes = []
    for group in config.groups:
        place = directory.episode(config.setting, group)
        episode = settled.get(group) or read_state(place, group, policy or config.policy)
        if episode.verdict is not None:
            settled[group] = episode
        episodes.append(episode)
    return tuple(episodes)


def summarize(
    directory: RunDirectory,
    config: RunConfig,
    episodes: Sequence[EpisodeView],
    *,
    requested_concurrency: int | None = None,
    achieved_concurrency: float | None = None,
    policy: str | None = None,
) -> RunSummary:
    """Compute the numbers of a run. `policy` is the one that the episodes were read for, by default the run's own."""
    states = Counter(episode.state for episode in episodes)
    results = [episode.completed for episode in episodes if episode.completed is not None]
    verdicts = [episode.verdict for episode in episodes if episode.verdict is not None]
    outcomes = Counter(verdict.outcome.value for verdict in verdicts)
    features = [feature for verdict in verdicts for feature in verdict.features]
    known = [result.total_cost for result in results if result.total_cost is not None]
    return RunSummary(
        run=config.run,
        experiment=config.experiment,
        setting=config.setting,
        policy=policy or config.policy,
        planned=len(config.groups),
        completed=len(results),
        infra_errors=states[EpisodeState.INFRA_ERROR],
        interrupted=states[EpisodeState.INTERRUPTED],
        evaluated=len(verdicts),
        passed=outcomes[Outcome.PASSED.value],
        outcomes=dict(outcomes),
        falsification_warnings=sum(map(_forced_and_passed, episodes)),
        features_passed=sum(feature.outcome is Outcome.PASSED for feature in features),
        features_total=len(features),
        total_cost=sum(known) if len(known) == len(results) else None,
        wasted_cost=max(0.0, round(RunLedger(directory.ledger).total() - sum(known), 9)),
        total_steps=sum(result.total_steps for result in results),
        messages=sum(result.messages for result in results),
        agent_seconds=sum((m.ended_at - m.started_at).total_seconds() for r in results for m in r.agents.values()),
        requested_concurrency=requested_concurrency,
        achieved_concurrency=achieved_concurrency,
        updated_at=utc_now(),
    )


def _forced_and_passed(episode: EpisodeView) -> bool:
    """Tell whether an episode passed although broken tests say that its results were forced: `--falsify warn`."""
    return bool(episode.passed) and episode.verdict is not None and episode.verdict.stage in episode.forced_stages


def write_summary(directory: RunDirectory, summary: RunSummary) -> RunSummary:
    """Write `summary.json` and return the summary. A session that ran no episode keeps what was measured before."""
    if summary.achieved_concurrency is None:
        with contextlib.suppress(FileNotFoundError, RecordError):
            before = read_model(directory.summary, RunSummary)
            kept = {name: getattr(before, name) for name in ("requested_concurrency", "achieved_concurrency")}
            summary = summary.model_copy(update=kept)
    write_model(directory.summary, summary)
    return summary


def concurrency_achieved(spans: Sequence[tuple[datetime, datetime]]) -> float | None:
    """Compute the mean number of episodes that ran at the same time while there was work for all threads.

    That is from the first start until, after the last start, the first thread had nothing left to do.
    """
    if not spans:
        return None
    first = min(start for start, _ in spans)
    last_start = max(start for start, _ in spans)
    dry = min(end for _, end in spans if end >= last_start)
    seconds = (dry - first).total_seconds()
    if seconds <= 0:
        return float(len(spans))
    busy = sum(max(0.0, (min(end, dry) - start).total_seconds()) for start, end in spans)
    return round(busy / seconds, 2)
