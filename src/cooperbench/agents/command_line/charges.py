"""What each answer of the model used, by the gateway's count: matched with the answers that a program reports.

Programs report tokens late, roughly, or only in the end. The gateway knows them exactly, but sees calls that are not reported (titles,
sub-agents), and may be ahead of the reading. So an answer is found by the ids of its calls, by its commands, or by its text; else the
next one of its kind is taken.
"""

import json
import threading
import time
from typing import Any, NamedTuple

from cooperbench.agents.command_line.reports import ModelTurn
from cooperbench.records import Usage

Json = dict[str, Any]
PATIENCE = 0.25
"""Seconds to wait for a charge: programs report an answer as soon as its text is complete, milliseconds before its end."""


class _Charge(NamedTuple):
    message: Json
    usage: Usage


class ChargedAnswers:
    """Answers that were charged and not yet reported. The gateway adds them from its threads; `patience` is in seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._open: list[_Charge] = []
        self._changed = threading.Condition()

    def add(self, message: Json, usage: Usage) -> None:
        """Add an answer, as a message of a chat completion."""
        with self._changed:
            self._open.append(_Charge(message, usage))
            self._changed.notify_all()

    def take(self, turn: ModelTurn) -> Usage | None:
        """Return what the answer used; `None` for a part of an answer that was taken before."""
        until = time.monotonic() + self._patience
        with self._changed:
            while (found := self._find(turn)) is None:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return None
            self._open.remove(found)
            return found.usage

    def _find(self, turn: ModelTurn) -> _Charge | None:
        for same in (_same_calls, _same_commands, _same_text, _same_kind):
            for charge in self._open:
                if same(charge.message, turn):
                    return charge
        return None


def _same_calls(message: Json, turn: ModelTurn) -> bool:
    return bool({str(call.get("id")) for call in _calls(message)} & {use.id for use in turn.calls})


def _same_commands(message: Json, turn: ModelTurn) -> bool:
    given = [str((call.get("function") or {}).get("arguments")) for call in _calls(message)]
    return any(
        len(use.command) > 3 and any(json.dumps(use.command)[1:-1] in text for text in given)
        for use in turn.calls
        if use.command is not None
    )


def _same_text(message: Json, turn: ModelTurn) -> bool:
    said = message.get("content")
    return bool(turn.text.strip()) and isinstance(said, str) and said.strip() == turn.text.strip()


def _same_kind(message: Json, turn: ModelTurn) -> bool:
    return bool(_calls(message)) == bool(turn.calls)


def _calls(message: Json) -> list[Json]:
    calls = message.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
