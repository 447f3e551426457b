"""A folder for what is of use only while a run is worked on: shared repositories, merges, turns.

A small shell keeps it company. It holds the read end of a pipe whose write end only the runner has, so it notices the runner's
end however that came, kill -9 included, and then removes the folder. Runs that were killed often would fill the disk otherwise.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Workers of a killed runner end a moment after it, and may write until then.
_COMPANION = (
    'trap "" INT TERM HUP; cat >/dev/null; for n in 1 2 3 4 5; do rm -rf "$1" 2>/dev/null && exit; sleep 1; done'
)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """The folder; it is gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix="cooperbench-run-"))
    companion = subprocess.Popen(
        ["sh", "-c", _COMPANION, "cooperbench", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        assert companion.stdin is not None
        companion.stdin.close()
        companion.wait()
        shutil.rmtree(folder, ignore_errors=True)
