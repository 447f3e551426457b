"""The only places that CooperBench writes to besides sandboxes: the run directory and the cache."""

import os
from pathlib import Path

from platformdirs import user_cache_path

AnyPath = str | os.PathLike[str]
"""The paths that the Python interface takes."""


def cache_dir() -> Path:
    """Return the directory of images, base trees and downloads: `$COOPERBENCH_CACHE_DIR`, or the platform's cache folder."""
    configured = os.environ.get("COOPERBENCH_CACHE_DIR")
    return Path(configured).expanduser() if configured else user_cache_path("cooperbench", appauthor=False)


SCRATCH = "COOPERBENCH_SCRATCH_DIR"
"""The variable that a run sets for its processes."""


def scratch_dir() -> Path | None:
    """Return the run's directory for temporary files, which is removed however the run ends; `None` outside a run."""
    folder = os.environ.get(SCRATCH)
    return Path(folder) if folder else None


def default_log_dir() -> Path:
    """Return the directory of runs without `--log-dir`: `$COOPERBENCH_LOG_DIR`, or `logs` in the current folder."""
    return Path(os.environ.get("COOPERBENCH_LOG_DIR", "logs"))
