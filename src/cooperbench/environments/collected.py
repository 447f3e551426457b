"""Output that a task of the background loop collects, for a reader in another thread."""

import asyncio
import queue

from cooperbench.environments.background import background_loop

MOST_WAITING = 16
"""Pieces that may wait for their reader; one is at most 64 KiB from today's backends."""


class CollectedOutput:
    """A few pieces of output between the loop and one reader. A reader that stalls stalls the program, not this machine's memory."""

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._rest = b""
        self._ended = False

    async def put(self, piece: bytes) -> None:
        """Add a piece, once there is room."""
        await self._room.acquire()
        self._pieces.put(piece)

    def end(self) -> None:
        """Say that nothing more comes. Twice is fine."""
        self._pieces.put(b"")

    def read(self, size: int) -> bytes:
        """Block until there is something, and return at most `size` bytes; empty at the end."""
        if not self._rest and not self._ended:
            self._rest = self._pieces.get()
            self._ended = not self._rest
            background_loop().call_soon_threadsafe(self._room.release)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
