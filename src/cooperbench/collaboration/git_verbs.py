"""What the remote helper inside a sandbox asks the harness to do: list, fetch, push.

The other end is `inside/git-remote-coop`. Requests and answers are lines of text, followed by a pack where there is one.
"""

from collections.abc import Iterable

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_protocol import RefCommand
from cooperbench.errors import RemoteError


def list_refs(client: GitClient) -> bytes:
    """What the shared repository has, in the words of gitremote-helpers(7)."""
    listing = client.list_refs()
    lines = [f"{commit} {ref}" for ref, commit in listing.refs.items()]
    if listing.head:
        lines.append(f"@{listing.head} HEAD")
    return _lines(lines)


def fetch(client: GitClient, request: bytes) -> bytes:
    """A pack; `request` has lines `want <commit>` and `have <commit>`."""
    pairs = [line.partition(" ") for line in request.decode().splitlines()]
    wants = [commit for word, _, commit in pairs if word == "want"]
    if not wants:
        raise RemoteError("a fetch that wants nothing")
    return client.fetch_pack(wants, [commit for word, _, commit in pairs if word == "have"])


def push(client: GitClient, request: bytes, *, atomic: bool = False) -> bytes:
    """For each reference `ok <ref>` or `error <ref> <reason>`; `request` has lines `<old> <new> <ref>`, a blank one, a pack."""
    head, _, pack = request.partition(b"\n\n")
    commands = []
    for line in head.decode(errors="surrogateescape").splitlines():
        old, new, ref = line.split(" ", 2)
        commands.append(RefCommand(old, new, ref))
    report = client.push_pack(commands, pack, atomic=atomic)
    results = ((command.ref, report.results.get(command.ref, "no report came back")) for command in commands)
    return _lines(f"ok {ref}" if reason is None else f"error {ref} {reason}" for ref, reason in results)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
