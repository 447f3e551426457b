"""The files that a worker leaves about its member, below the episode's `.work`.

One file for each thing that can be known on its own, so that a worker that dies at any moment leaves behind what was settled
until then.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import Record, UtcTime
from cooperbench.records.episode import Failure, LimitReached, Usage
from cooperbench.records.files import read_file, read_model, write_bytes, write_model
from cooperbench.records.model_wait import ModelWait
from cooperbench.records.submission import Ending, PatchFinding


class Progress(Record):
    """What a member at work has done so far, for the live display."""

    steps: int = 0
    usage: Usage = Usage()
    last_action: str = ""
    messages: int = 0
    """Sent to teammates."""
    limit: LimitReached | None = None
    """The limit that was reached: the member has little time left to end by itself."""
    asked_at: UtcTime | None = None
    """When the model was asked, while an answer is awaited, retries included. Only built-in models say so."""
    heard_at: UtcTime | None = None
    """When the last part of that answer came. Only models whose answers are streamed say so."""
    waiting: ModelWait | None = None
    """The pause before the model is asked again."""
    terminal: str | None = None
    """The socket at which a person can take the member's place, while nobody has."""
    updated_at: UtcTime


class Capture(Record):
    """A member's work tree at the end of its sandbox, compared with the pinned base."""

    patch: bytes = Field(b"", exclude=True)
    """For `git apply --binary`: full index lines, binary files included, no renames. It has a file of its own."""
    tree: str
    """Git tree id of the work tree."""
    base_tree: str
    """Git tree id of the base."""
    captured_at: UtcTime | None = None
    skipped: tuple[str, ...] = ()
    """Paths that could not be read or are too large; the patch leaves them as they are in the base."""
    ignored: tuple[str, ...] = ()
    """Paths that git ignores, which are not in the patch; a folder stands for all that is in it."""
    findings: tuple[PatchFinding, ...] = ()
    """Why there is nothing to capture, and folders that are repositories of something else."""


class StartedSandbox(Record):
    """A member's sandbox, once it is ready for the agent."""

    isolation: str
    image_digest: str | None
    base_tree: str
    ready_at: UtcTime | None = None
    layers: dict[str, str] = Field(
        default_factory=dict, description="Programs of agents, each with version and digest."
    )


class AgentOutcome(Record):
    """The way an agent ended, and what it used."""

    ending: Ending
    status: str
    steps: int = 0
    usage: Usage = Usage()
    error: Failure | None = None
    limit: LimitReached | None = None


@dataclass(frozen=True)
class MemberFolder:
    """The paths of these files for one member."""

    path: Path

    @property
    def handles(self) -> Path:
        """One file for each running sandbox."""
        return self.path / "handles"

    @property
    def progress(self) -> Path:
        """Steps, cost and tokens so far, and what the agent does now."""
        return self.path / "progress.json"

    @property
    def sandbox(self) -> Path:
        """`StartedSandbox`."""
        return self.path / "sandbox.json"

    @property
    def captured_patch(self) -> Path:
        """The patch of `captured`, written before it."""
        return self.path / "captured.patch"

    @property
    def captured(self) -> Path:
        """`Capture`."""
        return self.path / "captured.json"

    def keep_capture(self, capture: Capture) -> None:
        """Write a capture, unless it is empty and an earlier one exists."""
        if capture.patch or not self.captured.exists():
            write_bytes(self.captured_patch, capture.patch)
            write_model(self.captured, capture)

    def read_capture(self) -> Capture | None:
        """Read the capture; `None` without a readable one."""
        try:
            capture = read_model(self.captured, Capture)
            return capture.model_copy(update={"patch": read_file(self.captured_patch)})
        except (FileNotFoundError, RecordError):
            return None

    @property
    def returned_patch(self) -> Path:
        """The patch that the agent returned."""
        return self.path / "returned.patch"

    @property
    def messages(self) -> Path:
        """The agent's history, one JSON value a line."""
        return self.path / "messages.jsonl"

    @property
    def calls(self) -> Path:
        """Messages of the calls that the agent made through LiteLLM by itself, one JSON value a line."""
        return self.path / "calls.jsonl"

    @property
    def activity(self) -> Path:
        """Model calls, commands and waits for messages, as the harness sees them; see `activity`."""
        return self.path / "activity.jsonl"

    @property
    def waits(self) -> Path:
        """Each `ModelWait`, one JSON value a line."""
        return self.path / "waits.jsonl"

    def read_waits(self) -> list[ModelWait]:
        """Read the waits for the model. Lines that cannot be read are left out: the agent may have damaged the file."""
        try:
            lines = read_file(self.waits).splitlines()
        except (OSError, RecordError):
            return []
        waits = []
        for line in lines:
            with suppress(ValidationError):
                waits.append(ModelWait.model_validate_json(line))
        return waits

    @property
    def outcome(self) -> Path:
        """`AgentOutcome`; the last file that a worker writes."""
        return self.path / "outcome.json"

    @property
    def log(self) -> Path:
        """The worker's output."""
        return self.path / "worker.log"


def read_progress(path: Path) -> Progress | None:
    """Read the latest progress; `None` before the first, in the middle of a write, or when the agent has damaged the file."""
    try:
        return read_model(path, Progress)
    except (OSError, RecordError):
        return None
