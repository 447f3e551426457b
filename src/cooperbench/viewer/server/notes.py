"""Notes and labels of a reader: the only thing that the server ever writes into a run."""

import getpass
import threading

from pydantic import Field, ValidationError

from cooperbench.errors import UsageError
from cooperbench.records import Record, RunDirectory, first_error, utc_now
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.labels import Label, LabelKind, add_labels
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.details import EpisodeParts
from cooperbench.viewer.episode import read_episode

_writing = threading.Lock()


class GivenLabel(Record):
    """A note or label as a page sends it."""

    place: str = Field("", max_length=200)
    """The address on the page that it is about: `agent1.7`, `message.3`; empty for the whole episode."""
    kind: LabelKind = LabelKind.NOTE
    label: str = "note"
    labeller: str = Field("", max_length=100)
    comment: str = ""


def save_label(run: RunResult, episode: EpisodeView, data: bytes) -> Label:
    """Add what a page sent to the labels of a run. Raises `UsageError` for what is not a label, or about nothing in the episode."""
    try:
        given = GivenLabel.model_validate_json(data)
        label = Label(
            episode=str(episode.group),
            kind=given.kind,
            label=given.label,
            labeller=given.labeller.strip() or _reader_name(),
            comment=given.comment.strip(),
            created_at=utc_now(),
            **_target(given.place, run, episode),
        )
    except ValidationError as error:
        place, message = first_error(error)
        raise UsageError(f"not a label: {place or 'the request'}: {message}") from error
    if label.kind is LabelKind.NOTE and not label.comment:
        raise UsageError("a note needs a text")
    if label.kind is LabelKind.SPEECH_ACT and label.message is None:
        raise UsageError("a speech act is about a message: choose one on the page")
    with _writing:
        add_labels(RunDirectory(run.directory), (label,))
    return label


def _target(place: str, run: RunResult, episode: EpisodeView) -> dict[str, object]:
    """Return what a label of this place names in the record."""
    if not place:
        return {}
    owner, _, number = place.rpartition(".")
    if not number.isdecimal():
        raise UsageError(f"nothing on the page is called {place!r}")
    parts = read_episode(run, episode)
    if owner == "message":
        sequences = {message.id: message.sequence for message in parts.page.messages}
        if sequences.get(place) is None:
            raise UsageError(f"the episode has no message {number}")
        return {"message": sequences[place]}
    return {"agent_id": owner, "step": _position(parts, owner, int(number))}


def _position(parts: EpisodeParts, agent_id: str, step: int) -> int:
    """Return where the history of a member has the answer that a step begins with."""
    own = [chunk for chunk in parts.chunks if chunk.agent_id == agent_id]
    steps = [each for chunk in own for each in chunk.steps]
    if not 1 <= step <= len(steps):
        raise UsageError(f"the episode has no step {step} of {agent_id}")
    return len(own[0].prompt) + sum(len(each.raw) for each in steps[: step - 1])


def _reader_name() -> str:
    """Return the name under which a note is saved when its page names nobody."""
    try:
        return getpass.getuser()[:100] or "reader"
    except (OSError, KeyError):
        return "reader"
