"""Call an agent and check its result.

Agents are written by others: they may accept only some of the arguments, raise anything, or return nonsense. This module turns
that into a valid `AgentResult`, or into an error that shows the author what to fix. Isolation (an agent that hangs or kills its
process) is the runner's job.
"""

import inspect
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from cooperbench.agents.client_errors import failure_of_provider
from cooperbench.agents.reading import one_line, safe_text
from cooperbench.agents.result import AgentResult
from cooperbench.errors import AgentError, CooperBenchError
from cooperbench.records import AgentId, Record


class AgentArguments(Record):
    """The arguments that the harness offers to an agent, named as in `AgentRunner.run`."""

    task: str
    image: str
    agent_id: AgentId = "agent"
    model_name: str = "gpt-4o"
    agents: list[str] | None = None
    comm_url: str | None = None
    git_server_url: str | None = None
    git_enabled: bool = False
    messaging_enabled: bool = True
    config: dict[str, Any] | None = None
    agent_config: str | None = None
    log_dir: str | None = None


class AnyRunner(Protocol):
    """An agent whose `run` accepts any part of the published arguments."""

    @property
    def run(self) -> Callable[..., AgentResult]:
        """The method of `AgentRunner`."""
        ...


def run_agent(runner: AnyRunner, arguments: AgentArguments) -> AgentResult:
    """Run the agent with the arguments that its signature accepts, and return the checked result.

    Raises `AgentError` for an exception of the agent and for an invalid result. Errors of CooperBench (a limit, a lost sandbox,
    a provider) pass through unchanged, and an outage of a provider that a client library raised becomes one.
    """
    positional, named = _accepted(runner, dict(arguments))
    try:
        returned = runner.run(*positional, **named)
    except (CooperBenchError, KeyboardInterrupt):
        raise
    except SystemExit as error:
        raise AgentError(
            f"the agent called sys.exit({safe_text(error.code)})", hint="return an AgentResult instead"
        ) from error
    except BaseException as error:
        if (failure := failure_of_provider(error)) is not None:
            raise failure from error
        raise AgentError(
            f"the agent raised {type(error).__name__}: {one_line(safe_text(error), 500)}",
            hint="catch expected errors and return AgentResult(status='Error', error=…, …)",
        ) from error
    return check_result(returned)


def check_signature(runner: AnyRunner) -> None:
    """Raise `AgentError` when `run` requires an argument that the harness does not offer."""
    _accepted(runner, dict.fromkeys(AgentArguments.model_fields))


def check_result(returned: object) -> AgentResult:
    """Return the result with its messages as plain JSON values. Raises `AgentError` that names the wrong field."""
    if inspect.iscoroutine(returned):
        returned.close()
        raise AgentError("run() is async", hint="the interface is synchronous: wrap the body in asyncio.run(...)")
    if not isinstance(returned, AgentResult):
        given = "nothing" if returned is None else f"a {type(returned).__name__}"
        raise AgentError(
            f"run() returned {given} instead of an AgentResult",
            hint="from cooperbench.agents import AgentResult; return AgentResult(status=…, patch=…, cost=…, steps=…, messages=…)",
        )
    _check_text("status", returned.status)
    if not returned.status.strip():
        raise AgentError("AgentResult.status is empty", hint="return how the agent ended: 'Submitted', 'Error', …")
    _check_text("patch", returned.patch)
    if returned.error is not None:
        _check_text("error", returned.error)
    _check_number("cost", returned.cost, whole=False)
    if returned.steps is None:
        raise AgentError("AgentResult.steps is None", hint="return the number of model calls, 0 for none")
    for name in ("steps", "input_tokens", "output_tokens", "cached_tokens"):
        _check_number(name, getattr(returned, name), whole=True)
    return replace(
        returned,
        messages=plain_messages("messages", returned.messages),
        sent_messages=plain_messages("sent_messages", returned.sent_messages),
    )


def plain_messages(field: str, messages: object) -> list[dict[str, Any]]:
    """Convert a history to dictionaries of JSON values, objects of a provider's SDK through their `model_dump()`."""
    if not isinstance(messages, list | tuple):
        raise AgentError(
            f"AgentResult.{field} is a {type(messages).__name__}", hint=f"return a list of dictionaries in {field}"
        )
    plain = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict) and callable(dump := getattr(message, "model_dump", None)):
            message = dump()
        if not isinstance(message, dict):
            raise AgentError(
                f"AgentResult.{field}[{number}] is a {type(message).__name__}", hint="make each message a dictionary"
            )
        plain.append(_plain(message))
    return plain


def _plain(message: dict[Any, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(message, default=_json_value, ensure_ascii=False)
        # Python strings may hold lone surrogates (undecodable bytes) and floats NaN; a file of UTF-8 JSON may not.
        loaded = json.loads(text.encode("utf-8", "replace"), parse_constant=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise AgentError(
            f"a message of the agent is not JSON: {one_line(safe_text(error))}",
            hint="put only text, numbers, lists and dictionaries into AgentResult.messages",
        ) from error
    assert isinstance(loaded, dict)
    return loaded


def _json_value(value: object) -> object:
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    return safe_text(value)


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str):
        hint = "decode it: patch.decode('utf-8', 'surrogateescape')" if isinstance(value, bytes) else "return text"
        raise AgentError(f"AgentResult.{field} is {_kind(value)}, not text", hint=hint)


def _check_number(field: str, value: object, *, whole: bool) -> None:
    """Accept `None` (unknown) and finite numbers that are not negative."""
    if value is None:
        return
    right = isinstance(value, int) if whole else isinstance(value, int | float)
    if isinstance(value, bool) or not right:
        raise AgentError(
            f"AgentResult.{field} is {_kind(value)}, not a number", hint="return a number, or None when it is unknown"
        )
    assert isinstance(value, int | float)
    if not math.isfinite(value) or value < 0:
        raise AgentError(f"AgentResult.{field} is {value}", hint="return 0 or more, or None when it is unknown")


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _accepted(runner: AnyRunner, offered: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Split the offered arguments as the signature of `run` accepts them: task and image by position, the others by name."""
    try:
        parameters = list(inspect.signature(runner.run).parameters.values())
    except (TypeError, ValueError):  # a builtin or extension type has no signature: assume the published one
        return [offered.pop("task"), offered.pop("image")], offered
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    by_position = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    leading = [parameter for parameter in parameters if parameter.kind in by_position]
    positional = [offered.pop(name) for name in ("task", "image")[: len(leading)]]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters) and not leading:
        positional = [offered.pop("task"), offered.pop("image")]
    rest = {parameter.name: parameter for parameter in parameters if parameter not in leading[: len(positional)]}
    for name, parameter in rest.items():
        variadic = parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        if not variadic and parameter.default is parameter.empty and name not in offered:
            raise AgentError(
                f"run() requires an argument {name!r}, which is not part of the interface",
                hint=f"give it a default, or take one of: {', '.join(AgentArguments.model_fields)}",
            )
    return positional, {name: value for name, value in offered.items() if takes_any or name in rest}
