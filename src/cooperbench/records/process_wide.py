"""What the harness sets up for a process before an agent's code runs in it, which finds it there without being handed it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class ProcessWide(Generic[T]):
    """An object for the whole process, all of its threads included: a context variable would not reach those that an agent starts."""

    def __init__(self, default: T) -> None:
        self._current = default

    def current(self) -> T:
        """Return the object that was activated last, else the default."""
        return self._current

    @contextmanager
    def activate(self, value: T) -> Iterator[T]:
        """Make an object the current one, until the context ends."""
        before, self._current = self._current, value
        try:
            yield value
        finally:
            self._current = before
