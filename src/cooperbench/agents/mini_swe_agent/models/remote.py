"""What all models behind a provider share: the view that is sent, and what a request offers beyond the minimum.

A request offers what most providers accept and some refuse: reasoning that goes back, a length limit, an answer in events, turns in any
order. After a refusal that may be about one of these, the call is repeated without it, and so are all later ones.
"""

import logging
import re
import time
from abc import abstractmethod
from typing import Any

from cooperbench.agents.budget import current_budget
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.known_providers import rate_limit_scope
from cooperbench.agents.mini_swe_agent.models.text_format import text_view, without_results
from cooperbench.agents.mini_swe_agent.provider_view import has_reasoning, provider_view, strict_turns
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.agents.pauses import SharedPauses
from cooperbench.agents.reading import one_line
from cooperbench.errors import (
    ModelContentError,
    ModelContextWindowError,
    ModelError,
    ModelOutputError,
    ModelRequestError,
    ModelToolsError,
)

OUTPUT_LIMIT = 32_768
"""Tokens of an answer when the configuration sets no limit, so that a model that talks without end comes to one."""
REASONING, LENGTH, EVENTS, COUNTS, TURNS = "reasoning", "length", "events", "counts", "turns"
"""What a request offers: earlier reasoning, a length limit, an answer in events, token counts among these, and turns in any order."""
TOOLS = "tools"
"""What a request offers too: it is left out only if the configuration allows it, because it changes the prompt."""
logger = logging.getLogger(__name__)
_ABOUT_LENGTH = re.compile(r"max_(completion_|new_|output_)?tokens|maxoutputtokens|completion", re.IGNORECASE)
_ABOUT_COUNTS = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_ABOUT_TURNS = re.compile(
    r"\broles?\b|alternat|system (message|prompt|instruction)|last message|message order", re.IGNORECASE
)
_ABOUT_EVENTS = re.compile(r"\bstream", re.IGNORECASE)


class RemoteModel(ToolCallingModel):
    """A model behind a provider. A class for a way to reach it implements `_send`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self._scope = rate_limit_scope(config.model_name, config.base_url)
        self._pauses: SharedPauses | None = None
        self._refused: set[str] = set()
        """What this provider does not accept."""

    @abstractmethod
    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        """Ask the provider once. Raises `ModelError`."""

    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        """Ask the provider, at a time when it wants no pause of any member."""
        budget = current_budget()
        self._pauses = self._pauses or SharedPauses(budget.pauses)
        if pause := self._pauses.left(self._scope, self.config.retry_wait_limit):
            budget.note_action(f"waits {pause:.0f} s: the provider limits all members")
            time.sleep(pause)
        try:
            return self._complete_as_accepted(messages, tools)
        except ModelError as error:
            if error.retryable and error.retry_after:
                self._pauses.extend(self._scope, min(error.retry_after, self.config.retry_wait_limit))
            raise

    def _complete_as_accepted(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        """Ask with what the provider accepts, which its refusals tell."""
        while True:
            view = provider_view(messages, reasoning=REASONING not in self._refused)
            writes = self.config.tool_format == "text" or TOOLS in self._refused
            if writes and tools:
                view = text_view(view, tools)
            if TURNS in self._refused:
                view = strict_turns(view)
            try:
                completion = self._send(view, () if writes else tools, self._arguments())
                return _without_results(completion) if writes else completion
            except ModelToolsError as error:
                if self.config.tool_format != "auto" or writes:
                    raise
                logger.warning("%s; tools are described in the prompt instead", error.message)
                self._refused.add(TOOLS)
            except ModelOutputError as error:
                # Before the first answer a filter can only have stopped the task, which is not the model's.
                if isinstance(error, ModelContentError) and not any(turn["role"] == "assistant" for turn in view):
                    raise
                return _refused_answer(error)
            except (ModelRequestError, ModelContextWindowError) as error:
                blamed = self._blamed(error, view)
                if blamed is None:
                    raise
                self._refused.add(blamed)

    def _blamed(self, error: ModelError, view: list[dict[str, Any]]) -> str | None:
        """Return what of the request's offers a refusal may be about."""
        said, by_request = error.message, isinstance(error, ModelRequestError)
        offers = {
            COUNTS: self._streams and COUNTS not in self._refused and _ABOUT_COUNTS.search(said),
            LENGTH: LENGTH not in self._refused and _ABOUT_LENGTH.search(said) and self._limits_itself(),
            EVENTS: self._streams and _ABOUT_EVENTS.search(said),
            TURNS: by_request and _ABOUT_TURNS.search(said) and strict_turns(view) != view,
            REASONING: by_request and has_reasoning(view),
        }
        return next((name for name, offered in offers.items() if offered), None)

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


def _without_results(completion: Completion) -> Completion:
    """Cut an answer where the model writes results by itself."""
    text = completion.message.get("content")
    if not isinstance(text, str):
        return completion
    return completion.model_copy(update={"message": {**completion.message, "content": without_results(text)}})


def _refused_answer(error: ModelOutputError) -> Completion:
    """Return what the model wrote, as far as it is known, as an answer: the loop tells the model what to do instead."""
    message = {
        "role": "assistant",
        "content": error.written or None,
        "extra": {"refusal": one_line(error.message, 500)},
    }
    reason = "content_filter" if isinstance(error, ModelContentError) else "unreadable_call"
    return Completion(message=message, finish_reason=reason)
