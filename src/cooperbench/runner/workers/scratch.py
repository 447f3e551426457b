"""A folder for what is of use only while a run is worked on: shared repositories, merges, turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cooperbench.records.guarded import GuardedFolder, new_folder_name


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """The folder; it is gone after the block, and after the end of this process however that came."""
    with GuardedFolder(new_folder_name("run")) as folder:
        yield folder.path
