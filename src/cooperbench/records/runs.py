"""Finding and reading runs that lie on disk."""

import re
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import read_model
from cooperbench.records.layout import RunDirectory
from cooperbench.records.paths import default_log_dir
from cooperbench.records.run import GroupKey, RunConfig, RunSummary
from cooperbench.records.summary import read_episodes, summarize

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


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
        """True when every episode has a result that can be judged."""
        return self.summary.completed == self.summary.planned


def check_run_name(name: str) -> str:
    """Return `name`. Raises `UsageError` when it is not a plain name that can be a folder."""
    if "/" in name or "\\" in name or name in (".", ".."):
        raise UsageError(
            f"run name {name!r} has a path in it",
            subject=name,
            hint="give a plain name with --name, and the folder with --log-dir",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"run name {name!r} cannot be used",
            subject=name,
            hint="use letters, digits, '.', '_', '+' and '-', at most 100 of them, the first a letter or digit",
        )
    return name


def default_run_name(*parts: str | None) -> str:
    """Make a name from what the run is about: the same each time, so that repeating a command resumes its run."""
    words = (re.sub(r"[^A-Za-z0-9._+-]+", "-", part).strip("-.") for part in parts if part)
    return "-".join(word for word in words if word)[:100].rstrip("-.")


def run_names(log_dir: Path | None = None) -> list[str]:
    """List the names of the runs below a log directory."""
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
