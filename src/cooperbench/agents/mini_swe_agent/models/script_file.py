"""The file of a script: the turns of each member of a team."""

from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from cooperbench.agents.reading import read_yaml
from cooperbench.errors import UnknownNameError
from cooperbench.records import FeatureId, Record, Setting


class ScriptedCall(Record):
    """A tool call. A string in `arguments` is passed on unchanged, so a script can play a malformed call."""

    name: str
    arguments: dict[str, Any] | str = {}


class ScriptedUsage(Record):
    """The tokens of a turn."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0)


class WaitForMessage(Record):
    """Wait until a message of this teammate has been read, or the timeout has passed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    sender: str = Field(alias="from")
    timeout: float = Field(20.0, ge=0, description="Timeout in seconds.")


class ScriptedTurn(Record):
    """A turn: an answer with text and tool calls, a failure of the provider, or a wait for a teammate."""

    text: str | None = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    usage: ScriptedUsage = ScriptedUsage()
    cost: float | None = Field(0.0, ge=0, description="US dollars; `null` for an unknown price.")
    delay: float = Field(0.0, ge=0, description="Seconds until the answer.")
    error: str | int | None = Field(
        None,
        description="Failure of the call: 429, 503, 401, 404, 400, rate_limit, overloaded, authentication, context_window, "
        "malformed or unreadable. The next attempt plays the next turn.",
    )
    wait_for_message: WaitForMessage | None = None
    with_tool: str | None = Field(None, description="Play this turn only if this tool is offered.")
    told_by: str | None = Field(None, description="Play this turn only after a message of this teammate.")
    not_told_by: str | None = Field(None, description="Play this turn only without a message of this teammate.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        answers = self.text is not None or bool(self.tool_calls)
        if [answers, self.error is not None, self.wait_for_message is not None].count(True) != 1:
            raise ValueError("a turn has either text and tool_calls, or an error, or wait_for_message")
        return self


class Script(Record):
    """The turns of a whole team, and the episode that they were written for."""

    description: str = ""
    repo: str | None = None
    task_id: int | None = None
    features: tuple[FeatureId, ...] | None = None
    setting: Setting | None = None
    members: dict[str, tuple[ScriptedTurn, ...]] = Field(min_length=1)

    def turns(self, member: str) -> tuple[ScriptedTurn, ...]:
        """Return the turns of a member. Raises `UnknownNameError`."""
        if member not in self.members:
            raise UnknownNameError("member in the script", member, self.members)
        return self.members[member]


def load_script(path: Path) -> Script:
    """Read a script. Raises `UsageError` that names the first error."""
    return read_yaml("script", Script, path)
