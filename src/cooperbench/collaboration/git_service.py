"""What the shared remote does for one episode: tell what is there, hand out objects, take pushes in.

The work is git's (`upload-pack` and `receive-pack` in the form that smart HTTP uses: one request, one answer). The service
stands in front of it to keep the rules and to write down what happened.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import BinaryIO

from cooperbench.collaboration.git_events import GitEvent, RefChange
from cooperbench.collaboration.git_protocol import (
    FLUSH,
    NO_OBJECT,
    PushReport,
    RefCommand,
    packet,
    read_commands,
    read_report,
    write_commands,
    write_report,
)
from cooperbench.collaboration.git_repositories import GIT, Repositories
from cooperbench.collaboration.git_rules import PROTECTED, BranchRules
from cooperbench.errors import RemoteError

SERVICES = ("git-upload-pack", "git-receive-pack")
_MAIN = f"refs/heads/{PROTECTED}"


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
        """The opening of a conversation: the branches and the server's abilities. `protocol` is git's own header."""
        if protocol != "version=2" or service == "git-receive-pack":
            yield packet(f"# service={service}\n") + FLUSH
        with tempfile.TemporaryFile() as nothing:
            yield from self._run(service, nothing, "--advertise-refs", protocol=protocol)

    def fetch(self, agent: str, request: BinaryIO, protocol: str) -> Iterator[bytes]:
        """Hand out objects."""
        wanted = {commit.decode() for commit in re.findall(rb"want ([0-9a-f]{40})", request.read())}
        request.seek(0)
        beginning = b""
        for piece in self._run("git-upload-pack", request, protocol=protocol):
            if len(beginning) < 1 << 16:
                beginning += piece
            yield piece
        # A fetch may take several requests; the one whose answer has the pack in it is the one that counts.
        if wanted and b"PACK" in beginning:
            branches = self._repositories.branches(self.episode)
            refs = tuple(RefChange(ref=ref, new=commit) for ref, commit in branches.items() if commit in wanted)
            self._record(GitEvent(episode=self.episode, agent_id=agent, action="fetch", refs=refs))

    def push(self, agent: str, request: BinaryIO) -> bytes:
        """Let git do the part of a push that is allowed, and report on all of it. Raises `RemoteError` if unreadable."""
        commands, abilities = read_commands(request)
        if not commands:  # clients try their credentials with an empty push before they send a large one
            return b""
        refused = self._rules.refusals(agent, commands)
        if refused and "atomic" in abilities:
            refused = {c.ref: refused.get(c.ref, "another branch of this atomic push was refused") for c in commands}
        allowed = [command for command in commands if command.ref not in refused]
        base = next((command.new for command in allowed if command.ref == _MAIN), None)
        if base and self._repositories.has_base(base):
            self._repositories.borrow_base(self.episode, base)
        report = self._receive(allowed, abilities, request) if allowed else PushReport({}, b"")
        if base and report.results.get(_MAIN, "") is None:
            self._rules.has_main = True
            self._repositories.keep_base(self._repositories.path(self.episode), base)
        report = PushReport({**report.results, **refused}, report.messages)
        changes = tuple(self._change(command, report.results.get(command.ref, "no report")) for command in commands)
        # Bringing the base commit is the harness's doing; of two sandboxes that are set up together, one comes too late.
        if not any(command.ref == _MAIN and command.old == NO_OBJECT for command in commands):
            self._record(GitEvent(episode=self.episode, agent_id=agent, action="push", refs=changes))
        return write_report(report)

    def conflicts(self, agent: str) -> dict[str, list[str]]:
        """For each branch of a teammate that would conflict with the agent's own one, the files in question."""
        branches = self._repositories.branches(self.episode)
        mine = branches.get(f"refs/heads/{agent}")
        found = {
            ref.removeprefix("refs/heads/"): self._repositories.conflicts(self.episode, mine, commit)
            for ref, commit in branches.items()
            if mine and ref != _MAIN and self._rules.owner(ref) != agent
        }
        return {branch: paths for branch, paths in found.items() if paths}

    def _receive(self, commands: list[RefCommand], abilities: list[str], request: BinaryIO) -> PushReport:
        asked = [ability for ability in ("atomic", "ofs-delta") if ability in abilities]
        with tempfile.TemporaryFile() as combined:
            combined.write(write_commands(commands, ["report-status", "side-band-64k", "quiet", *asked]))
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
        subject = self._repositories.subject(self.episode, new) if new and refused is None else None
        return RefChange(ref=command.ref, old=old, new=new, refused=refused, subject=subject)
