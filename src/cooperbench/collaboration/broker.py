"""The broker of a run: a Redis that the user named, or an embedded server that ends with the run."""

import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple, Self
from urllib.parse import quote, urlsplit, urlunsplit

from cooperbench.collaboration import presence
from cooperbench.collaboration._embedded import EmbeddedServer
from cooperbench.collaboration._store import MailboxAddress, Store, shown, split_url
from cooperbench.collaboration.team_access import by_folded_name
from cooperbench.errors import MailboxError, MailboxUnavailableError, UnknownNameError, UsageError

# The commands that a member may use. `%W~` and `%R~` below need Redis 7.
_COMMANDS = (
    "+ping +select +eval +evalsha +time +incr +xadd +xread +xrange +xrevrange +hget +hset +hsetnx +hdel +hmget +hgetall "
    "+hvals +hexists +sadd +srem +sismember"
)


_KEYS = re.compile(r"^cooperbench:(?P<namespace>[^:]+):")
_SUFFIX = r"-[0-9a-f]{8}$"


class _Opened(NamedTuple):
    """One open episode."""

    namespace: str
    agents: tuple[str, ...]
    process: str | None
    """The run id of a server that would lose messages in a restart."""


class Broker:
    """Opens mailboxes for episodes. `url` is the server's address with the harness's rights; `name` says what serves there."""

    def __init__(self, url: str, name: str, embedded: EmbeddedServer | None) -> None:
        self.url = url
        self.name = name
        self._embedded = embedded
        self._store = Store(url)
        self._opened: dict[str, _Opened] = {}

    def open_episode(self, episode: str, agents: Sequence[str]) -> dict[str, str]:
        """Make the mailbox of one episode and return each member's address.

        Each call makes a new namespace, so a repeated episode sees nothing of an earlier attempt. On the embedded server, every
        address carries a user and password that open only this member's part of this episode. Raises `UsageError` when two
        names differ in case only.
        """
        by_folded_name(agents)
        namespace = f"{re.sub(r'[^A-Za-z0-9._/-]', '-', episode)}-{secrets.token_hex(4)}"
        self._opened[episode] = _Opened(namespace, tuple(agents), self._forgetful_process())
        prefix = MailboxAddress.parse(f"{self.url}#run:{namespace}").prefix
        presence.note_members(self._store, prefix, agents)
        if self._embedded is None:
            return dict.fromkeys(agents, f"{self.url}#run:{namespace}")
        return {agent: self._add_user(namespace, prefix, agent) for agent in agents}

    def episode_url(self, episode: str) -> str:
        """Return the harness's own address of an open episode, for presence and for reading the conversation."""
        if episode not in self._opened:
            raise UnknownNameError("open episode", episode, self._opened)
        return f"{self.url}#run:{self._opened[episode].namespace}"

    def check_episode(self, episode: str) -> None:
        """Raise `MailboxError` when the broker has lost messages of an episode, as a Redis does that was restarted.

        One with snapshots only comes back with those of the last snapshot, so a restart is reason enough.
        """
        prefix = MailboxAddress.parse(self.episode_url(episode)).prefix
        process = self._opened[episode].process
        restarted = process is not None and self._forgetful_process() != process
        if restarted or not self._store.command("EXISTS", f"{prefix}members"):
            raise MailboxError(
                f"the broker at {shown(self.url)} has lost the episode's messages",
                subject=episode,
                hint="set `appendonly yes` on it, or leave out --redis",
                retryable=True,
            )

    def close_episode(self, episode: str) -> None:
        """Free what an episode holds, once its conversation has been read, and lock its members out."""
        opened = self._opened.pop(episode, None)
        if opened is None:
            return
        if self._embedded is not None and opened.agents:
            self._store.command("ACL", "DELUSER", *(_user(opened.namespace, agent) for agent in opened.agents))
        self._store.remove(MailboxAddress.parse(f"{self.url}#run:{opened.namespace}").prefix)

    def _forgetful_process(self) -> str | None:
        """Return the server's run id, or `None` when it keeps every message over a restart or does not say."""
        if self._embedded is not None:
            return None
        try:
            facts: dict[str, object] = self._store.command("INFO")
        except MailboxUnavailableError:
            raise
        except MailboxError:  # INFO is not allowed
            return None
        return None if facts.get("aof_enabled") else str(facts.get("run_id"))

    def close(self) -> None:
        """End the embedded server, if there is one. Closing twice is fine."""
        self._store.close()
        if self._embedded is not None:
            self._embedded.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _add_user(self, namespace: str, prefix: str, agent: str) -> str:
        user, password = _user(namespace, agent), secrets.token_urlsafe(24)
        keys = (
            f"~{prefix}own:{agent}:* ~{prefix}clock %W~{prefix}mail:{agent}:* %W~{prefix}refused:{agent} "
            f"%W~{prefix}lost:{agent} %R~{prefix}mail:*:{agent} %R~{prefix}own:*:status %R~{prefix}own:*:read "
            f"%R~{prefix}state %R~{prefix}farewell %R~{prefix}pushes ~{prefix}board ~{prefix}board:log"
        )
        rules = f"reset on >{password} -@all {_COMMANDS} {keys}".split()
        self._store.command("ACL", "SETUSER", user, *rules)
        # A restarted server reads its users from there.
        self._store.command("ACL", "SAVE")
        parts = urlsplit(self.url)
        address = f"{quote(user, safe='')}:{password}@{parts.hostname}:{parts.port}"
        return urlunsplit(parts._replace(netloc=address, fragment=f"run:{namespace}"))


