"""Temporary directories that are removed when their owner exits, even by SIGKILL.

A small shell watches over each, from before the directory is made. It holds the read end of a pipe whose write end only the owner
has, so it notices when the owner ends, lets the directory's program end, and removes the directory. Runs that are killed often
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

# $1 is the directory, the rest its program, which begins with the first line of standard input and must end with its last. Processes
# that the owner started end a moment after it, and may write until then.
_WATCHER = """
trap '' INT TERM HUP
umask 077
directory=$1
shift
read -r begin && "$@"
for attempt in 1 2 3 4 5; do rm -rf "$directory" && exit; sleep 1; done
"""
_PATIENCE = 10.0
"""Seconds for the program's end."""


def unused_path(purpose: str) -> Path:
    """Return a path in the system's directory for temporary files at which nothing exists yet."""
    return Path(tempfile.gettempdir()) / f"cooperbench-{purpose}-{secrets.token_hex(8)}"


class OwnedTempDir:
    """A new directory that only this user can look into, and a program that runs beside it from `begin` on.

    The program must end when its standard input does. Raises `RecordError` when the directory cannot be made.
    """

    def __init__(self, path: Path, program: Sequence[str] = ("cat",)) -> None:
        self.path = path
        # A session of its own: Ctrl-C in the terminal is for the owner, which needs the directory until it has ended.
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER, "cooperbench", str(path), *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._watcher.stdin is not None
        self._input = self._watcher.stdin
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            self._watcher.kill()  # what is there was made by somebody else
            self._watcher.wait()
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
        """Start the program."""
        self._input.write(b"\n")
        self._input.flush()

    @property
    def ended(self) -> bool:
        """True once the program has ended."""
        return self._watcher.poll() is not None

    def close(self) -> None:
        """End the program and remove the directory. Calling it twice is fine."""
        with suppress(BrokenPipeError):  # it has ended by itself
            self._input.close()
        try:
            self._watcher.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._watcher.kill()
            self._watcher.wait()
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Make a directory for what a run needs only while it is worked on: shared repositories, merges, test slots."""
    with OwnedTempDir(unused_path("run")) as directory:
        yield directory.path
