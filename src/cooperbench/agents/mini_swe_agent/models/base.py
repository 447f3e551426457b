"""The base of all models: budget, retries, cost, and message format.

A model implements `_complete`, which asks its provider once. This class does the rest for every provider: it asks the budget before
a call and charges it afterwards, retries transient failures with growing pauses, counts tokens and cost, and warns once about an
unknown price.

The interface is that of mini-swe-agent version 2: a model written for that package works here, and these work there. Messages are
dictionaries in the chat completion format; `extra` holds what is not for the provider and never leaves this process.
"""

import json
import logging
import random
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field
from tenacity import RetryCallState, Retrying, retry_if_exception

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.agents.mini_swe_agent.models.text_calls import calls_in_text
from cooperbench.agents.mini_swe_agent.tools import BASH, WRITTEN_CALL, Tool, read_tool_calls
from cooperbench.agents.reading import one_line
from cooperbench.errors import ModelError, ModelTimeoutError
from cooperbench.records import Record, Usage, utc_now
from cooperbench.records.model_wait import ModelWait

logger = logging.getLogger(__name__)


class ModelConfig(Record):
    """Settings of a model: the section `model` of an agent's configuration."""

    model_name: str = Field(description="Name of the model at its provider or in LiteLLM.")
    temperature: float | None = Field(None, ge=0, description="Passed to the provider if set.")
    top_p: float | None = Field(None, gt=0, le=1, description="Passed to the provider if set.")
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Length limit of an answer, in tokens. By default 32768, or the provider's if it refuses that.",
    )
    seed: int | None = None
    reasoning_effort: str | None = Field(None, description="low, medium or high, for models that support it.")
    model_kwargs: dict[str, Any] = Field(default_factory=dict, description="Other arguments for the provider's API.")
    base_url: str | None = Field(
        None, description="URL of an OpenAI-compatible server, such as http://localhost:8000/v1."
    )
    api_key_env: str | None = Field(None, description="Environment variable that holds the API key.")
    price_table: Path | None = Field(None, description="YAML or JSON file with prices.")
    timeout: float = Field(600.0, gt=0, description="Seconds for a whole answer.")
    stream: bool = Field(True, description="Ask for answers in events.")
    retries: int = Field(8, ge=0, description="Retries after a transient failure, such as a rate limit.")
    retry_wait: float = Field(1.0, ge=0, description="Seconds before the first retry; doubles with each retry.")
    retry_wait_limit: float = Field(60.0, ge=0, description="Longest pause before a retry, in seconds.")
    tool_format: Literal["native", "text", "auto"] = Field(
        "native",
        description=(
            "native: tools are offered through the API. text: they are described in the system prompt, and calls are written. "
            "auto: text once the server says that it cannot call tools."
        ),
    )
    prompt_cache: bool = Field(True, description="Mark the prompt for the cache of providers that require it.")

    def api_arguments(self) -> dict[str, Any]:
        """Return the arguments for the provider that are set."""
        names = ("temperature", "top_p", "max_tokens", "seed", "reasoning_effort")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**given, **self.model_kwargs}


class Completion(Record):
    """An answer of a provider."""

    message: dict[str, Any]
    """The assistant's message in the chat completion format."""
    usage: Usage = Usage()
    finish_reason: str | None = None


