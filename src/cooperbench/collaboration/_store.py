"""Speak to Redis: an address, a connection that survives restarts, and the scripts.

Every operation is one script call, so it is atomic, and every script is idempotent: after a broken connection nobody knows
whether the last call was carried out, so it is made again.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cooperbench.errors import MailboxError, MailboxUnavailableError, UsageError

Argument = str | bytes | int
_T = TypeVar("_T")

RETRY_SECONDS = 15.0
"""Seconds during which an operation is retried. A restart of the embedded server takes 0.1-0.3 s."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_SOCKET_SECONDS = 30.0
_KEY_ROOT = "cooperbench"


@dataclass(frozen=True)
class MailboxAddress:
    """The parts of `redis://[user:password@]host:port[/db]#run:<namespace>`."""

    server: str
    """The URL without its fragment."""
    namespace: str

    @classmethod
    def parse(cls, url: str) -> "MailboxAddress":
        """Parse an address. Raises `UsageError` when it has no namespace or is not a Redis URL."""
        server, fragment = split_url(url)
        kind, _, namespace = fragment.partition(":")
        if kind != "run" or not namespace or not all(char.isalnum() or char in "._-/" for char in namespace):
            raise UsageError(
                f"the mailbox address {shown(url)} names no episode",
                subject=shown(url),
                hint="append #run:<id>, with letters, digits and ._-/ in <id>",
            )
        return cls(server, namespace)

    @property
    def prefix(self) -> str:
        """The common prefix of all keys of this episode."""
        return f"{_KEY_ROOT}:{self.namespace}:"


def split_url(url: str) -> tuple[str, str]:
    """Return the URL without its fragment, and the fragment. Raises `UsageError` when it is not a Redis URL."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("redis", "rediss") and parts.hostname
        _ = parts.port
    except ValueError:
        valid = None
    if not valid:
        raise UsageError(f"{shown(url)} is not a Redis address", subject=shown(url), hint="write redis://host:port")
    return url.partition("#")[0], parts.fragment


def shown(url: str) -> str:
    """Return the URL without its password, for messages."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url


@cache
def _script(name: str) -> tuple[str, str]:
    """Return the text of a script and its digest."""
    text = files(__package__).joinpath("lua", f"{name}.lua").read_text()
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Store:
    """A connection to the broker, safe to use from several threads. Raises `MailboxUnavailableError` when it stays away."""

    def __init__(self, server: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._shown = shown(server)
        self.retry_seconds = retry_seconds
        # Imported when a connection is made: it takes 0.2 s, and much of the program never does.
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._errors = redis.exceptions
        # The client does not retry: before reading again, the broker must know that the last reply was lost. tenacity was tried:
        # as many lines, and 47 µs for each of the calls, which take 240 µs.
        self._client = redis.Redis.from_url(
            server,
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=5.0,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._execute: Callable[..., Any] = self._client.execute_command

    def run(self, script: str, *arguments: Argument, before_retry: Callable[[], None] | None = None) -> Any:
        """Call a script in `lua/`. `before_retry` runs when the broker is back, before the call is repeated."""
        text, digest = _script(script)

        def call() -> Any:
            try:
                return self._execute("EVALSHA", digest, 0, *arguments)
            except self._errors.NoScriptError:
                return self._execute("EVAL", text, 0, *arguments)

        return self._insist(call, before_retry)

    def command(self, *words: Argument, before_retry: Callable[[], None] | None = None) -> Any:
        """Send one idempotent command."""
        return self._insist(lambda: self._execute(*words), before_retry)

    def block(self, positions: dict[str, str], seconds: float) -> bool:
        """Wait until one of the streams has an entry after its position; return false when the time is over first."""
        milliseconds = max(1, int(min(seconds, _SOCKET_SECONDS / 2) * 1000))
        words: Iterable[Argument] = ("COUNT", 1, "BLOCK", milliseconds, "STREAMS", *positions, *positions.values())
        return bool(self._insist(lambda: self._execute("XREAD", *words), None))

    def names(self, prefix: str) -> list[str]:
        """Return the names of all keys that begin with `prefix`."""
        return self._insist(lambda: [text_of(key) for key in self._client.scan_iter(f"{prefix}*", count=1000)], None)

    def remove(self, prefix: str) -> None:
        """Remove all keys that begin with `prefix`, in small steps so that the server is not blocked."""
        for name in self.names(prefix):
            self.command("UNLINK", name)

    def close(self) -> None:
        """Close the connections. Closing twice is fine."""
        self._client.close()

    def _insist(self, call: Callable[[], _T], before_retry: Callable[[], None] | None) -> _T:
        give_up = time.monotonic() + self.retry_seconds
        pause = _FIRST_PAUSE
        broken = False
        while True:
            try:
                if broken and before_retry is not None:
                    before_retry()
                return call()
            except (self._errors.AuthenticationError, self._errors.ResponseError) as error:
                raise MailboxError(f"the broker at {self._shown} refused: {first_line(error)}") from error
            except (self._errors.ConnectionError, self._errors.TimeoutError, OSError) as error:
                if time.monotonic() > give_up:
                    raise MailboxUnavailableError(
                        f"the broker at {self._shown} does not answer: {first_line(error)}", subject=self._shown
                    ) from error
                broken = True
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


@contextmanager
def open_store(url: str) -> Iterator[tuple[Store, str]]:
    """Open a connection for one operation of the harness; yield it with the prefix of the episode's keys."""
    address = MailboxAddress.parse(url)
    with closing(Store(address.server)) as store:
        yield store, address.prefix


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error) or type(error).__name__).splitlines()[0]


def text_of(value: bytes | str | None) -> str:
    """Decode a field that is known to be text."""
    return value.decode() if isinstance(value, bytes) else value or ""
