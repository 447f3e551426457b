"""A run's trajectories in the Agent Trajectory Interchange Format."""

from pathlib import Path

from cooperbench.errors import UsageError
from cooperbench.records import Trajectory, read_model, write_bytes
from cooperbench.records.atif import to_atif
from cooperbench.runner.evaluating import open_run
from cooperbench.runner.planning.keys import scrubbed

SUFFIX = "_traj.json"


def export_atif(name: str, target: Path, *, log_dir: Path | None = None) -> list[Path]:
    """Write each member's trajectory to `target`, in folders as in the run, and return the files.

    Raises `UsageError` when the folder has something in it, or the run has no trajectory yet.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    directory, config = open_run(name, log_dir)
    sources = [path for path in sorted(directory.path.rglob(f"*{SUFFIX}")) if not _is_hidden(path, directory.path)]
    if not sources:
        raise UsageError(f"run {name!r} has no trajectory yet", subject=name, hint=f"cooperbench runs show {name}")
    version = config.versions.get("cooperbench", "unknown")
    written = []
    for source in sources:
        place = source.relative_to(directory.path)
        session = f"{config.run}/{place.parent.as_posix()}"
        document = to_atif(read_model(source, Trajectory), version=version, session_id=session)
        path = target / place.with_name(place.name.removesuffix(SUFFIX) + ".atif.json")
        write_bytes(path, scrubbed(document.to_json().encode())[0])
        written.append(path)
    return written


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
