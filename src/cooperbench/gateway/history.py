"""The history of a member, from the requests and answers that pass: for agents that keep no journal of their own.

A request repeats the whole conversation, and programs ask for titles and summaries in between. So each message is known by those before it:
what follows the longest known beginning is new.
"""

import hashlib
import json
import threading

from cooperbench.agents.journal import Journal
from cooperbench.errors import AgentError
from cooperbench.gateway.dialects import Json
from cooperbench.records import Usage


class ConversationJournal:
    """Writes the new messages of each request, and the answers. Safe to use from several threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: set[bytes] = set()
        self._lock = threading.Lock()

    def asked(self, messages: list[Json]) -> None:
        """Write what is new in a request. Answers are written when they arrive."""
        with self._lock:
            place = b""
            for message in messages:
                system = message.get("role") in {"system", "developer"}
                # Parts of a system prompt change with each request, which does not make another conversation.
                here = _digest(b"" if system else place, message)
                place = place if system else here
                if here not in self._known:
                    self._known.add(here)
                    if message.get("role") != "assistant":
                        self._add(message)

    def answered(self, message: Json, usage: Usage) -> None:
        """Write an answer with what it cost."""
        with self._lock:
            self._add({**message, "extra": {"usage": usage.model_dump()}})

    def _add(self, message: Json) -> None:
        try:
            self._journal.add(message)
        except AgentError:  # a message that JSON cannot hold
            self._journal.add({"role": str(message.get("role")), "content": None})


def _digest(before: bytes, message: Json) -> bytes:
    content = message.get("content")
    calls = [call.get("function") for call in message.get("tool_calls") or () if isinstance(call, dict)]
    text = json.dumps([message.get("role"), content, calls], sort_keys=True, default=str)
    return hashlib.sha256(before + text.encode("utf-8", "replace")).digest()
