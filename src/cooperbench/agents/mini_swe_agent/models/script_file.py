"""The file of a script: what each member of a team says and does, turn by turn."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import FeatureId, Record, Setting


class ScriptedCall(Record):
    """A tool call. `arguments` as text are passed on as they are, so that a malformed call can be played."""

    name: str
    arguments: dict[str, Any] | str = {}


class ScriptedUsage(Record):
    """Tokens of one turn."""

    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0)


class WaitForMessage(Record):
    """Go on when a message of this teammate has been read, or when the time is up."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    sender: str = Field(alias="from")
    timeout: float = Field(20.0, ge=0, description="Seconds.")


class ScriptedTurn(Record):
    """One turn: an answer with text and tool calls, a failure of the provider, or waiting for a teammate."""

    text: str | None = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    usage: ScriptedUsage = ScriptedUsage()
    cost: float | None = Field(0.0, ge=0, description="US dollars; `null` plays an unknown price.")
    delay: float = Field(0.0, ge=0, description="Seconds that the answer takes.")
    error: str | int | None = Field(
        None,
        description="429, 503, 401, 404, 400, or rate_limit, overloaded, authentication, context_window, malformed, unreadable: "
        "the call fails so, once; the next attempt plays the next turn.",
    )
    wait_for_message: WaitForMessage | None = None
    with_tool: str | None = Field(None, description="Played only if this tool is offered.")
    told_by: str | None = Field(None, description="Played only if a message of this teammate has been read.")
    not_told_by: str | None = Field(None, description="Played only if no message of this teammate has been read.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        answers = self.text is not None or bool(self.tool_calls)
        if [answers, self.error is not None, self.wait_for_message is not None].count(True) != 1:
            raise ValueError("a turn has either text and tool_calls, or an error, or wait_for_message")
        return self


class Script(Record):
    """A whole team's turns, and the episode that they were written for."""

    description: str = ""
    repo: str | None = None
    task_id: int | None = None
    features: tuple[FeatureId, ...] | None = None
    setting: Setting | None = None
    members: dict[str, tuple[ScriptedTurn, ...]] = Field(min_length=1)

    def turns(self, member: str) -> tuple[ScriptedTurn, ...]:
        """The turns of one member. Raises `UnknownNameError`."""
        if member not in self.members:
            raise UnknownNameError("member in the script", member, self.members)
        return self.members[member]


def load_script(path: Path) -> Script:
    """Read a script. Raises `UsageError` with the place of the first fault."""
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"the script {path} cannot be read: {error.strerror}", subject=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"the script {path} is not YAML: {error}", subject=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"the script {path} is wrong at {place}: {first['msg']}", subject=str(path)) from error
