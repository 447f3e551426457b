"""Find the sandbox behind an object that runs commands in one: an environment, or any wrapper around one.

Wrappers keep what they wrap where they like, so the sandbox is asked: each open environment gets a word of its own in a file, and
a command run through the wrapper prints it.
"""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cooperbench.environments.environment import Environment, open_environments
from cooperbench.errors import AgentError, CooperBenchError

_SECONDS = 60.0
_HINT = "pass the environment itself, such as DockerEnvironment(image=image), or an object whose execute(command) runs in one"


def environment_of(candidate: Any) -> Environment:
    """Return the environment in whose sandbox `candidate.execute(command)` runs commands.

    Raises `AgentError` at once for an object that runs them elsewhere or not at all.
    """
    if isinstance(candidate, Environment):
        return candidate
    kind = type(candidate).__name__
    execute = getattr(candidate, "execute", None)
    if not callable(execute):
        raise AgentError(f"a {kind} has no method execute(), so it has no sandbox", subject=kind, hint=_HINT)
    file = f"/tmp/.cooperbench-{uuid.uuid4().hex}"
    words = dict(_with_a_word(file))
    try:
        answer = _text(execute(f"cat {file}")) if words else ""
    except CooperBenchError:
        raise
    except Exception as error:
        text = f"execute() of a {kind} does not take a command: {type(error).__name__}: {error}"
        raise AgentError(text, subject=kind, hint=_HINT) from error
    finally:
        for environment in words.values():
            with suppress(CooperBenchError):
                environment.run_script(f"rm -f {file}", timeout=_SECONDS)
    found = [environment for word, environment in words.items() if word in answer] or _held_by(candidate)
    if len(found) != 1:
        text = f"the commands of a {kind} do not run in a sandbox that CooperBench opened in this process"
        raise AgentError(text, subject=kind, hint=_HINT)
    return found[0]


def _with_a_word(file: str) -> Iterator[tuple[str, Environment]]:
    """Put a word of its own into every open environment, and yield both."""
    for environment in open_environments():
        word = uuid.uuid4().hex
        with suppress(CooperBenchError):  # lost or ended in the meantime: not this one
            environment.run_script(f"printf %s {word} > {file}", timeout=_SECONDS)
            yield word, environment


def _text(answer: object) -> str:
    return f"{answer!r} {getattr(answer, '__dict__', '')!r}"


def _held_by(candidate: object) -> list[Environment]:
    """Return the environments that a wrapper holds, for one whose `execute` does not say what a command printed."""
    return list(
        {
            id(held): held for held in getattr(candidate, "__dict__", {}).values() if isinstance(held, Environment)
        }.values()
    )
