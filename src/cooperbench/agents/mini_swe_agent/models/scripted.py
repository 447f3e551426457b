"""A model that plays the turns of a script.

It costs nothing and needs no network, so everything around it can be real in tests and demos: loop, tools, sandbox and mailbox. It
reacts to what it reads in two ways:

- A turn may wait for a message of a teammate. The wait is always one call of the tool `wait_for_message`, with a timeout of 0 if the
  message has been read already, so the number of steps does not depend on timing.
- A turn may depend on a tool, or on whether a teammate has sent a message.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.script_file import ScriptedTurn, WaitForMessage, load_script
from cooperbench.agents.mini_swe_agent.tools import WAIT_FOR_MESSAGE, Tool
from cooperbench.errors import (
    CooperBenchError,
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelRequestError,
)
from cooperbench.records import Usage

FAILURES: dict[str, type[ModelError]] = {
    "rate_limit": ModelRateLimitError,
    "429": ModelRateLimitError,
    "overloaded": ModelOverloadedError,
    "500": ModelOverloadedError,
    "503": ModelOverloadedError,
    "529": ModelOverloadedError,
    "authentication": ModelAuthenticationError,
    "401": ModelAuthenticationError,
    "context_window": ModelContextWindowError,
    "malformed": ModelRequestError,
    "400": ModelRequestError,
    "404": ModelNotFoundError,
    "unreadable": ModelAnswerError,
}


class ScriptedModel(ToolCallingModel):
    """Plays turns in order. A call after the last turn raises `ModelRequestError`."""

    def __init__(self, turns: Sequence[ScriptedTurn | dict[str, Any]], config: ModelConfig | None = None) -> None:
        super().__init__(config or ModelConfig(model_name="scripted", retry_wait=0.01))
        self._turns = [ScriptedTurn.model_validate(turn) for turn in turns]
        self._next = 0
        self._awaited: dict[str, int] = {}

    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        while self._next < len(self._turns) and not _holds(self._turns[self._next], messages, tools):
            self._next += 1
        if self._next == len(self._turns):
            raise self._after_the_last()
        turn, number = self._turns[self._next], self._next
        self._next += 1
        time.sleep(turn.delay)
        if turn.error is not None:
            raise scripted_failure(turn.error, number + 1)
        if turn.wait_for_message is not None:
            return _answer(number, None, [self._waiting(turn.wait_for_message, messages)], Usage(cost=0.0))
        calls = [(call.name, call.arguments) for call in turn.tool_calls]
        return _answer(number, turn.text, calls, Usage(cost=turn.cost, **turn.usage.model_dump()))

    def _after_the_last(self) -> CooperBenchError:
        """Return the error of a call after the last turn."""
        return ModelRequestError(
            f"the script has no turn after number {self._next}",
            by_model=True,
            subject=self.config.model_name,
            hint="end the script with a call of `submit`",
        )

    def _waiting(self, wait: WaitForMessage, messages: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        read = _read_from(wait.sender, messages)
        self._awaited[wait.sender] = self._awaited.get(wait.sender, 0) + 1
        there = read >= self._awaited[wait.sender]
        return WAIT_FOR_MESSAGE.name, {"from": wait.sender, "timeout": 0.0 if there else wait.timeout}


def scripted_failure(kind: str | int, number: int) -> ModelError:
    """Return the error that turn `number` of a script plays."""
    error = FAILURES.get(str(kind), ModelRequestError)(f"the script plays the failure {kind} at turn {number}")
    if isinstance(error, ModelRequestError):
        error.by_model = True  # a script is its model
    return error


def _read_from(sender: str, messages: list[dict[str, Any]]) -> int:
    """Count the messages of a teammate in the history."""
    return sum(one == sender for message in messages for one in message.get("extra", {}).get("senders", ()))


def _holds(turn: ScriptedTurn, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> bool:
    """Return whether the tools and the messages read so far meet the conditions of the turn."""
    if turn.with_tool is not None and turn.with_tool not in {tool.name for tool in tools}:
        return False
    if turn.told_by is not None and not _read_from(turn.told_by, messages):
        return False
    return turn.not_told_by is None or not _read_from(turn.not_told_by, messages)


def _answer(
    number: int, text: str | None, calls: Sequence[tuple[str, dict[str, Any] | str]], usage: Usage
) -> Completion:
    tool_calls = [
        {
            "id": f"call_{number + 1}_{position + 1}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for position, (name, given) in enumerate(calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return Completion(message=message, usage=usage, finish_reason="tool_calls" if tool_calls else "stop")


def scripted_model(path: Path, member: str, config: ModelConfig) -> ScriptedModel:
    """Return a model that plays a member of a script file."""
    return ScriptedModel(load_script(path).turns(member), config)
