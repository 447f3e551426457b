"""An answer of a provider on its way to a program, whoever gives it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from cooperbench.gateway.dialects import ModelCall, TokenCounts

LARGEST_WHOLE = 64 * 1024 * 1024
"""Bytes of an answer that does not come in events."""


@dataclass
class ProviderReply:
    """Status, headers and body as they come. `close` ends it early."""

    status: int
    headers: dict[str, str]
    """With names in lower case."""
    chunks: Iterator[bytes]
    on_close: Callable[[], None] = field(default=lambda: None)
    translated: bool = False
    """Whether an error is in another dialect than the caller's."""
    counted: Callable[[], TokenCounts | None] = field(default=lambda: None)
    """Returns the provider's own counts, once the answer has passed, where its events do not keep them."""

    @property
    def in_events(self) -> bool:
        """Whether it is a stream of events."""
        return "event-stream" in self.headers.get("content-type", "").lower()

    def whole(self) -> bytes:
        """Read all of the body, as far as that is of a sensible size."""
        body = bytearray()
        for chunk in self.chunks:
            body += chunk
            if len(body) > LARGEST_WHOLE:
                break
        return bytes(body)

    def close(self) -> None:
        """End it. Twice is fine."""
        with suppress(Exception):  # of many kinds, and nobody wants the rest any more
            self.on_close()


class AnswerSource(Protocol):
    """Something that answers the calls of programs: a provider, a translation, a recording."""

    def ask(self, call: ModelCall) -> ProviderReply:
        """Ask once. An error of the provider is a reply with its status. Raises `ModelError` when nothing answers."""
        ...
