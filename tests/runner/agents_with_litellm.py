"""Agents that call LiteLLM by themselves, without an end and without a thought for what it costs."""

import asyncio
import contextlib
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cooperbench.agents import AgentResult
from cooperbench.agents.registry import register
from cooperbench.environments import Environment, open_environment


def ask(agent: object) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"What next for {type(agent).__name__}?"}]


def begin(image: str) -> Environment:
    env = open_environment("local", image)
    env.write_file("/workspace/repo/work.txt", b"done\n")
    return env


def litellm() -> Any:
    return importlib.import_module("litellm")


def told(steps: int = 0) -> AgentResult:
    return AgentResult(status="Submitted", patch="", cost=0.0, steps=steps, messages=[])


@register("calls")
class Calls:
    """Calls as often as it is told to, and reports nothing of it."""

    def __init__(self, count: int = 1_000_000) -> None:
        self.count = count

    def run(self, task: str, image: str, *, model_name: str = "gpt-4o", **_: Any) -> AgentResult:
        begin(image)
        litellm().callbacks = []  # as the documentation of LiteLLM does to register one's own
        for _number in range(self.count):
            with contextlib.suppress(Exception):
                litellm().completion(model=model_name, messages=ask(self))
        return told()


@register("calls_in_threads")
class CallsInThreads:
    """Calls from threads, and waits for them."""

    def run(self, task: str, image: str, *, model_name: str = "gpt-4o", **_: Any) -> AgentResult:
        begin(image)
        while True:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(litellm().completion, model=model_name, messages=ask(self)).result()


@register("calls_later")
class CallsLater:
    """Calls from coroutines."""

    def run(self, task: str, image: str, *, model_name: str = "gpt-4o", **_: Any) -> AgentResult:
        begin(image)

        async def work() -> None:
            while True:
                with contextlib.suppress(Exception):
                    await litellm().acompletion(model=model_name, messages=ask(self))

        asyncio.run(work())
        return told()


@register("calls_for_ever")
class CallsForEver:
    """Calls, and takes no notice of anything that happens."""

    def run(self, task: str, image: str, *, model_name: str = "gpt-4o", **_: Any) -> AgentResult:
        begin(image)
        while True:
            with contextlib.suppress(BaseException):
                litellm().completion(model=model_name, messages=ask(self))


@register("gives_up")
class GivesUp:
    """Asks once, and reports the error."""

    def run(self, task: str, image: str, *, model_name: str = "gpt-4o", **_: Any) -> AgentResult:
        begin(image)
        try:
            litellm().completion(model=model_name, messages=ask(self), max_retries=0)
        except Exception as error:
            return AgentResult(status="Error", patch="", cost=0.0, steps=0, messages=[], error=str(error))
        return told()
