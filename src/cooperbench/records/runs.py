"""Finding and reading runs that lie on disk."""

from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import UnknownNameError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import read_model
from cooperbench.records.layout import RunDirectory
from cooperbench.records.paths import default_log_dir
from cooperbench.records.run import GroupKey, RunConfig, RunSummary
from cooperbench.records.run_names import check_run_name
from cooperbench.records.summary import read_episodes, summarize


class RunResult(NamedTuple):
    """A whole run, earlier sessions included."""

    directory: Path
    config: RunConfig
    summary: RunSummary
    episodes: tuple[EpisodeView, ...]
    interrupted: bool = False
    stopped: str = ""
    """Why the run stopped early; empty when it did not."""

    @property
    def complete(self) -> bool:
        """True when every episode has come to a result that can be judged."""
        return self.summary.completed == self.summary.planned


def run_names(log_dir: Path | None = None) -> list[str]:
    """The runs below a log directory, by name."""
    place = log_dir or default_log_dir()
    return sorted(path.parent.name for path in place.glob("*/config.json"))


def open_run(name: str, log_dir: Path | None = None) -> tuple[RunDirectory, RunConfig]:
    """Find a run by its name. Raises `UnknownNameError`, or `RecordError` when its configuration cannot be read."""
    directory = RunDirectory((log_dir or default_log_dir()).absolute() / check_run_name(name))
    try:
        return directory, read_model(directory.config, RunConfig)
    except FileNotFoundError:
        hint = f"cooperbench runs list, or --log-dir if it does not lie in {directory.path.parent}"
        raise UnknownNameError("run", name, run_names(log_dir), hint=hint) from None


def read_run(
    name: str, log_dir: Path | None = None, *, settled: dict[GroupKey, EpisodeView] | None = None
) -> RunResult:
    """Read a whole run, with its numbers computed from the episodes. Writes nothing. For `settled` see `read_episodes`."""
    directory, config = open_run(name, log_dir)
    episodes = read_episodes(directory, config, settled)
    return RunResult(directory.path, config, summarize(directory, config, episodes), episodes)
