"""What all models have in common: budget, retries, cost, and the message format.

A model is a `_complete` that asks its provider once. Everything that must be the same for each provider is here: the budget is
asked before a call and charged after it, failures that pass are tried again with growing pauses, a call's cost and tokens are
counted, and unknown prices are said once.
"""

import logging
import random
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from pydantic import Field

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.agents.mini_swe_agent.tools import BASH, Tool, read_tool_calls
from cooperbench.errors import ModelError
from cooperbench.records import Record, Usage, utc_now

logger = logging.getLogger(__name__)


class ModelConfig(Record):
    """How a model is called; `model:` in an agent's configuration."""

    model_name: str = Field(description="As the provider or LiteLLM calls it.")
    temperature: float | None = Field(None, ge=0, description="Passed to the provider if given.")
    top_p: float | None = Field(None, gt=0, le=1, description="Passed to the provider if given.")
    max_tokens: int | None = Field(None, ge=1, description="Longest answer, in tokens.")
    seed: int | None = None
    reasoning_effort: str | None = Field(None, description="Such as low, medium or high, where the model has it.")
    model_kwargs: dict[str, Any] = Field(default_factory=dict, description="Further arguments of the provider's API.")
    base_url: str | None = Field(
        None, description="Address of an OpenAI-compatible server, such as http://localhost:8000/v1."
    )
    api_key_env: str | None = Field(None, description="Name of the environment variable that holds the key.")
    price_table: Path | None = Field(None, description="YAML or JSON file with prices.")
    timeout: float = Field(600.0, gt=0, description="Seconds to wait for one answer.")
    retries: int = Field(8, ge=0, description="Further attempts after a failure that passes, such as a rate limit.")
    retry_wait: float = Field(1.0, ge=0, description="Seconds before the second attempt; doubles with each.")
    retry_wait_limit: float = Field(60.0, ge=0, description="Longest pause between two attempts, in seconds.")
    prompt_cache: bool = Field(
        True, description="Mark the prompt for the provider's cache where that has to be asked for."
    )

    def api_arguments(self) -> dict[str, Any]:
        """The arguments for the provider that were given."""
        names = ("temperature", "top_p", "max_tokens", "seed", "reasoning_effort")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**given, **self.model_kwargs}


class Completion(Record):
    """One answer of a provider."""

    message: dict[str, Any]
    """The assistant's message in the chat completion format."""
    usage: Usage = Usage()
    finish_reason: str | None = None


class ToolCallingModel(ABC):
    """A language model that calls tools. `cost` and `n_calls` are the totals of this object."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.n_calls = 0
        self.usage = Usage(cost=0.0)
        self._prices = load_prices(config.price_table)

    @abstractmethod
    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        """Ask the provider once, with `for_provider(messages)`. Raises `ModelError`; those that are `retryable` are tried again."""

    @property
    def cost(self) -> float | None:
        """US dollars of all calls so far; `None` when the price of any is unknown."""
        return self.usage.cost

    def query(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...] = (BASH,), **kwargs: Any) -> dict[str, Any]:
        """Return the assistant's next message. Raises `ModelError`, and `LimitReachedError` when the budget is used up."""
        budget = current_budget()
        budget.before_call()
        with budget.asking():
            completion = self._complete_with_retries(messages, tools)
        usage = self._priced(completion.usage)
        self.n_calls += 1
        self.usage = add_usage(self.usage, usage)
        budget.charge(usage)
        calls = read_tool_calls(completion.message, tools)
        return {
            **completion.message,
            "role": "assistant",
            "extra": {
                **completion.message.get("extra", {}),
                "actions": [
                    {**call.arguments, "tool_call_id": call.id}
                    for call in calls
                    if call.name == BASH.name and call.error is None
                ],
                "cost": usage.cost or 0.0,
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
        """Answer every tool call of `message`; `outputs` belong to its `actions`, in order."""
        results = dict(zip([action["tool_call_id"] for action in message["extra"]["actions"]], outputs, strict=False))
        answers = []
        for call in read_tool_calls(message, (BASH,)):
            output = results.get(call.id)
            text = call.error or "Not run." if output is None else observation_text(output)
            answers.append(self.format_message(role="tool", tool_call_id=call.id, content=text))
        return answers or [self.format_message(role="user", content="Call the tool `bash` in every answer.")]

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """The configuration."""
        return self.config.model_dump(mode="json")

    def serialize(self) -> dict[str, Any]:
        """Configuration and class, as mini-swe-agent records them."""
        kind = f"{type(self).__module__}.{type(self).__name__}"
        return {"info": {"config": {"model": self.config.model_dump(mode="json"), "model_type": kind}}}

    def _complete_with_retries(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        for attempt in range(self.config.retries + 1):
            try:
                return self._complete(messages, tools)
            except ModelError as error:
                if not error.retryable or attempt == self.config.retries:
                    raise
                pause = self._pause(attempt, error)
                logger.warning("%s; trying again in %.1f s (%d of %d)", error, pause, attempt + 1, self.config.retries)
                current_budget().note_action(f"model fails, attempt {attempt + 2} in {pause:.0f} s: {error}")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _pause(self, attempt: int, error: ModelError) -> float:
        """Seconds before the next attempt: doubling, up to the limit, spread so that a team does not come back at once."""
        pause: float = self.config.retry_wait * 2**attempt * random.uniform(0.8, 1.2)
        return min(max(pause, error.retry_after or 0.0), self.config.retry_wait_limit)

    def _priced(self, usage: Usage) -> Usage:
        """The usage with its cost: by the user's table first, then as the provider said."""
        price = self._prices.find(self.config.model_name)
        cost = price.cost(usage) if price else usage.cost
        if cost is None:
            _warn_once(self.config.model_name)
        return usage.model_copy(update={"cost": cost})


def for_provider(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages without what is not for the provider."""
    return [{key: value for key, value in message.items() if key != "extra"} for message in messages]


_warned: set[str] = set()


def _warn_once(model_name: str) -> None:
    if model_name not in _warned:
        _warned.add(model_name)
        logger.warning("the price of model %r is unknown, so its cost is too; --price-table adds prices", model_name)


def observation_text(output: dict[str, Any]) -> str:
    """What the model reads about one command."""
    lines = [f"exit code: {output.get('returncode')}"]
    if output.get("timed_out"):
        lines.append("The command was ended because it took too long; this is what it printed until then.")
    text = str(output.get("output", ""))
    return "\n".join([*lines, text]) if text else "\n".join([*lines, "(no output)"])
