"""The texts of steps, which a page reads after its first picture, or when somebody opens a step."""

from typing import Any, NamedTuple

from cooperbench.records import AgentId, Record
from cooperbench.viewer.models import EpisodePage


class ShownCall(Record):
    """A tool that the model called."""

    tool: str
    text: str
    """The command, the message, or the arguments as JSON."""
    to: str = ""


class ShownAnswer(Record):
    """What a tool answered."""

    text: str
    exit_code: int | None = None
    truncated: bool = False
    """True if the record does not have all of it."""


class StepDetails(Record):
    """The texts of a step."""

    thought: str = ""
    reasoning: str = ""
    calls: tuple[ShownCall, ...] = ()
    answers: tuple[ShownAnswer, ...] = ()
    notes: tuple[str, ...] = ()
    """What the member was given after it."""
    raw: tuple[dict[str, Any], ...] = ()
    """The messages as they are in the trajectory."""


class DetailChunk(Record):
    """The texts of some steps of one member."""

    agent_id: AgentId
    chunk: int
    prompt: tuple[str, ...] = ()
    """What stood before its first step; only in chunk 0."""
    steps: tuple[StepDetails, ...] = ()


class EpisodeParts(NamedTuple):
    """A page and what it reads later."""

    page: EpisodePage
    chunks: tuple[DetailChunk, ...]
