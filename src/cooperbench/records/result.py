"""What `run` and `evaluate` return."""

from pathlib import Path
from typing import NamedTuple

from cooperbench.records.episode import EpisodeResult
from cooperbench.records.layout import RunDirectory
from cooperbench.records.run import GroupKey, RunConfig, RunSummary
from cooperbench.records.summary import EpisodeRecord
from cooperbench.records.verdict import Evaluation


class EpisodeOutcome(NamedTuple):
    """One episode of a run, as far as it has come."""

    group: GroupKey
    directory: Path
    result: EpisodeResult | None
    evaluation: Evaluation | None

    @property
    def passed(self) -> bool | None:
        """Whether every feature's hidden tests pass on the merged work; `None` when it was not judged."""
        return None if self.evaluation is None else self.evaluation.verdict.passed


class RunResult(NamedTuple):
    """A whole run, earlier sessions included."""

    directory: Path
    config: RunConfig
    summary: RunSummary
    episodes: tuple[EpisodeOutcome, ...]
    interrupted: bool = False
    stopped: str = ""
    """Why the run stopped early; empty when it did not."""

    @property
    def complete(self) -> bool:
        """Whether every episode has come to a result that can be judged."""
        return self.summary.completed == self.summary.planned


def make_result(
    directory: RunDirectory,
    config: RunConfig,
    summary: RunSummary,
    records: list[EpisodeRecord],
    *,
    interrupted: bool = False,
    stopped: str = "",
) -> RunResult:
    """Put together what was read from the run directory."""
    episodes = tuple(
        EpisodeOutcome(
            record.group, directory.episode(config.setting, record.group).path, record.result, record.evaluation
        )
        for record in records
    )
    return RunResult(directory.path, config, summary, episodes, interrupted, stopped)
