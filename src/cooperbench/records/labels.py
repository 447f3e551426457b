"""`labels.jsonl`: what readers and judge models say about the messages and members of a run, beside its record."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import AgentId, Record, UtcTime, first_error
from cooperbench.records.files import read_file, write_bytes
from cooperbench.records.layout import RunDirectory

_LONGEST_FILE = 256 * 1024 * 1024


class LabelKind(StrEnum):
    """The kind of question that a label answers."""

    SPEECH_ACT = "speech_act"
    """What a message does: `plan`, `question`, `answer`, …"""
    SYMPTOM = "symptom"
    """What went wrong in an episode: `broken_promise`, `no_answer`, …"""
    NOTE = "note"
    """A reader's remark, in `comment`."""


class Label(Record):
    """One label. `message`, or `agent_id` with `step`, says what it is about; without them it is the whole episode."""

    episode: str = Field(description="Such as `shelfdb_task/1/f1_f2`.")
    kind: LabelKind
    label: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    labeller: str = Field(min_length=1, max_length=100, description="A person, or a model with its version.")
    message: int | None = Field(None, ge=0, description="The message's `sequence` in conversation.json.")
    agent_id: AgentId | None = None
    step: int | None = Field(None, ge=0, description="Position of a message in the member's trajectory.")
    quote: str = Field("", max_length=10_000, description="Words of what is labelled, letter by letter.")
    comment: str = Field("", max_length=10_000)
    created_at: UtcTime | None = None

    @property
    def target(self) -> tuple[str, int | None, AgentId | None, int | None]:
        """Return what the label is about."""
        return self.episode, self.message, self.agent_id, self.step


def parse_labels(data: bytes, source: Path) -> tuple[Label, ...]:
    """Read labels, one JSON object on each line. Raises `RecordError` that names the first line that is not one."""
    labels = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            labels.append(Label.model_validate_json(line))
        except ValidationError as error:
            place, message = first_error(error)
            raise RecordError(
                f"{source}, line {number}: {place or 'the line'}: {message}", subject=str(source)
            ) from error
    return tuple(labels)


def read_label_file(path: Path) -> tuple[Label, ...]:
    """Read a file of labels. Raises `RecordError` if that cannot be done."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_FILE:
            raise RecordError(f"{path} is not a file of labels", subject=str(path), hint="give a file of JSON lines")
        return parse_labels(read_file(path), path)
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}", subject=str(path)) from error


def read_labels(directory: RunDirectory) -> tuple[Label, ...]:
    """Read the labels of a run; none if nobody labelled it."""
    return read_label_file(directory.labels) if directory.labels.exists() else ()


def add_labels(directory: RunDirectory, labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """Add labels to those of a run and return all. A labeller's new label replaces the one it gave to the same thing before.

    Symptoms and notes stand side by side, because several can be true of one episode.
    """
    kept = {_identity(label): label for label in (*read_labels(directory), *labels)}
    lines = [label.model_dump_json(exclude_defaults=True).encode() + b"\n" for label in kept.values()]
    write_bytes(directory.labels, b"".join(lines))
    return tuple(kept.values())


def _identity(label: Label) -> tuple[object, ...]:
    several = () if label.kind is LabelKind.SPEECH_ACT else (label.label, label.comment)
    return (*label.target, label.kind, label.labeller, *several)
