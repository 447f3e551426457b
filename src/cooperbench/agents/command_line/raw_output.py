"""What a program wrote, as it came, in the member's logs: for people who look for what the history leaves out."""

from pathlib import Path
from typing import IO, Self

from cooperbench.records.secrets import scrubbed

STDOUT, STDERR = "program_output.txt", "program_errors.txt"
MOST = 64 * 1024 * 1024
"""Bytes of its stdout that are kept. A session of an hour writes some megabytes."""


class RawOutput:
    """Writes the lines of one program to a folder; without a folder it drops them."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._left = MOST
        self._stream: IO[bytes] | None = None

    def add(self, line: str) -> None:
        """Add a line of stdout."""
        if self._stream is None or self._left <= 0:
            return
        data = scrubbed(line.encode("utf-8", "replace") + b"\n")[0][: self._left]
        self._left -= len(data)
        self._stream.write(data)
        if self._left <= 0:
            self._stream.write(b"\n[more was written, which is not kept]\n")

    def add_stderr(self, text: str) -> None:
        """Write the end of stderr."""
        if self._folder is not None and text:
            (self._folder / STDERR).write_bytes(scrubbed(text.encode("utf-8", "replace"))[0])

    def __enter__(self) -> Self:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stream = (self._folder / STDOUT).open("wb", buffering=0)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._stream is not None:
            self._stream.close()
