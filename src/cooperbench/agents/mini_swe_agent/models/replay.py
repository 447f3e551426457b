"""A model that plays the answers of a recorded trajectory again.

A wait for a teammate that was answered in the recording waits for that message again, however fast the teammate is now: what the
next commands do may depend on it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.script_file import ScriptedTurn
from cooperbench.agents.mini_swe_agent.models.scripted import ScriptedModel
from cooperbench.agents.mini_swe_agent.provider_view import json_object
from cooperbench.agents.mini_swe_agent.tools import BASH, WAIT_FOR_MESSAGE
from cooperbench.errors import LimitReachedError
from cooperbench.records import Trajectory, read_model

LONGEST_WAIT = 60.0
"""Seconds to wait for a message that arrived in the recording."""

Message = dict[str, Any]


class ReplayModel(ScriptedModel):
    """Plays recorded answers in order. A call after the last one raises `LimitReachedError`: there the recorded work ended."""

    def _after_the_last(self) -> LimitReachedError:
        return LimitReachedError("recorded answers", self.n_calls, self.n_calls)


def replay_model(path: Path, config: ModelConfig) -> ReplayModel:
    """Return a model that repeats a recorded trajectory, with the same calls, tokens and costs."""
    messages = [entry.message for entry in read_model(path, Trajectory).messages]
    return ReplayModel(list(_turns(messages)), config)


def _turns(messages: Sequence[Message]) -> Iterator[ScriptedTurn]:
    read: Counter[str] = Counter()
    awaited: Counter[str] = Counter()
    for position, message in enumerate(messages):
        read.update(_senders(message))
        if message.get("role") != "assistant":
            continue
        answer = messages[position + 1] if position + 1 < len(messages) else {}
        sender = _awaited(message, answer)
        awaited[sender or ""] += 1
        if sender is not None and read[sender] + _senders(answer).count(sender) >= awaited[sender]:
            yield ScriptedTurn.model_validate({"wait_for_message": {"from": sender, "timeout": LONGEST_WAIT}})
        else:
            yield _recorded_turn(message)


def _awaited(message: Message, answer: Message) -> str | None:
    """Return the teammate for whom the only call of an answer waits, or who was the first to write; `None` for other answers."""
    functions = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    if [function.get("name") for function in functions] != [WAIT_FOR_MESSAGE.name]:
        return None
    named = (json_object(functions[0].get("arguments")) or {}).get("from")
    return str(named) if named else next(iter(_senders(answer)), None)


def _senders(message: Message) -> list[str]:
    return [str(sender) for sender in message.get("extra", {}).get("senders", ())]


def _recorded_turn(message: Message) -> ScriptedTurn:
    usage = message.get("extra", {}).get("usage") or {}
    calls = _calls(message)
    return ScriptedTurn.model_validate(
        {
            "text": _text(message.get("content")) if message.get("content") or not calls else None,
            "tool_calls": calls,
            "usage": {name: usage.get(name) or 0 for name in ("input_tokens", "output_tokens", "cached_tokens")},
            "cost": usage.get("cost"),
        }
    )


def _calls(message: Message) -> list[dict[str, Any]]:
    """Return the calls of an answer. Agents that read commands from text record them as `actions` alone."""
    functions = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    if functions:
        return [
            {"name": str(function.get("name")), "arguments": function.get("arguments") or {}} for function in functions
        ]
    actions = message.get("extra", {}).get("actions") or ()
    return [{"name": BASH.name, "arguments": {"command": str(action["command"])}} for action in actions]


def _text(content: object) -> str:
    """Return the text of a content, which may be a string, a list of parts, or nothing."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)
