"""Count the conversations in a recording: a product that starts agents of its own holds one with the model for each of them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cooperbench.gateway.dialects import DIALECTS
from cooperbench.gateway.recording import RecordedCall, read_recording
from cooperbench.gateway.written_answers import offered_tools


class CountedConversation(NamedTuple):
    """A conversation in which the model could act, as far as a recording tells without knowing the program."""

    calls: int
    cost: float | None
    """In dollars; `None` when a call has no price."""


def count_conversations(path: Path) -> list[CountedConversation]:
    """Count the conversations that offer tools, in the order of their beginnings: requests for titles and summaries are nobody's work.

    A conversation is known by its first message of a user, which every later request repeats. A program that replaces it, such as one
    that summarizes what went before, counts once more. Raises what `read_recording` raises.
    """
    costs: dict[str, list[float | None]] = {}
    for call in read_recording(path):
        if call.usage is not None and offered_tools(call.call):
            costs.setdefault(_first_message(call), []).append(call.usage.cost)
    return [CountedConversation(len(each), total(each)) for each in costs.values()]


def total(costs: Sequence[float | None]) -> float | None:
    """Return the sum; `None` when one of them is not known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _first_message(recorded: RecordedCall) -> str:
    messages = DIALECTS[recorded.call.dialect].messages(recorded.call.body)
    found = next((message.get("content") for message in messages if message.get("role") == "user"), None)
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
