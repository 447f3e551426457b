"""Show a run that other processes work on, from its record."""

from cooperbench.records import GroupKey, RunDirectory
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.live import Counts, read_live
from cooperbench.records.summary import read_episodes
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.engine.progress import SessionProgress
from cooperbench.runner.planning.plan import Plan


class RecordFollower:
    """Tells an observer what has come into the record since the last look."""

    def __init__(self, plan: Plan, observer: Observer) -> None:
        self._plan = plan
        self._observer = observer
        self._directory: RunDirectory = plan.directory
        self._settled: dict[GroupKey, EpisodeView] = {}
        self._over: set[GroupKey] = set()
        self._judged: set[GroupKey] = set()
        self._earlier: dict[GroupKey, int] = {}
        """Attempts at the episodes before this session."""
        self.progress = SessionProgress(plan)
        for episode in self._read():
            self._earlier[episode.group] = episode.attempts
            if episode.completed is not None:
                self._over.add(episode.group)
                self.progress.reuse(episode.completed, episode.verdict)
            if episode.verdict is not None:
                self._judged.add(episode.group)

    def look(self, capacity: int) -> Counts:
        """Tell what is new, and return the numbers of this moment."""
        for episode in self._read():
            if episode.completed is not None and episode.group not in self._over:
                self._show(episode)
            if episode.group not in self._judged and episode.evaluation is not None:
                self._judged.add(episode.group)
                self.progress.evaluate(episode.evaluation)
                self._observer.evaluated(episode.group, episode.evaluation)
        running = len(read_live(self._directory, self._plan.config))
        left = len(self._plan.episodes) - len(self._over)
        return self.progress.counts(left=left, running=running, capacity=capacity)

    def show_unfinished(self) -> None:
        """Tell of the episodes whose newest attempt has failed or was interrupted, at the end of a session."""
        failed = (EpisodeState.INFRA_ERROR, EpisodeState.INTERRUPTED)
        for episode in self._read():
            new = episode.group not in self._over and episode.attempts > self._earlier[episode.group]
            if new and episode.state in failed:
                self._show(episode)

    def _show(self, episode: EpisodeView) -> None:
        self._over.add(episode.group)
        if episode.result is not None:
            self.progress.spans.append((episode.result.started_at, episode.result.ended_at))
            self.progress.finish(episode.result)
            self._observer.episode_ended(episode.result)

    def _read(self) -> tuple[EpisodeView, ...]:
        return read_episodes(self._directory, self._plan.config, self._settled)
