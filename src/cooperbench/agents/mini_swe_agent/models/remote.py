"""What all models behind a provider share: the view that is sent, and what a request offers beyond the minimum.

A request offers what most providers accept and some refuse: reasoning that goes back, a length limit, an answer in events. After a
refusal that may be about one of these, the call is repeated without it, and so are all later ones.
"""

import re
from abc import abstractmethod
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.provider_view import has_reasoning, provider_view
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import ModelContextWindowError, ModelRequestError

OUTPUT_LIMIT = 32_768
"""Tokens of an answer when the configuration sets no limit, so that a model that talks without end comes to one."""
REASONING, LENGTH, EVENTS, COUNTS = "reasoning", "length", "events", "counts"
"""What a request offers: earlier reasoning, a length limit, an answer in events, and token counts among these."""
_ABOUT_LENGTH = re.compile(r"max_(completion_|new_|output_)?tokens|maxoutputtokens|completion", re.IGNORECASE)
_ABOUT_COUNTS = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_ABOUT_EVENTS = re.compile(r"\bstream", re.IGNORECASE)


class RemoteModel(ToolCallingModel):
    """A model behind a provider. A class for a way to reach it implements `_send`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self._refused: set[str] = set()
        """What this provider does not accept."""

    @abstractmethod
    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        """Ask the provider once. Raises `ModelError`."""

    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        while True:
            view = provider_view(messages, reasoning=REASONING not in self._refused)
            arguments = self._arguments()
            try:
                return self._send(view, tools, arguments)
            except (ModelRequestError, ModelContextWindowError) as error:
                offers = {
                    COUNTS: self._streams and COUNTS not in self._refused and _ABOUT_COUNTS.search(error.message),
                    LENGTH: LENGTH not in self._refused
                    and _ABOUT_LENGTH.search(error.message)
                    and self._limits_itself(),
                    EVENTS: self._streams and _ABOUT_EVENTS.search(error.message),
                    REASONING: isinstance(error, ModelRequestError) and has_reasoning(view),
                }
                blamed = next((name for name, offered in offers.items() if offered), None)
                if blamed is None:
                    raise
                self._refused.add(blamed)

    def _arguments(self) -> dict[str, Any]:
        given = self.config.api_arguments()
        if self._limits_itself() and LENGTH not in self._refused:
            given["max_tokens"] = OUTPUT_LIMIT
        return given

    @property
    def _streams(self) -> bool:
        """Return whether the answer is asked for in events."""
        return self.config.stream and EVENTS not in self._refused

    def _events_asked_for(self) -> dict[str, Any]:
        """Return the arguments that ask for events, with token counts among them: without being asked, servers leave them out."""
        if not self._streams:
            return {}
        return (
            {"stream": True} if COUNTS in self._refused else {"stream": True, "stream_options": {"include_usage": True}}
        )

    def _limits_itself(self) -> bool:
        """Return whether the configuration leaves the length of an answer to the default."""
        return not {"max_tokens", "max_completion_tokens"} & set(self.config.api_arguments())
