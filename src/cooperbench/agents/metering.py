"""Charge the calls that an agent makes through LiteLLM by itself, to keep it within its budget.

The meter is installed as a callback of LiteLLM when the agent imports it; importing it takes seconds, and most agents never do.
Before a call it asks the budget, and raises `KeyboardInterrupt` when nothing is left: that passes the agent's handlers of ordinary
errors, as it does when the runner ends an agent, and LiteLLM swallows every `Exception` of a callback. After a call it charges the
tokens and the cost, and writes the messages to the journal.

It does not see calls that bypass LiteLLM or are made by other programs. Wall time bounds those, and the cost that the agent
reports at its end is charged to the run.
"""

import asyncio
import contextvars
import importlib.util
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from cooperbench.agents.budget import Budget
from cooperbench.agents.client_errors import failure_of_provider
from cooperbench.agents.journal import Journal
from cooperbench.errors import LimitReachedError, ModelError
from cooperbench.records import Usage, utc_now

LITELLM = "litellm"
PATIENCE = 2.0
"""Seconds to wait for LiteLLM's callback after a call; it comes from another thread, some milliseconds later."""

Pricer = Callable[[str, Usage], float | None]
"""Looks up the cost of a call in the user's price table; `None` when the table lacks the model."""

_charged_by_caller = contextvars.ContextVar("_charged_by_caller", default=False)


@contextmanager
def charged_by_caller() -> Iterator[None]:
    """Leave the calls in this block to their caller, who charges them."""
    token = _charged_by_caller.set(True)
    try:
        yield
    finally:
        _charged_by_caller.reset(token)


class Meter:
    """Charges calls to a budget and writes their messages to a journal. Its methods are LiteLLM's callbacks."""

    def __init__(self, budget: Budget, journal: Journal, price: Pricer) -> None:
        self._budget = budget
        self._journal = journal
        self._price = price
        self._changed = threading.Condition()
        self._under_way: dict[str, threading.Thread | None] = {}
        """The thread that waits for each call, by the call's id; `None` for asynchronous calls."""
        self._began: dict[str, datetime] = {}
        self._charged_elsewhere: set[str] = set()
        self._over: set[str] = set()
        self._written: list[object] = []
        self.failure: ModelError | None = None
        """The provider's failure at the last call that ended, if it failed."""

    def before(self, messages: object, details: dict[str, Any]) -> None:
        """Register a call before it is made. Raises `KeyboardInterrupt` when the budget has nothing left."""
        call = str(details.get("litellm_call_id"))
        if _charged_by_caller.get():
            self._charged_elsewhere.add(call)
            return
        thread = None if _asynchronous(details) else threading.current_thread()
        # A thread that asks again, or has ended, has its answer: the next call must not overtake the charge for it.
        self._settle(lambda one: one != call and _has_answer(self._under_way[one], thread))
        with self._changed:
            self._under_way[call] = thread
            self._began[call] = utc_now()
        try:
            self._budget.before_call()
        except LimitReachedError as error:
            self._forget(call)
            _end_main_thread()
            raise KeyboardInterrupt(error.message) from None
        self._write(messages)

    def succeeded(self, details: dict[str, Any], response: object) -> None:
        """Charge a call that was answered."""
        call = str(details.get("litellm_call_id"))
        with self._changed:
            if call in self._charged_elsewhere or call in self._over:
                return
            self._over.add(call)
            self.failure = None
        try:
            dump = getattr(response, "model_dump", None)
            answer = dump() if callable(dump) else {}
            usage = self._usage(details, answer)
            self._budget.charge(usage, began=self._began.pop(call, None))
            for choice in answer.get("choices") or ():
                if isinstance(choice, dict) and isinstance(message := choice.get("message"), dict):
                    self._budget.note_action(str(message.get("content") or "calls tools"))
                    self._journal.add({**message, "extra": {"usage": usage.model_dump()}})
        finally:
            self._forget(call)

    def failed(self, details: dict[str, Any]) -> None:
        """Forget a call that failed, but for the provider's part in it."""
        call = str(details.get("litellm_call_id"))
        if call in self._under_way:
            error = details.get("exception")
            self.failure = failure_of_provider(error) if isinstance(error, Exception) else None
        self._forget(call)

    def settle(self) -> None:
        """Wait until all calls are charged."""
        self._settle(lambda call: True)
        self._journal.close()

    def _settle(self, which: Callable[[str], bool]) -> None:
        """Wait for finished calls. One without a callback, such as a stream that was not read to its end, has an unknown cost."""

        def left() -> list[str]:
            return [call for call in self._under_way if which(call)]

        with self._changed:
            self._changed.wait_for(lambda: not left(), timeout=PATIENCE)
            lost = left()
            for call in lost:
                del self._under_way[call]
            self._over.update(lost)
        for _ in lost:
            self._budget.charge(Usage(cost=None))

    def _usage(self, details: dict[str, Any], answer: dict[str, Any]) -> Usage:
        counted = answer.get("usage")
        counted = counted if isinstance(counted, dict) else {}
        cached = counted.get("prompt_tokens_details")
        usage = Usage(
            input_tokens=_count(counted.get("prompt_tokens")),
            output_tokens=_count(counted.get("completion_tokens")),
            cached_tokens=_count(cached.get("cached_tokens")) if isinstance(cached, dict) else None,
        )
        cost = self._price(str(details.get("model")), usage)
        if cost is None:
            reported = details.get("response_cost")
            cost = float(reported) if isinstance(reported, int | float) else None
        return usage.model_copy(update={"cost": cost})

    def _write(self, messages: object) -> None:
        """Write the new messages of a request to the journal: most agents send the whole history each time."""
        given = list(messages) if isinstance(messages, Sequence) and not isinstance(messages, str) else []
        known = len(self._written)
        new = given[known:] if given[:known] == self._written else given
        self._written = given
        for message in new:
            if isinstance(message, dict) and message.get("role") != "assistant":  # answers are written when they arrive
                self._journal.add(message)

    def _forget(self, call: str) -> None:
        with self._changed:
            self._under_way.pop(call, None)
            self._changed.notify_all()


