"""The shared remote of one episode: list references, serve fetches, accept pushes.

Git does the work (`upload-pack` and `receive-pack` in the form that smart HTTP uses: one request, one answer). The service
stands in front of it to keep the rules and to record what happened.

Who may move which branch: `main` stays at the base commit for everybody; where the server does not know that commit from the
start, the first setup of a sandbox puts it there. The names `<agent_id>` and `<agent_id>/…` belong to that agent. Any other branch
belongs to the agent that pushes it first, for the rest of the episode, even after a deletion, so that nobody can take over a branch
that somebody works on. An owner may update, force and delete a branch; others can only read it. Tags and other references are
not shared.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import BinaryIO, Literal

from pydantic import AwareDatetime, Field

from cooperbench.collaboration.git_protocol import (
    FLUSH,
    NO_OBJECT,
    PROTECTED,
    PushReport,
    RefCommand,
    packet,
    read_commands,
    read_report,
    write_commands,
    write_report,
)
from cooperbench.collaboration.git_repositories import GIT, Repositories
from cooperbench.collaboration.team_access import by_folded_name, folded
from cooperbench.errors import RemoteError
from cooperbench.records import AgentId, Record, utc_now
from cooperbench.records.event_details import BranchConflict, RefChange
from cooperbench.records.visible import one_line

SERVICES = ("git-upload-pack", "git-receive-pack")
_BRANCHES = "refs/heads/"
_MAIN = f"{_BRANCHES}{PROTECTED}"


class GitEvent(Record):
    """A push, accepted or refused, or a fetch that transferred objects."""

    time: AwareDatetime = Field(default_factory=utc_now)
    episode: str
    agent_id: AgentId
    action: Literal["push", "fetch"]
    refs: tuple[RefChange, ...]

    @property
    def summary(self) -> str | None:
        """The accepted part of a push in a few words, such as `agent1 at 1a2b3c4: Add the parser`; else `None`."""
        moved = [change for change in self.refs if self.action == "push" and change.refused is None]
        return "; ".join(map(_in_words, moved)) or None


def _in_words(change: RefChange) -> str:
    branch = change.ref.removeprefix("refs/heads/")
    return f"{branch} at {change.new[:7]}: {change.subject}" if change.new else f"{branch} deleted"


class BranchRules:
    """The owners of the branches of one episode. Safe to use from several threads."""

    def __init__(self, agents: Iterable[str], *, has_main: bool) -> None:
        self.has_main = has_main
        self._agents = by_folded_name(agents)
        self._owners: dict[str, str] = {}
        self._spellings = dict(self._agents)
        """Each branch and each folder of branches as it was first written."""
        self._lock = threading.Lock()

    def refusals(self, agent: str, commands: Iterable[RefCommand]) -> dict[str, str]:
        """Return the references of a push that `agent` may not move, each with the reason. Claims new names for `agent`."""
        reasons = ((command.ref, self._refusal(agent, command.ref)) for command in commands)
        return {ref: reason for ref, reason in reasons if reason}

    def owner(self, ref: str) -> str | None:
        """Return the owner of a branch, given by its full name."""
        branch = ref.removeprefix(_BRANCHES)
        return self._named(branch) or self._owners.get(folded(branch))

    def _refusal(self, agent: str, ref: str) -> str | None:
        if not ref.startswith(_BRANCHES):
            return f"only branches are shared here; push it as a branch, such as {agent}"
        branch = ref.removeprefix(_BRANCHES)
        if branch == PROTECTED and not self.has_main:
            return None
        if folded(branch) == PROTECTED:
            return f"{PROTECTED} is protected: it stays at the base commit; push to {agent} instead"
        if folded(branch) == "head":
            return "HEAD cannot be the name of a branch"
        if one_line(branch) != branch:
            return "the name of a branch cannot have control characters or bytes that are not UTF-8"
        owner = self._claim(agent, branch)
        if owner != agent:
            return f"this branch belongs to {owner}; push to {agent} or another name of your own"
        return self._clash(branch)

    def _clash(self, branch: str) -> str | None:
        """Refuse a name that differs from an earlier one in case only: a file system may keep one of the two."""
        words = branch.split("/")
        with self._lock:
            for depth in range(1, len(words) + 1):
                name = "/".join(words[:depth])
                first = self._spellings.setdefault(folded(name), name)
                if first != name:
                    return f"it differs from {first} in case only; choose another name"
        return None

    def _claim(self, agent: str, branch: str) -> str:
        with self._lock:
            return self._named(branch) or self._owners.setdefault(folded(branch), agent)

    def _named(self, branch: str) -> str | None:
        return self._agents.get(folded(branch.partition("/")[0]))


class EpisodeService:
    """The shared repository of one episode, as its agents see it."""

    def __init__(
        self,
        episode: str,
        agents: Iterable[str],
        repositories: Repositories,
        record: Callable[[GitEvent], None],
        *,
        has_main: bool,
    ) -> None:
        self.episode = episode
        self._repositories = repositories
        self._rules = BranchRules(agents, has_main=has_main)
        self._record = record

    def advertise(self, service: str, protocol: str) -> Iterator[bytes]:
        """Advertise the branches and the server's abilities. `protocol` is the value of git's header `Git-Protocol`."""
        if protocol != "version=2" or service == "git-receive-pack":
            yield packet(f"# service={service}\n") + FLUSH
        with tempfile.TemporaryFile() as nothing:
            yield from self._run(service, nothing, "--advertise-refs", protocol=protocol)

    def fetch(self, agent: str, request: BinaryIO, protocol: str) -> Iterator[bytes]:
        """Serve a fetch."""
        wanted = {commit.decode() for commit in re.findall(rb"want ([0-9a-f]{40})", request.read())}
        request.seek(0)
        beginning = b""
        for piece in self._run("git-upload-pack", request, protocol=protocol):
            if len(beginning) < 1 << 16:
                beginning += piece
            yield piece
        # A fetch may take several requests; the one whose answer contains the pack counts.
        if wanted and b"PACK" in beginning:
            branches = self._repositories.branches(self.episode)
            refs = tuple(RefChange(ref=ref, new=commit) for ref, commit in branches.items() if commit in wanted)
            self._record(GitEvent(episode=self.episode, agent_id=agent, action="fetch", refs=refs))

    def push(self, agent: str, request: BinaryIO) -> bytes:
        """Let git do the allowed part of a push, and report on all of it. Raises `RemoteError` if it is unreadable."""
        commands, abilities, shallow = read_commands(request)
        if not commands:  # clients probe their credentials with an empty push before a large one
            return b""
        refused = self._rules.refusals(agent, commands)
        if refused and "atomic" in abilities:
            refused = {c.ref: refused.get(c.ref, "another branch of this atomic push was refused") for c in commands}
        allowed = [command for command in commands if command.ref not in refused]
        base = next((command.new for command in allowed if command.ref == _MAIN), None)
        if base and self._repositories.has_base(base):
            self._repositories.borrow_base(self.episode, base)
        report = self._receive(allowed, abilities, shallow, request) if allowed else PushReport({}, b"")
        if base and report.results.get(_MAIN, "") is None:
            self._rules.has_main = True
            self._repositories.keep_base(self._repositories.path(self.episode), base)
        report = PushReport({**report.results, **refused}, report.messages)
        changes = tuple(self._change(command, report.results.get(command.ref, "no report")) for command in commands)
        # The harness itself brings the base commit; of two sandboxes that are set up together, one comes too late.
        if not any(command.ref == _MAIN and command.old == NO_OBJECT for command in commands):
            self._record(GitEvent(episode=self.episode, agent_id=agent, action="push", refs=changes))
        return write_report(report)

    def conflicts(self, agent: str) -> dict[str, list[str]]:
        """Return the conflicting files of each teammate's branch that would conflict with the agent's own."""
        branches = self._repositories.branches(self.episode)
        mine = branches.get(f"refs/heads/{agent}")
        found = {
            ref.removeprefix("refs/heads/"): self._repositories.conflicts(self.episode, mine, commit)
            for ref, commit in branches.items()
            if mine and ref != _MAIN and self._rules.owner(ref) != agent
        }
        return {branch: paths for branch, paths in found.items() if paths}

    def _receive(
        self, commands: list[RefCommand], abilities: list[str], shallow: list[str], request: BinaryIO
    ) -> PushReport:
        asked = [ability for ability in ("atomic", "ofs-delta") if ability in abilities]
        with tempfile.TemporaryFile() as combined:
            combined.write(write_commands(commands, ["report-status", "side-band-64k", "quiet", *asked], shallow))
            shutil.copyfileobj(request, combined)
            combined.seek(0)
            answer = b"".join(self._run("git-receive-pack", combined))
        try:
            return read_report(BytesIO(answer))
        except RemoteError as error:
            return PushReport({command.ref: error.message.replace("\n", " ") for command in commands}, b"")

    def _run(self, service: str, request: BinaryIO, *options: str, protocol: str = "") -> Iterator[bytes]:
        path = self._repositories.path(self.episode)
        command = service.removeprefix("git-")
        return GIT.stream(
            command, "--stateless-rpc", *options, path, stdin=request, variables={"GIT_PROTOCOL": protocol}
        )

    def _change(self, command: RefCommand, refused: str | None) -> RefChange:
        old = None if command.old == NO_OBJECT else command.old
        new = None if command.new == NO_OBJECT else command.new
        if new is None or refused is not None:
            return RefChange(ref=command.ref, old=old, new=new, refused=refused)
        return RefChange(
            ref=command.ref,
            old=old,
            new=new,
            subject=self._repositories.subject(self.episode, new),
            changed=_readable(self._repositories.changed(self.episode, old or _MAIN, new)),
            conflicts=self._conflicts_of(command.ref, new),
        )

    def _conflicts_of(self, ref: str, commit: str) -> tuple[BranchConflict, ...]:
        """Return the branches of others that a pushed commit would conflict with."""
        owner = self._rules.owner(ref)
        others = {
            other: self._repositories.conflicts(self.episode, commit, tip)
            for other, tip in self._repositories.branches(self.episode).items()
            if other != _MAIN and self._rules.owner(other) != owner
        }
        return tuple(
            BranchConflict(
                branch=one_line(other.removeprefix(_BRANCHES)), owner=self._rules.owner(other), paths=_readable(paths)
            )
            for other, paths in others.items()
            if paths
        )


def _readable(paths: Iterable[str]) -> tuple[str, ...]:
    """Return file names as text: those that are not UTF-8 cannot be recorded as they are."""
    return tuple(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for path in paths)
