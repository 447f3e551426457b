"""What a spawned program writes, taken from the stream of `inside/spawn.sh`: live lines, head and tail, and how it ended."""

from typing import NamedTuple

LONGEST_LINE = 8 << 20
"""Bytes. A longer line comes in pieces of this size, so that no program fills the harness's memory."""
KEPT_STDERR = 16384
"""Bytes. `inside/spawn.sh` sends as many, and its mark."""


class ProgramEnd(NamedTuple):
    """A program's exit code and the end of its stderr."""

    code: int
    stderr: bytes


class LiveOutput:
    """Separates output from the report at its end. Holds at most one line, the head and tail of all, and the report."""

    def __init__(self, nonce: str, limit: int) -> None:
        self._report = f"\0{nonce} ".encode()
        self._mark = f"\0{nonce}\0".encode()
        self._half = limit // 2
        self._unsorted = bytearray()
        """Bytes that may be the beginning of the report."""
        self._line = bytearray()
        self._ended = False
        self.total = 0
        self.head = bytearray()
        self.tail = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what the stream delivered."""
        self._unsorted += data
        if self._ended:
            return
        place = self._unsorted.find(self._report)
        if place >= 0:
            self._ended = True
            self._keep(place)
            return
        first = self._unsorted.find(b"\0", max(0, len(self._unsorted) - len(self._report) + 1))
        self._keep(len(self._unsorted) if first < 0 else first)

    def end_of_stream(self) -> None:
        """Take the rest for output: the stream ended without a report."""
        if not self._ended:
            self._keep(len(self._unsorted))

    def take_line(self, *, ended: bool) -> bytes | None:
        """Return the next line without its end, `None` when it is not complete. `ended` makes the last piece a line."""
        place = self._line.find(b"\n", 0, LONGEST_LINE)
        if place >= 0:
            line = bytes(self._line[:place])
            del self._line[: place + 1]
            return line
        if len(self._line) >= LONGEST_LINE or (ended and self._line):
            line = bytes(self._line[:LONGEST_LINE])
            del self._line[:LONGEST_LINE]
            return line
        return None

    def drop_lines(self) -> None:
        """Forget the lines that were not taken."""
        self._line.clear()

    def ending(self) -> ProgramEnd | None:
        """Return the report once it has arrived in whole."""
        if not self._ended:
            return None
        header, found, stderr = bytes(self._unsorted).partition(b"\n")
        if not found:
            return None
        code, size = (int(word) for word in header[len(self._report) :].split())
        own, _, _ = stderr[:size].partition(self._mark)
        return None if len(stderr) < size else ProgramEnd(code, own[-KEPT_STDERR:])

    def _keep(self, size: int) -> None:
        data = bytes(self._unsorted[:size])
        del self._unsorted[:size]
        self._line += data
        self.total += len(data)
        room = self._half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > self._half + (1 << 16):
            del self.tail[: -self._half]

    def last(self) -> bytes:
        """Return the tail, cut to its size."""
        return bytes(self.tail[max(0, len(self.tail) - self._half) :])
