"""Compare the outputs of commands in a recorded history and in its replay.

Histories are compared answer by answer: the outputs that follow the n-th answer of the model belong to its commands, in their order.
What differs in any two runs of the same command (durations, clocks, addresses in memory, ids of commits) is not compared.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from cooperbench.agents.mini_swe_agent.provider_view import json_object
from cooperbench.agents.mini_swe_agent.tools import SEND_MESSAGE, WAIT_FOR_MESSAGE
from cooperbench.agents.reading import one_line
from cooperbench.records.replay import OutputDifference

Message = dict[str, Any]

_TEAMWORK = frozenset({SEND_MESSAGE.name, WAIT_FOR_MESSAGE.name})
"""Tools whose results depend on when a teammate writes."""
_LONGEST_LINE = 300
_NOISE = (
    (re.compile(r"\b\d+(?:\.\d+)?(?: ?(?:ms|s|µs|ns|secs?|seconds?))\b"), "<duration>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?"), "<date>"),
    (re.compile(r"\b(?:[A-Z][a-z]{2} ){1,2} ?\d{1,2}(?: \d\d:\d\d(?::\d\d)?)?(?: \d{4})?"), "<date>"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d(?:\.\d+)?)?\b"), "<time>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "<address>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b"), "<id>"),
)


class Comparison(NamedTuple):
    """The outcome of comparing two histories."""

    answers: int
    played: int
    outputs: int
    different: int
    first: OutputDifference | None


class _Answered(NamedTuple):
    """An answer of the model: its commands and their outputs."""

    commands: list[str]
    outputs: list[str]


def compare(recorded: Iterable[Message], replayed: Iterable[Message]) -> Comparison:
    """Compare the outputs of two histories. Answers that one of them lacks are counted and not compared."""
    before, now = list(_steps(recorded)), list(_steps(replayed))
    first = None
    outputs = different = 0
    for number, (old, new) in enumerate(zip(before, now, strict=False), 1):
        for position, (one, other) in enumerate(zip_longest(old.outputs, new.outputs, fillvalue="")):
            outputs += 1
            if _normal(one) == _normal(other):
                continue
            different += 1
            if first is None:
                command = old.commands[position] if position < len(old.commands) else ""
                recorded_line, replayed_line = _first_lines(one, other)
                first = OutputDifference(
                    step=number, command=_short(command), recorded=recorded_line, replayed=replayed_line
                )
    return Comparison(len(before), min(len(now), len(before)), outputs, different, first)


def _steps(messages: Iterable[Message]) -> Iterator[_Answered]:
    step: _Answered | None = None
    names: list[str] = []
    position = 0
    for message in messages:
        role, extra = message.get("role"), message.get("extra") or {}
        if role == "assistant":
            if step is not None:
                yield step
            names = _tool_names(message)
            position = 0
            step = _Answered(_commands(message), [])
        elif step is not None and role == "tool":
            if position >= len(names) or names[position] not in _TEAMWORK:
                step.outputs.append(_text(message.get("content")))
            position += 1
        elif step is not None and role == "user" and not extra.get("senders"):
            step.outputs.append(_text(message.get("content")))
    if step is not None:
        yield step


def _functions(message: Message) -> list[dict[str, Any]]:
    calls = message.get("tool_calls") or ()
    return [call.get("function") or {} for call in calls if isinstance(call, dict)]


def _tool_names(message: Message) -> list[str]:
    return [str(function.get("name")) for function in _functions(message)]


def _commands(message: Message) -> list[str]:
    """Return the commands of an answer: the first argument of each call, or the commands that an agent read from the text."""
    functions = [function for function in _functions(message) if function.get("name") not in _TEAMWORK]
    if not functions:
        return [str(action.get("command", "")) for action in (message.get("extra") or {}).get("actions") or ()]
    return [_command(function) for function in functions]


def _command(function: dict[str, Any]) -> str:
    arguments = json_object(function.get("arguments")) or {}
    return str(arguments.get("command") or next(iter(arguments.values()), function.get("name", "")))


def _normal(text: str) -> str:
    for pattern, word in _NOISE:
        text = pattern.sub(word, text)
    return text.rstrip()


def _first_lines(one: str, other: str) -> tuple[str, str]:
    """Return the first pair of lines that differ."""
    for left, right in zip_longest(one.splitlines(), other.splitlines(), fillvalue=""):
        if _normal(left) != _normal(right):
            return _short(left), _short(right)
    return _short(one), _short(other)


def _short(text: str) -> str:
    return one_line(text, _LONGEST_LINE)


def _text(content: object) -> str:
    parts: Sequence[object] = content if isinstance(content, list) else [content]
    return "".join(str(part.get("text", "")) if isinstance(part, dict) else str(part or "") for part in parts)
