"""Run a model written for mini-swe-agent in the loop.

Such a model knows only the tool `bash`, and reports the commands to run as `extra.actions` and its cost as `extra.cost`. It (or its
environment) reports an unreadable turn, and the end of the work, with an exception that carries messages to append.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.mini_swe_agent.models.base import Model, ToolCallingModel
from cooperbench.records import Usage

SUBMIT_COMMAND = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""The command with which agents of that package finish."""

Execute = Callable[[dict[str, Any]], dict[str, Any]]


class ForeignTurn(NamedTuple):
    """The messages that a turn added to the history, and the status if it ended the work."""

    messages: list[dict[str, Any]]
    ended: str | None


class ForeignModel:
    """Plays whole turns of a model of that package, within the budget."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.usage = Usage(cost=0.0)

    def turn(self, messages: list[dict[str, Any]], execute: Execute) -> ForeignTurn:
        """Ask the model and execute its actions."""
        budget = current_budget()
        budget.before_call()
        try:
            message = self.model.query(messages)
        except Exception as error:
            carried = _carried(error)
            self._charge(carried.messages[-1] if carried.messages else {})
            return carried
        self._charge(message)
        outputs = []
        for action in message.get("extra", {}).get("actions", ()):
            if re.match(rf"\s*{SUBMIT_COMMAND}\b", str(action.get("command", ""))):
                outputs.append({"output": "Submitted.", "returncode": 0, "exception_info": ""})
                return ForeignTurn([message, *self._observe(message, outputs)], "Submitted")
            try:
                outputs.append(refused_command(action.get("command")) or {"exception_info": "", **execute(action)})
            except Exception as error:
                carried = _carried(error)
                return ForeignTurn([message, *self._observe(message, outputs), *carried.messages], carried.ended)
        return ForeignTurn([message, *self._observe(message, outputs)], None)

    def _observe(self, message: dict[str, Any], outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.model.format_observation_messages(message, outputs, self.model.get_template_vars())

    def _charge(self, message: dict[str, Any]) -> None:
        usage = Usage(cost=message.get("extra", {}).get("cost"))
        self.usage = add_usage(self.usage, usage)
        current_budget().charge(usage)


def _carried(error: Exception) -> ForeignTurn:
    """Extract the messages of an exception of that package, without its `exit` message; reraise any other exception."""
    messages = getattr(error, "messages", None)
    if not isinstance(messages, tuple | list) or not all(isinstance(message, dict) for message in messages):
        raise error
    last = messages[-1] if messages else {}
    ended = None
    if last.get("role") == "exit":
        ended = str(last.get("extra", {}).get("exit_status") or last.get("content") or "Exit")
    return ForeignTurn([message for message in messages if message.get("role") != "exit"], ended)


def refused_command(command: object) -> dict[str, Any] | None:
    """Return the result of a command that no sandbox can run; `None` for one that can be tried."""
    if isinstance(command, str) and "\0" not in command:
        return None
    text = "Not run: a command is a text without NUL characters."
    return {"output": text, "returncode": 2, "exception_info": "", "timed_out": False}


def speaks_tools(model: Model) -> bool:
    """Return whether `query` of the model takes tools."""
    return isinstance(model, ToolCallingModel) or "tools" in inspect.signature(model.query).parameters
