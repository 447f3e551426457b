"""The commands by which `coop` and git's remote helper in a sandbox reach the shared repository.

The other ends are `inside/git-remote-coop` and `inside/coop-submit`. Requests and answers are lines of text, and a pack may
follow. The harness talks to the server with this agent's credentials, which the sandbox never sees.
"""

from collections.abc import Callable, Iterable
from importlib.resources import files

from cooperbench.collaboration.git_client import GitClient
from cooperbench.collaboration.git_protocol import RefCommand
from cooperbench.collaboration.rpc import Call, Reply, Service, refuse
from cooperbench.errors import RemoteError
from cooperbench.records.visible import one_line

PROGRAMS = ("git-remote-coop", "coop-submit")


def git_service(agent_id: str, server_url: str) -> Service:
    """Return the commands of the shared git repository."""
    client = GitClient(server_url)
    folder = files("cooperbench.collaboration") / "inside"

    def handler(work: Callable[[Call], bytes]) -> Callable[[Call], Reply]:
        return lambda call: _reply(work, call)

    return Service(
        handlers={
            "git-list": handler(lambda call: list_refs(client)),
            "git-fetch": handler(lambda call: fetch(client, call.input)),
            "git-push": handler(lambda call: push(client, call.input, atomic="true" in call.arguments)),
            "git-conflicts": handler(lambda call: conflicts(client)),
            "git-agent": handler(lambda call: agent_id.encode()),
        },
        usage={'submit -m "TEXT"': "commit everything, push it, and name the files that would conflict"},
        programs={name: (folder / name).read_bytes() for name in PROGRAMS},
    )


def list_refs(client: GitClient) -> bytes:
    """List the references of the shared repository in the format of gitremote-helpers(7)."""
    listing = client.list_refs()
    lines = [f"{commit} {ref}" for ref, commit in listing.refs.items()]
    if listing.head:
        lines.append(f"@{listing.head} HEAD")
    return _lines(lines)


def fetch(client: GitClient, request: bytes) -> bytes:
    """Return a pack. `request` has lines `want <commit>` and `have <commit>`."""
    pairs = [line.partition(" ") for line in request.decode().splitlines()]
    wants = [commit for word, _, commit in pairs if word == "want"]
    if not wants:
        raise RemoteError("a fetch that wants nothing")
    return client.fetch_pack(wants, [commit for word, _, commit in pairs if word == "have"])


def push(client: GitClient, request: bytes, *, atomic: bool = False) -> bytes:
    """Push, and return `ok <ref>` or `error <ref> <reason>` for each reference.

    `request` has lines `<old> <new> <ref>`, a blank line, and a pack.
    """
    head, _, pack = request.partition(b"\n\n")
    commands = []
    for line in head.decode(errors="surrogateescape").splitlines():
        old, new, ref = line.split(" ", 2)
        commands.append(RefCommand(old, new, ref))
    if not commands:
        raise RemoteError("a push of nothing")
    report = client.push_pack(commands, pack, atomic=atomic)
    results = ((command.ref, report.results.get(command.ref, "no report came back")) for command in commands)
    return _lines(f"ok {ref}" if reason is None else f"error {ref} {reason}" for ref, reason in results)


def conflicts(client: GitClient) -> bytes:
    """Return a sentence for each teammate's branch that would conflict, or one that says that none does."""
    found = client.conflicts()
    if not found:
        return _lines(["It merges cleanly with everything that your teammates have pushed."])
    return _lines(
        f"Warning: it conflicts with origin/{branch} in {', '.join(map(one_line, paths))}"
        for branch, paths in found.items()
    )


def _reply(work: Callable[[Call], bytes], call: Call) -> Reply:
    try:
        return Reply(stdout=work(call))
    except ValueError as error:  # not what the helper writes
        return refuse(f"unreadable request: {error}", 2)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
