"""Find the tool calls that a model wrote into its text.

Small models, and servers started without the right parser, put the markup of a chat template into the content. Only whole markup around
the name of a tool that was offered is a call; commands that a text mentions are not.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cooperbench.agents.mini_swe_agent.provider_view import json_object

LONGEST_TEXT = 200_000
"""Characters. A longer text is not searched."""
_MARKED = re.compile(
    r"<tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|<function_call>|<\|tool_call\|>|<action>", re.IGNORECASE
)
_NAMED = re.compile(r"<function=([\w-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_INVOKED = re.compile(r"<(?:\w+:)?invoke name=\"([\w-]+)\">(.*?)</(?:\w+:)?invoke>", re.DOTALL)
_PARAMETER = re.compile(
    r"<(?:\w+:)?parameter(?:=| name=\")([\w-]+)\"?[^>]*>\n?(.*?)\n?</(?:\w+:)?parameter>", re.DOTALL
)
_DEEPSEEK = re.compile(
    r"tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?([\w-]+)(?:<｜tool▁sep｜>|\s)(.*?)<｜tool▁call▁end", re.DOTALL
)
_BRIEF = re.compile(r"\s*([\w-]+)(?:\[ARGS\])?\s*(?=\{)")
_FENCE = re.compile(r"\A```(?:json|tool_call|tool_code)?\s*(.*?)\s*```\Z", re.DOTALL)


class TextCall(NamedTuple):
    """A call found in a text."""

    name: str
    arguments: dict[str, Any]


def calls_in_text(text: str, names: set[str]) -> list[TextCall]:
    """Return the calls of the tools `names` in a text, in the first form of markup that holds one."""
    if len(text) > LONGEST_TEXT:
        return []
    for form in (_marked, _tagged, _bare):
        if calls := [call for call in form(text) if call.name in names]:
            return calls
    return []


def _marked(text: str) -> Iterator[TextCall]:
    """Find JSON behind a mark: Hermes, Qwen, Mistral, Llama."""
    for mark in _MARKED.finditer(text):
        rest = text[mark.end() :]
        brief = _BRIEF.match(rest)
        if brief and (arguments := _first_json(rest[brief.end() :])) is not None:
            yield TextCall(brief[1], json_object(arguments) or {})
        else:
            yield from _from_json(_first_json(rest))


def _tagged(text: str) -> Iterator[TextCall]:
    """Find tags that hold the name: Qwen3-Coder, Llama, DeepSeek, MiniMax."""
    for pattern in (_NAMED, _INVOKED, _DEEPSEEK):
        for name, body in pattern.findall(text):
            parameters = dict(_PARAMETER.findall(body))
            arguments = json_object(re.sub(r"\A\s*```(?:json)?|```\s*\Z", "", body))
            yield TextCall(name, parameters or arguments or {})


def _bare(text: str) -> Iterator[TextCall]:
    """Take a text that is nothing but the JSON of a call, in a fence or not."""
    text = text.strip()
    fenced = _FENCE.match(text)
    try:
        yield from _from_json(json.loads(fenced[1] if fenced else text, strict=False))
    except (ValueError, RecursionError):
        return


def _first_json(text: str) -> object:
    text = text.lstrip()
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _from_json(value: object) -> Iterator[TextCall]:
    for item in value if isinstance(value, list) else [value]:
        function = item.get("function", item) if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        given = next((function[name] for name in ("arguments", "parameters", "input") if name in function), None)
        if given is not None and (arguments := json_object(given)) is not None:
            yield TextCall(function["name"], arguments)