def open_broker(url: str | None = None) -> Broker:
    """Open the broker of a run: the Redis at `url`, or, without one, an embedded server on loopback.

    The embedded server is the system's `valkey-server` or `redis-server`, else the one of the extra `redis`, else one in Docker.
    A server at `url` is probed at once. Raises `UsageError` for a malformed address, and `MailboxUnavailableError` when nothing
    answers or no server can be started.
    """
    if url is None:
        server = EmbeddedServer()
        return Broker(server.url, server.name, server)
    address, fragment = split_url(url)
    if fragment:
        raise UsageError(
            f"{shown(url)} names an episode, but a run names its episodes itself", hint=f"leave out #{fragment}"
        )
    _check(address)
    return Broker(address, shown(address), None)


# Exclusive ranges, the newest feature that the scripts need, came with Redis 6.2.
_PROBE = "redis.call('XRANGE', ARGV[1], '(0-0', '+', 'COUNT', 1) return ARGV[1]"


def _check(address: str) -> None:
    try:
        with closing(Store(address, retry_seconds=0.0)) as store:
            if store.command("EVAL", _PROBE, 0, "cooperbench:probe") != b"cooperbench:probe":
                raise MailboxUnavailableError(f"the server at {shown(address)} is not a Redis")
    except MailboxUnavailableError as error:
        port = urlsplit(address).port or 6379
        hint = f"start one with `redis-server --port {port}`, or leave out --redis to use an embedded one"
        raise MailboxUnavailableError(error.message, subject=shown(address), hint=hint, retryable=False) from error
    except MailboxError as error:
        if "stream ID" in error.message:
            raise UsageError(f"the Redis at {shown(address)} is older than 6.2", subject=shown(address)) from error
        raise UsageError(
            f"{shown(address)} refuses access: {error.message}", hint="write redis://user:password@host:port"
        ) from error


def _user(namespace: str, agent: str) -> str:
    return f"{namespace}:{agent}"


def orphaned_mailboxes(url: str, run: str | None = None) -> list[str]:
    """Return the namespaces of the mailboxes on a server, of one run or of all. Those of running runs are among them.

    Raises `UsageError` or `MailboxUnavailableError`.
    """
    with closing(Store(split_url(url)[0], retry_seconds=0.0)) as store:
        names = {found["namespace"] for key in store.names("cooperbench:") if (found := _KEYS.match(key))}
    if run is not None:
        start = re.sub(r"[^A-Za-z0-9._/-]", "-", run)
        names = {name for name in names if re.match(re.escape(start) + rf"(/.*)?{_SUFFIX}", name)}
    return sorted(names)


def remove_mailbox(url: str, namespace: str) -> None:
    """Remove a mailbox. Removing it twice is fine."""
    address, _ = split_url(url)
    with closing(Store(address, retry_seconds=0.0)) as store:
        store.remove(MailboxAddress(address, namespace).prefix)
