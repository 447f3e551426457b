"""Notes and labels of a reader: the only thing that the server ever writes into a run."""

import getpass
import threading

from pydantic import Field, ValidationError

from cooperbench.analysis.labels import check_labels
from cooperbench.errors import UsageError
from cooperbench.records import AgentId, Record, RunDirectory, first_error, utc_now
from cooperbench.records.labels import Label, LabelKind, add_labels, read_labels
from cooperbench.records.run_result import RunResult

_writing = threading.Lock()


class GivenLabel(Record):
    """A note or label as a page sends it; see `Label`."""

    episode: str
    kind: LabelKind = LabelKind.NOTE
    label: str = "note"
    labeller: str = Field("", max_length=100)
    message: int | None = None
    agent_id: AgentId | None = None
    step: int | None = None
    quote: str = ""
    comment: str = ""


class GivenLabels(Record):
    """All labels of an episode, as the server answers."""

    labels: tuple[Label, ...]


def reader_name() -> str:
    """Return the name under which notes are saved when a page names nobody."""
    try:
        return getpass.getuser()[:100] or "reader"
    except (OSError, KeyError):
        return "reader"


def save_label(run: RunResult, data: bytes) -> tuple[Label, ...]:
    """Add what a page sent to the labels of a run, and return those of its episode. Raises `UsageError` for what is not a label."""
    try:
        given = GivenLabel.model_validate_json(data)
        values = given.model_dump() | {"labeller": given.labeller.strip() or reader_name(), "created_at": utc_now()}
        label = Label.model_validate(values)
    except ValidationError as error:
        place, message = first_error(error)
        raise UsageError(f"not a label: {place or 'the request'}: {message}") from error
    if label.kind is LabelKind.NOTE and not label.comment.strip():
        raise UsageError("a note needs a text")
    check_labels(run, (label,))
    directory = RunDirectory(run.directory)
    with _writing:
        add_labels(directory, (label,))
    return episode_labels(run, label.episode)


def episode_labels(run: RunResult, episode: str) -> tuple[Label, ...]:
    """Return the labels of one episode."""
    return tuple(label for label in read_labels(RunDirectory(run.directory)) if label.episode == episode)
