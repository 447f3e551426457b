"""The conditions that the harness imposes on every environment opened inside an episode.

An agent opens its environment itself (`ModalEnvironment(image=image, …)`), in its own process. The harness still decides where
it runs and with which limits and labels, prepares it before the agent sees it, and captures its work before it ends. It does so
with a scope, activated in the agent's process before the agent runs. Every `Environment` consults it when it starts and when it
is cleaned up. Outside an episode there is no scope.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cooperbench.environments.contract import SandboxLabels
from cooperbench.records.activity import CommandSpan

if TYPE_CHECKING:
    from cooperbench.environments.environment import Environment

WORKER_MARK = "COOPERBENCH_WORKER"
"""Environment variable that marks the programs which an agent's process starts on the host, so that they can be killed with it.
Sandboxes outlive that process, and start without the mark."""

Hook = Callable[["Environment"], None]


@dataclass
class EnvironmentScope:
    """The harness's conditions for environments opened in this process."""

    backend: str | None = None
    """Backend of every environment, also of one for which an agent names another: the run decides, not the adapter."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Fields of `EnvironmentOptions` that the run fixes (limits, network, …)."""
    labels: SandboxLabels = field(default_factory=SandboxLabels)
    handles: Path | None = None
    """Directory that holds the handle of every running sandbox as `<identifier>.json`."""
    after_start: list[Hook] = field(default_factory=list)
    """Called once the sandbox runs, before the caller gets it. An error ends the sandbox and is raised."""
    before_cleanup: list[Hook] = field(default_factory=list)
    """Called before the sandbox ends, e.g. to capture the work. An error does not stop the cleanup."""
    after_command: list[Callable[[CommandSpan], None]] = field(default_factory=list)
    """Called with each command of the caller's once it has ended."""


_lock = threading.Lock()
_active: EnvironmentScope | None = None


def current_scope() -> EnvironmentScope | None:
    """Return the scope that is active in this process, for all its threads."""
    return _active


@contextmanager
def activate(scope: EnvironmentScope) -> Iterator[EnvironmentScope]:
    """Activate a scope in this process. Scopes do not nest: a process works for one member of one episode."""
    global _active
    with _lock:
        if _active is not None:
            raise RuntimeError("an environment scope is already active in this process")
        _active = scope
    try:
        yield scope
    finally:
        with _lock:
            _active = None
