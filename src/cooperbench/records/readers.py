"""Readers of an episode's files besides its result and evaluation, which come with `EpisodeView`.

Each raises `RecordError` for a file that cannot be read, and `FileNotFoundError` for one that is not there.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from cooperbench.errors import UnreadableError
from cooperbench.records.conversation import Conversation, ConversationMessage
from cooperbench.records.episode import EpisodeResult
from cooperbench.records.events import Event
from cooperbench.records.files import read_file, read_model
from cooperbench.records.layout import EpisodeDirectory, member_stem
from cooperbench.records.submission import Submission
from cooperbench.records.trajectory import Trajectory


def read_conversation(directory: EpisodeDirectory) -> tuple[ConversationMessage, ...]:
    """Read the messages of an episode in the order of the broker."""
    return read_model(directory.conversation, Conversation).root


def read_events(directory: EpisodeDirectory) -> tuple[Event, ...]:
    """Read what has happened in an episode, also while it is in progress."""
    path, data = _newest_events(directory)
    # The harness may be writing the last line of an episode in progress.
    whole = [line for line in data.splitlines(keepends=True) if path == directory.events or line.endswith(b"\n")]
    return tuple(_event(path, number, line) for number, line in enumerate(whole, 1))


def _newest_events(directory: EpisodeDirectory) -> tuple[Path, bytes]:
    # The first place again at last: an episode may end between two looks.
    for path in (directory.events, directory.live_events):
        with suppress(FileNotFoundError):
            return path, read_file(path)
    return directory.events, read_file(directory.events)


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        return Event.model_validate_json(line)
    except ValidationError as error:
        raise UnreadableError(f"{path} is not readable at line {number}", subject=str(path)) from error


def read_trajectory(directory: EpisodeDirectory, result: EpisodeResult, agent_id: str) -> Trajectory:
    """Read the history of one member."""
    stem = member_stem(result.setting, result.agents[agent_id].features)
    return read_model(directory.trajectory(stem), Trajectory)


def read_patch(directory: EpisodeDirectory, submission: Submission) -> bytes:
    """Read a submitted patch. One that is missing or changed since it was submitted is not readable."""
    path = directory.path / submission.file
    try:
        patch = read_file(path)
    except FileNotFoundError as error:
        raise UnreadableError(f"{path} is missing", subject=str(path)) from error
    if hashlib.sha256(patch).hexdigest() != submission.sha256.removeprefix("sha256:"):
        raise UnreadableError(f"{path} is not the patch that was submitted", subject=str(path))
    return patch
