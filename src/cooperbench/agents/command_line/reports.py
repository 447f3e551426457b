"""What an agent's program reports while it works, in the same words for all programs."""

from typing import Any, NamedTuple


class ToolUse(NamedTuple):
    """A tool that the model calls."""

    id: str
    name: str
    arguments: dict[str, Any]

    @property
    def command(self) -> str | None:
        """The shell command that it runs; `None` for another tool."""
        given = self.arguments.get("command", self.arguments.get("cmd"))
        if isinstance(given, list) and all(isinstance(word, str) for word in given):
            return " ".join(given)
        return given if isinstance(given, str) else None


class ModelTurn(NamedTuple):
    """An answer of the model, or a part of one."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolUse, ...] = ()
    subagent: str = ""
    """The id of the call that started the agent who answered: empty for the program's first agent."""
    others: tuple[dict[str, Any], ...] = ()
    """Parts of kinds that have no place in a message, as they came."""

    def followed_by(self, other: "ModelTurn") -> "ModelTurn":
        """Return both parts as one answer."""
        text = "\n".join(filter(None, (self.text, other.text)))
        reasoning = "\n".join(filter(None, (self.reasoning, other.reasoning)))
        return ModelTurn(text, reasoning, (*self.calls, *other.calls), self.subagent, (*self.others, *other.others))


class ToolOutput(NamedTuple):
    """The result of a tool."""

    call: str
    text: str
    failed: bool = False
    exit_code: int | None = None
    seconds: float | None = None
    """How long it took, if the program says so."""


class GivenPrompt(NamedTuple):
    """A text that the program gives to the model."""

    text: str
    subagent: str = ""


class FinalReport(NamedTuple):
    """The program's own word on how it ended."""

    failed: bool
    text: str
    event: dict[str, Any]


class OtherEvent(NamedTuple):
    """An event without a place in a history of messages. It is kept as it came."""

    kind: str
    event: dict[str, Any]


StreamEvent = ModelTurn | ToolOutput | GivenPrompt | FinalReport | OtherEvent
