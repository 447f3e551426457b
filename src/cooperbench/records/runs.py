"""Finding and reading runs that lie on disk."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import matching, read_model
from cooperbench.records.layout import RunDirectory
from cooperbench.records.paths import default_log_dir
from cooperbench.records.run import GroupKey, RunConfig
from cooperbench.records.run_result import RunResult, Runs
from cooperbench.records.summary import read_episodes, summarize

LogDir = str | os.PathLike[str] | None
"""A log directory; `None` is the default one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


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


def run_names(log_dir: LogDir = None) -> list[str]:
    """List the names of the runs below a log directory."""
    place = _log_dir(log_dir)
    return [path.parent.name for path in matching(place, "*/config.json")]


def open_run(name: str, log_dir: LogDir = None) -> tuple[RunDirectory, RunConfig]:
    """Find a run by its name, which is that of its folder. Raises `UnknownNameError`, or `RecordError` for a broken configuration."""
    place = _log_dir(log_dir).absolute()
    # A folder that somebody has renamed may have any name.
    directory = RunDirectory(place / (name if name in run_names(place) else check_run_name(name)))
    try:
        return directory, read_config(directory)
    except FileNotFoundError:
        hint = f"cooperbench runs list, or --log-dir if it does not lie in {directory.path.parent}"
        raise UnknownNameError("run", name, run_names(log_dir), hint=hint) from None


def read_config(directory: RunDirectory) -> RunConfig:
    """Read the configuration of a run under the present name of its folder. Raises `FileNotFoundError` or `RecordError`."""
    return read_model(directory.config, RunConfig).model_copy(update={"run": directory.path.name})


def read_run(
    name: str,
    log_dir: LogDir = None,
    *,
    policy: str | None = None,
    settled: dict[GroupKey, EpisodeView] | None = None,
) -> RunResult:
    """Read a whole run, with its numbers computed from the episodes. Writes nothing. For `settled` see `read_episodes`.

    `policy` (`union@1`, or `union` for the newest) chooses the verdicts, by default the run's own. Raises `UnknownNameError` for
    a policy that has judged none of them.
    """
    directory, config = open_run(name, log_dir)
    episodes = read_episodes(directory, config, settled)
    result = RunResult(directory.path, config, summarize(directory, config, episodes), episodes)
    return result if policy is None else result.under(policy)


def read_runs(names: Sequence[str] | None = None, log_dir: LogDir = None, *, policy: str | None = None) -> Runs:
    """Read several runs, by default all of a log directory, each under its own policy or under `policy`."""
    chosen = run_names(log_dir) if names is None else [names] if isinstance(names, str) else names
    return Runs(tuple(read_run(name, log_dir, policy=policy) for name in chosen))


def _log_dir(log_dir: LogDir) -> Path:
    return default_log_dir() if log_dir is None else Path(log_dir).expanduser()
