"""Folders for what is of use only while a process works: they go away with it, however it ends.

A small shell guards each, from before the folder is made. It holds the read end of a pipe whose write end only we have, so it notices
our end also when that was a kill -9, lets the folder's program come to its end, and removes the folder. Runs that were killed often
would fill the disk otherwise.
"""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cooperbench.errors import RecordError

# $1 is the folder, the rest its program, which begins with the first line of standard input and must end with its last. Processes
# that we started end a moment after us, and may write until then.
_GUARD = """
trap '' INT TERM HUP
umask 077
folder=$1
shift
read -r begin && "$@"
for attempt in 1 2 3 4 5; do rm -rf "$folder" && exit; sleep 1; done
"""
_PATIENCE = 10.0
"""Seconds for the program's end."""


def new_folder_name(purpose: str) -> Path:
    """A path in the system's folder for temporary files at which there is nothing yet."""
    return Path(tempfile.gettempdir()) / f"cooperbench-{purpose}-{secrets.token_hex(8)}"


class GuardedFolder:
    """A new folder that only this user can look into, and a program that runs beside it from `begin` on.

    The program must end when its standard input does. Raises `RecordError` when the folder cannot be made.
    """

    def __init__(self, path: Path, program: Sequence[str] = ("cat",)) -> None:
        self.path = path
        # A session of its own: Ctrl-C in the terminal is for us, and what we guard is needed until we have ended.
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "cooperbench", str(path), *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._guard.stdin is not None
        self._input = self._guard.stdin
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            self._guard.kill()  # what is there is not ours to remove
            self._guard.wait()
            self._input.close()
            raise RecordError(
                f"cannot make {path}: {error.strerror}", hint="TMPDIR names another place for temporary files"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def begin(self) -> None:
        """Let the program begin."""
        self._input.write(b"\n")
        self._input.flush()

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._guard.poll() is not None

    def close(self) -> None:
        """End the program and remove the folder. Twice is fine."""
        with suppress(BrokenPipeError):  # it has ended by itself
            self._input.close()
        try:
            self._guard.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for what is of use only while a run is worked on: shared repositories, merges, turns; it is gone after the block, and after the end of this process however that came."""
    with GuardedFolder(new_folder_name("run")) as folder:
        yield folder.path
