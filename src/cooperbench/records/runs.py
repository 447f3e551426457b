"""Finding and reading runs that lie on disk."""

from pathlib import Path

from cooperbench.errors import UnknownNameError
from cooperbench.records.files import read_model
from cooperbench.records.layout import RunDirectory
from cooperbench.records.paths import default_log_dir
from cooperbench.records.result import RunResult, make_result
from cooperbench.records.run import GroupKey, RunConfig
from cooperbench.records.run_names import check_run_name
from cooperbench.records.summary import EpisodeRecord, read_episodes, summarize


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
    name: str, log_dir: Path | None = None, *, settled: dict[GroupKey, EpisodeRecord] | None = None
) -> RunResult:
    """Read a whole run, with its numbers computed from the episodes. Writes nothing. For `settled` see `read_episodes`."""
    directory, config = open_run(name, log_dir)
    records = read_episodes(directory, config, settled)
    return make_result(directory, config, summarize(directory, config, records), records)
