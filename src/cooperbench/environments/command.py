"""One command for a supervisor, and what the supervisor answers."""

import shlex
import signal
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from cooperbench.environments.contract import ExecuteResult, RunReply
from cooperbench.errors import SandboxDamagedError, UsageError
from cooperbench.records.activity import LONGEST_COMMAND, CommandSpan

LOST_CODE = 137
NOT_RUN = 127


@dataclass(frozen=True)
class Command:
    """One shell command with its conditions."""

    text: str
    timeout: float
    output_limit: int
    cwd: str
    env: dict[str, str]
    path: tuple[str, ...] = ()
    """Folders to search before the command's own PATH."""
    watch: str | None = None
    """A folder in which changed files are noted, where the supervisor can."""
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def __post_init__(self) -> None:
        """Raise `UsageError` for what no shell can run."""
        if "\0" in self.text:
            raise UsageError("a command cannot contain a NUL character")
        if not self.timeout > 0:
            raise UsageError(f"a time limit must be more than 0 seconds, not {self.timeout:g}")

    def encoded(self) -> bytes:
        """Return the text as bytes; file names that are not UTF-8 keep their bytes."""
        return _encode(self.text)

    def as_script(self) -> bytes:
        """Return the text preceded by its environment, for a shell that knows nothing else about the command."""
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.env.items())
        if self.path:
            exports += f"export PATH={shlex.quote(':'.join(self.path))}:$PATH\n"
        return _encode(f"{exports}{self.text}\n")


class CommandResult(NamedTuple):
    """A supervisor's answer. `code` is `None` when the process that watched the command was killed."""

    code: int | None
    timed_out: bool
    total: int
    head: bytes
    tail: bytes
    changed: tuple[str, ...] | None = None
    """Changed files of the watched folder; `None` when nobody looked."""

    @classmethod
    def parse(cls, reply: RunReply) -> "CommandResult":
        """Parse the one-shot supervisor's answer. Raises `SandboxDamagedError` when it is malformed or truncated."""
        first, _, body = reply.stdout.partition(b"\n")
        words = first.split()
        if words[:2] == [b"COOPERBENCH", b"lost"]:
            return cls(None, False, len(body), body, b"")
        if len(words) != 6 or words[0] != b"COOPERBENCH":
            answer = (reply.stderr or reply.stdout)[:300].decode("utf-8", "replace").strip()
            raise SandboxDamagedError(f"the sandbox's shell does not work (exit code {reply.returncode}): {answer}")
        try:
            code, timed_out, total, head, tail = (int(word) for word in words[1:])
        except ValueError as error:
            raise SandboxDamagedError(f"the supervisor answered {first[:300]!r}") from error
        if len(body) != head + tail:
            raise SandboxDamagedError(f"the supervisor's answer is incomplete: {len(body)} of {head + tail} bytes")
        return cls(code, bool(timed_out), total, body[:head], body[head:])

    @property
    def exit_code(self) -> int:
        """The code that agents see."""
        return LOST_CODE if self.code is None else self.code

    def as_span(self, command: str, started_at: datetime, seconds: float) -> CommandSpan:
        """Return what the record keeps of the command."""
        return CommandSpan(
            started_at=started_at,
            ended_at=started_at + timedelta(seconds=seconds),
            command=command[:LONGEST_COMMAND].encode("utf-8", "backslashreplace").decode(),
            exit_code=self.exit_code,
            timed_out=self.timed_out,
            changed=self.changed,
        )

    @property
    def terminated(self) -> bool:
        """True when the command, or what watched it, may have been ended by a SIGTERM."""
        return self.code in (None, 128 + signal.SIGTERM)

    @classmethod
    def of_damage(cls, message: str) -> "CommandResult":
        """Return the result of a command that the sandbox cannot run any more, as a shell reports an unknown command."""
        text = f"cooperbench: {message}\n".encode()
        return cls(NOT_RUN, False, len(text), text, b"")

    def as_execute_result(self, seconds: float) -> ExecuteResult:
        """Return the dictionary that agents see; `seconds` is how long the command took."""
        omitted = self.total - len(self.head) - len(self.tail)
        text = self.head.decode("utf-8", "replace")
        if omitted > 0:
            text += f"\n[... {omitted} bytes of output left out ...]\n"
        text += self.tail.decode("utf-8", "replace")
        if self.code is None:
            text += "\n[the process that watched this command was killed; its result is unknown]\n"
        return ExecuteResult(
            output=text,
            returncode=self.exit_code,
            timed_out=self.timed_out,
            truncated=omitted > 0 or self.code is None,
            seconds=seconds,
        )


def _encode(text: str) -> bytes:
    """Return the bytes of a text; halves of characters, which models write, that stand for no byte become question marks."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