class Model(Protocol):
    """The interface of a language model in the loop."""

    config: Any

    def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        """Return the next message of the assistant. `extra` holds `actions` (commands to run), `cost` and more."""
        ...

    def format_message(self, **kwargs: Any) -> dict[str, Any]:
        """Make a message from `role`, `content` and `extra`."""
        ...

    def format_observation_messages(
        self, message: dict[str, Any], outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Make the messages that answer the actions of `message`; `outputs` are in the order of the actions."""
        ...

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """Return the variables for templates."""
        ...

    def serialize(self) -> dict[str, Any]:
        """Return what to record about the model."""
        ...


class ToolCallingModel(ABC):
    """A language model that calls tools. `cost` and `n_calls` are the totals of this object."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.n_calls = 0
        self.usage = Usage(cost=0.0)
        self._prices = load_prices(config.price_table)

    @abstractmethod
    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        """Ask the provider once. Raises `ModelError`; a retryable one leads to another call."""

    @property
    def cost(self) -> float | None:
        """US dollars of all calls so far; `None` when the price of a call is unknown."""
        return self.usage.cost

    def query(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...] = (BASH,), **kwargs: Any) -> dict[str, Any]:
        """Return the next message of the assistant. Raises `ModelError`, and `LimitReachedError` when the budget is used up."""
        budget = current_budget()
        budget.before_call()
        with budget.asking():
            completion = self._complete_with_retries(messages, tools)
        usage = self._priced(completion.usage)
        self.n_calls += 1
        self.usage = add_usage(self.usage, usage)
        budget.charge(usage)
        message = _with_text_calls(completion.message, tools)
        calls = read_tool_calls(message, tools)
        return {
            **message,
            "role": "assistant",
            "extra": {
                **message.get("extra", {}),
                "actions": [
                    {**call.arguments, "tool_call_id": call.id}
                    for call in calls
                    if call.name == BASH.name and call.error is None
                ],
                "cost": usage.cost,
                "usage": usage.model_dump(),
                "finish_reason": completion.finish_reason,
                "timestamp": utc_now().isoformat(),
            },
        }

    def format_message(self, **kwargs: Any) -> dict[str, Any]:
        """Make a message from `role`, `content` and `extra`."""
        return kwargs

    def format_observation_messages(
        self, message: dict[str, Any], outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Answer every tool call of `message`; `outputs` are in the order of its `actions`."""
        results = dict(zip([action["tool_call_id"] for action in message["extra"]["actions"]], outputs, strict=False))
        answers = []
        for call in read_tool_calls(message, (BASH,)):
            output = results.get(call.id)
            text = call.error or "Not run." if output is None else observation_text(output)
            answers.append(self.format_message(role="tool", tool_call_id=call.id, content=text))
        nudge = f"Call the tool `bash` in every answer. If you cannot call tools, write the call exactly like this:\n{WRITTEN_CALL}"
        return answers or [self.format_message(role="user", content=nudge)]

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """Return the configuration."""
        return self.config.model_dump(mode="json")

    def serialize(self) -> dict[str, Any]:
        """Return the configuration and the class, as mini-swe-agent records them."""
        kind = f"{type(self).__module__}.{type(self).__name__}"
        return {"info": {"config": {"model": self.config.model_dump(mode="json"), "model_type": kind}}}

    def _complete_with_retries(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, ModelError) and error.retryable),
            stop=self._given_up,
            wait=self._pause,
            before=lambda state: current_budget().end_wait(),
            before_sleep=self._announce,
            reraise=True,
        )
        return retrying(self._complete, messages, tools)

    def _given_up(self, state: RetryCallState) -> bool:
        return state.attempt_number > self._retries(_failure(state))

    def _retries(self, error: ModelError) -> int:
        """Return the most retries after an error: a call that took all of its time is repeated only once."""
        return min(self.config.retries, 1) if isinstance(error, ModelTimeoutError) else self.config.retries

    def _pause(self, state: RetryCallState) -> float:
        """Return the seconds before a retry: doubling, at least what the provider asks for, at most `retry_wait_limit`.

        Random factors keep the members of a team from coming back at the same moment.
        """
        pause = self.config.retry_wait * 2.0 ** (state.attempt_number - 1) * random.uniform(0.8, 1.2)
        return min(max(pause, _failure(state).retry_after or 0.0), self.config.retry_wait_limit)

    def _announce(self, state: RetryCallState) -> None:
        error, pause = _failure(state), state.upcoming_sleep
        logger.warning("%s; retrying in %.1f s (%d of %d)", error, pause, state.attempt_number, self._retries(error))
        now = utc_now()
        wait = ModelWait(
            time=now,
            until=now + timedelta(seconds=pause),
            kind=type(error).__name__,
            reason=one_line(str(error), 300),
            attempt=state.attempt_number + 1,
            attempts=self._retries(error) + 1,
        )
        current_budget().note_action(f"model fails, attempt {wait.attempt} in {pause:.0f} s: {error}")
        current_budget().begin_wait(wait)

    def _priced(self, usage: Usage) -> Usage:
        """Add the cost to a usage: from the price table, else as the provider reported it."""
        price = self._prices.find(self.config.model_name)
        cost = price.cost(usage) if price else usage.cost
        if cost is None:
            _warn_once(self.config.model_name)
        return usage.model_copy(update={"cost": cost})


def _with_text_calls(message: dict[str, Any], tools: tuple[Tool, ...]) -> dict[str, Any]:
    """Add the calls that the model wrote into its text, if it made no other."""
    text = message.get("content")
    if message.get("tool_calls") or not isinstance(text, str):
        return message
    calls = [
        {"id": f"call{number:05d}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(calls_in_text(text, {tool.name for tool in tools}), 1)
    ]
    return {**message, "tool_calls": calls} if calls else message


def _failure(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError)
    return error


_warned: set[str] = set()


def _warn_once(model_name: str) -> None:
    if model_name not in _warned:
        _warned.add(model_name)
        logger.warning(
            "the price of model %r is unknown, and so is its cost; add prices with --price-table", model_name
        )


def observation_text(output: dict[str, Any]) -> str:
    """Return the text about a command for the model."""
    lines = [f"exit code: {output.get('returncode')}"]
    if output.get("timed_out"):
        lines.append("The command was ended because it took too long; this is what it printed until then.")
    text = str(output.get("output", ""))
    return "\n".join([*lines, text]) if text else "\n".join([*lines, "(no output)"])
