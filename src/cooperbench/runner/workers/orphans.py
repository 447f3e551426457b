"""Find sandboxes that outlived the process that opened them: capture the work in them, and end them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cooperbench.environments import Environment, SandboxHandle, attach
from cooperbench.environments.worktree import capture
from cooperbench.errors import CooperBenchError, RecordError
from cooperbench.records import Failure, read_model
from cooperbench.records.member_files import MemberFolder, StartedSandbox


class Rescue(NamedTuple):
    """The result of looking for work in a dead worker's sandboxes."""

    found: bool
    failure: Failure | None = None


def rescue(folder: MemberFolder, store: Path) -> Rescue:
    """Capture the work in a dead worker's sandboxes, and end them."""
    found = False
    failure: Failure | None = None
    for environment in _left_behind(folder):
        if isinstance(environment, Failure):
            failure = environment
            continue
        try:
            _take(environment, folder, store)
            found = True
        except FileNotFoundError:
            continue  # killed before the sandbox was ready for the agent, so that there is no work
        except CooperBenchError as error:
            failure = Failure.of(error)
        finally:
            _end(environment)
    return Rescue(found, failure)


def discard(folder: MemberFolder) -> None:
    """End a dead worker's sandboxes without looking at what is in them."""
    for environment in _left_behind(folder):
        if not isinstance(environment, Failure):
            _end(environment)


def _end(environment: Environment) -> None:
    """End a sandbox. One that cannot be reached now ends with its lifetime, and `clean` finds it."""
    with contextlib.suppress(CooperBenchError):
        environment.cleanup()


def _take(environment: Environment, folder: MemberFolder, store: Path) -> None:
    base = read_model(folder.sandbox, StartedSandbox).base_tree
    folder.keep_capture(capture(environment, store, base))


def _left_behind(folder: MemberFolder) -> Iterator[Environment | Failure]:
    for path in sorted(folder.handles.glob("*.json")):
        try:
            yield attach(read_model(path, SandboxHandle))
        except RecordError:
            continue  # cut off while it was written: its sandbox had not started
        except CooperBenchError as error:  # it is lost, or its engine is away
            yield Failure.of(error)
        path.unlink(missing_ok=True)
