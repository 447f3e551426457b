"""Mailboxes that killed runs left on a Redis server which is not ours."""

import re

from cooperbench.collaboration._store import MailboxAddress, Store, split_url

_KEYS = re.compile(r"^cooperbench:(?P<namespace>[^:]+):")
_SUFFIX = r"-[0-9a-f]{8}$"


def left_mailboxes(url: str, run: str | None = None) -> list[str]:
    """The namespaces of mailboxes on a server, of one run or of all; those of runs that are going on are among them.

    Raises `UsageError` or `MailboxUnavailableError`.
    """
    address, _ = split_url(url)
    store = Store(address, retry_seconds=0.0)
    try:
        names = {found["namespace"] for key in store.names("cooperbench:") if (found := _KEYS.match(key))}
    finally:
        store.close()
    if run is not None:
        start = re.sub(r"[^A-Za-z0-9._/-]", "-", run)
        names = {name for name in names if re.match(re.escape(start) + rf"(/.*)?{_SUFFIX}", name)}
    return sorted(names)


def remove_mailbox(url: str, namespace: str) -> None:
    """Remove everything of a mailbox. One that is gone already is fine."""
    address, _ = split_url(url)
    store = Store(address, retry_seconds=0.0)
    try:
        store.remove(MailboxAddress(address, namespace).prefix)
    finally:
        store.close()
