"""What all models behind a provider share: the view that is sent, what a request offers beyond the minimum, and the time for an answer.

A request offers what most providers accept and some refuse: reasoning that goes back, a length limit, an answer in events. After a
refusal that may be about one of these, the call is repeated without it, and so are all later ones.
"""

import re
import threading
from abc import abstractmethod
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.provider_view import has_reasoning, provider_view
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import ModelContextWindowError, ModelRequestError, ModelTimeoutError

OUTPUT_LIMIT = 32_768
"""Tokens of an answer when the configuration sets no limit, so that a model that talks without end comes to one."""
REASONING, LENGTH, EVENTS = "reasoning", "length", "events"
_ABOUT_LENGTH = re.compile(r"max_(completion_|new_|output_)?tokens|maxoutputtokens|completion", re.IGNORECASE)
_ABOUT_EVENTS = re.compile(r"\bstream", re.IGNORECASE)

Result = TypeVar("Result")


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
                    LENGTH: LENGTH not in self._refused
                    and _ABOUT_LENGTH.search(error.message)
                    and self._limits_itself(),
                    EVENTS: EVENTS not in self._refused and _ABOUT_EVENTS.search(error.message),
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

    def _limits_itself(self) -> bool:
        """Return whether the configuration leaves the length of an answer to the default."""
        return not {"max_tokens", "max_completion_tokens"} & set(self.config.api_arguments())


def bounded(seconds: float, work: Callable[[], Result]) -> Result:
    """Return the result of `work`, or raise `ModelTimeoutError` after so many seconds in all.

    Timeouts of HTTP clients hold for one read, so a server that sends a blank now and then keeps them waiting without end. The work is
    done in a thread, which is left to itself when the time is over.
    """
    results: list[Result] = []
    failures: list[BaseException] = []
    context = copy_context()

    def run() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="model call")
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not results:
        raise ModelTimeoutError(f"the model did not answer within {seconds:g} s")
    return results[0]