def _has_answer(waiting: threading.Thread | None, asking: threading.Thread | None) -> bool:
    return waiting is not None and (waiting is asking or not waiting.is_alive())


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Charge the calls through LiteLLM in this block, from the moment it is imported."""
    finder = _Finder(meter)
    if LITELLM in sys.modules:
        _install(sys.modules[LITELLM], meter)
    else:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        meter.settle()


class _Finder(MetaPathFinder):
    """Finds LiteLLM as usual, and installs the meter once it is imported."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != LITELLM:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_install(module: ModuleType) -> None:
                execute(module)
                _install(module, self._meter)

            setattr(spec.loader, "exec_module", execute_and_install)  # noqa: B010 - the type of a loader declares a method
        return spec


class _Callbacks:
    """The callbacks of LiteLLM that feed a meter."""

    def __init__(self, litellm: ModuleType, meter: Meter) -> None:
        super().__init__()
        self._litellm = litellm
        self._meter = meter

    def log_pre_api_call(self, model: str, messages: object, kwargs: dict[str, Any]) -> None:
        self._meter.before(messages, kwargs)

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: object, end_time: object
    ) -> None:
        self._meter.succeeded(kwargs, response_obj)

    def log_failure_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: object, end_time: object
    ) -> None:
        self._meter.failed(kwargs)

    async def async_log_success_event(self, *event: Any, **named: Any) -> None:
        self.log_success_event(*event, **named)

    async def async_log_failure_event(self, *event: Any, **named: Any) -> None:
        self.log_failure_event(*event, **named)

    async def async_post_call_success_deployment_hook(
        self, request_data: dict[str, Any], response: object, call_type: object
    ) -> None:
        # Awaited before an asynchronous call returns, so the next call cannot overtake its charge; the events above come later.
        if hasattr(response, "usage"):
            cost = _cost(self._litellm, request_data, response)
            self._meter.succeeded({**request_data, "response_cost": cost}, response)


def _install(litellm: ModuleType, meter: Meter) -> None:
    """Register the meter in all lists of callbacks, because agents replace `litellm.callbacks` by their own."""
    base = import_module("litellm.integrations.custom_logger").CustomLogger
    callback = type("CooperBenchMeter", (_Callbacks, base), {})(litellm, meter)
    names = ("callbacks", "input_callback", "success_callback", "failure_callback")
    for name in (*names, "_async_success_callback", "_async_failure_callback"):
        callbacks = getattr(litellm, name, None)
        if isinstance(callbacks, list):
            callbacks.append(callback)


def _cost(litellm: Any, request: dict[str, Any], response: object) -> float | None:
    """Ask LiteLLM for the price of an answer; `None` when it has none."""
    try:
        return float(litellm.completion_cost(completion_response=response, model=request.get("model")))
    except Exception:
        return None


def _asynchronous(details: dict[str, Any]) -> bool:
    """Return whether no thread is blocked while this call is made."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return bool((details.get("litellm_params") or {}).get("acompletion"))
    return True


def _end_main_thread() -> None:
    """End the main thread, as the runner does, if the call came from another: it would wait for that one forever."""
    main = threading.main_thread()
    if main is not threading.current_thread() and main.ident is not None:
        signal.pthread_kill(main.ident, signal.SIGTERM)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
