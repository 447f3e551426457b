"""The tools of the loop, and the parsing of the model's calls.

An invalid call is never an exception: its result tells the model what is wrong, because providers reject a history in which a
call has no result.
"""

import json
import math
from typing import Any

from cooperbench.agents.mini_swe_agent.provider_view import json_object
from cooperbench.records import Record


class Tool(Record):
    """A function that the model may call."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON schema of each argument."""
    required: tuple[str, ...] = ()

    def definition(self) -> dict[str, Any]:
        """Return the tool in the chat completion format."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {"type": "object", "properties": self.parameters, "required": list(self.required)},
            },
        }


class ToolCall(Record):
    """A call of the model. `error` says why it cannot be executed."""

    id: str
    name: str
    arguments: dict[str, Any] = {}
    error: str | None = None


BASH = Tool(
    name="bash",
    description=(
        "Run a shell command in the repository. Each command starts in the repository's folder in a new shell; stdin is closed."
    ),
    parameters={
        "command": {"type": "string", "description": "The command to run."},
        "timeout": {
            "type": "number",
            "description": "Seconds after which it is ended. Only for commands that take long.",
        },
    },
    required=("command",),
)

SUBMIT = Tool(
    name="submit",
    description="Hand in the work as it is now in the repository's folder, and finish.",
    parameters={},
)

SEND_MESSAGE = Tool(
    name="send_message",
    description="Send a message to a teammate. The result says whether it was delivered.",
    parameters={
        "to": {"type": "string", "description": "The teammate's name, or `all`."},
        "message": {"type": "string", "description": "The text."},
    },
    required=("to", "message"),
)

WAIT_FOR_MESSAGE = Tool(
    name="wait_for_message",
    description="Wait until a teammate writes. Other messages are shown to you by themselves; wait only when you cannot go on.",
    parameters={
        "from": {"type": "string", "description": "The teammate's name; anybody if not given."},
        "timeout": {"type": "number", "description": "Seconds to wait at most; 60 if not given."},
    },
)


WRITTEN_CALL = """<tool_call>
{"name": "bash", "arguments": {"command": "ls"}}
</tool_call>"""
"""A call in the text of an answer, in the form that is shown to models."""


def read_tool_calls(message: dict[str, Any], tools: tuple[Tool, ...]) -> list[ToolCall]:
    """Parse the calls in an assistant message, invalid ones with an `error`."""
    raw = message.get("tool_calls")
    if not isinstance(raw, list):
        return []
    return [_read(call, number, tools) for number, call in enumerate(raw) if isinstance(call, dict)]


def _read(call: dict[str, Any], number: int, tools: tuple[Tool, ...]) -> ToolCall:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    identifier, name = str(call.get("id") or f"call_{number}"), str(function.get("name") or "")

    def wrong(text: str) -> ToolCall:
        return ToolCall(id=identifier, name=name, error=text)

    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        return wrong(f"There is no tool {name!r}. The tools are: {', '.join(tool.name for tool in tools)}.")
    given = json_object(function.get("arguments"))
    if given is None:
        return wrong(
            f"{_why(function.get('arguments'), name)} Nothing was run. Write them like this: {_example(tool)}."
        )
    if missing := [argument for argument in tool.required if argument not in given]:
        return wrong(f"{name} needs {', '.join(missing)}: {_example(tool)}. Nothing was run.")
    for argument, value in given.items():
        if fault := _fault(tool, argument, value):
            return wrong(fault)
    return ToolCall(id=identifier, name=name, arguments=given)


def _fault(tool: Tool, argument: str, value: object) -> str | None:
    if argument not in tool.parameters:
        return f"{tool.name} has no argument {argument!r}; it takes {', '.join(tool.parameters) or 'none'}."
    kind = tool.parameters[argument]["type"]
    if value is None and argument not in tool.required:
        return None
    if kind == "number":
        return None if _usable_number(value) else f"{argument!r} of {tool.name} must be a number."
    if not isinstance(value, str):
        return f"{argument!r} of {tool.name} must be a {kind}."
    return f"{argument!r} of {tool.name} must not contain NUL characters." if "\0" in value else None


def _usable_number(value: object) -> bool:
    """Return whether a value is a number of seconds that a clock can wait for."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e9


def _why(arguments: object, name: str) -> str:
    try:
        json.loads(str(arguments), strict=False)
    except RecursionError:
        return f"The arguments of {name} are nested too deep."
    except ValueError as error:
        return f"The arguments of {name} are not JSON ({error})."
    return f"The arguments of {name} must be a JSON object."


def _example(tool: Tool) -> str:
    return json.dumps({name: "…" if tool.parameters[name]["type"] == "string" else 1 for name in tool.required})
