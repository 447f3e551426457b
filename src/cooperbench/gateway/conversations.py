"""Count the conversations in a recording: a product that starts agents of its own holds one with the model for each of them."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from cooperbench.gateway.dialects import DIALECTS
from cooperbench.gateway.recording import RecordedCall, read_recording
from cooperbench.gateway.written_answers import offered_tools


class CountedConversations(NamedTuple):
    """What can be told of a recording without knowing the program."""

    conversations: int
    """Conversations in which the model could act. Their first messages differ."""
    calls: int
    """Calls in them."""


def count_conversations(path: Path) -> CountedConversations:
    """Count the conversations that offer tools: requests for titles and summaries are nobody's work.

    A conversation is known by its first message of a user, which every later request repeats. A program that replaces it, such as one
    that summarizes what went before, counts once more. Raises what `read_recording` raises.
    """
    first = [
        _first_message(call) for call in read_recording(path) if call.usage is not None and offered_tools(call.call)
    ]
    return CountedConversations(len(set(first)), len(first))


def _first_message(recorded: RecordedCall) -> str:
    messages = DIALECTS[recorded.call.dialect].messages(recorded.call.body)
    found = next((message.get("content") for message in messages if message.get("role") == "user"), None)
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
