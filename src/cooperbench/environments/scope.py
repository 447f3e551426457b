"""What the harness imposes on every environment that is opened inside an episode.

An agent opens its environment itself (`ModalEnvironment(image=image, …)`), in a process of its own. The harness nevertheless
owns where it runs, under which limits and labels, what is set up in it before the agent sees it, and that its work is captured
before it ends. It does so with a scope: activated in the agent's process before the agent runs, consulted by every
`Environment` when it starts and when it is cleaned up. Outside an episode there is no scope, and environments are just that.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cooperbench.environments.contract import Environment, SandboxLabels

WORKER_MARK = "COOPERBENCH_WORKER"
"""Environment variable that marks the programs which an agent's process starts on the host, so that they can be ended with it.
Sandboxes outlive that process, and are started without it."""

Hook = Callable[[Environment], None]


@dataclass
class EnvironmentScope:
    """The harness's conditions for environments opened in this process."""

    backend: str | None = None
    """Runs every environment on this backend, also one that an agent names otherwise; the run decides, not the adapter."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Fields of `EnvironmentOptions` that the run fixes (limits, network, …)."""
    labels: SandboxLabels = field(default_factory=SandboxLabels)
    handles: Path | None = None
    """Directory in which every running sandbox is written down as `<identifier>.json` from start to clean-up."""
    after_start: list[Hook] = field(default_factory=list)
    """Called once the sandbox runs, before the caller gets it. An error here ends the sandbox and is raised."""
    before_cleanup: list[Hook] = field(default_factory=list)
    """Called before the sandbox ends, e.g. to capture the work. An error here is recorded and does not stop the clean-up."""


_lock = threading.Lock()
_active: EnvironmentScope | None = None


def current_scope() -> EnvironmentScope | None:
    """The scope in force in this process, for all of its threads."""
    return _active


@contextmanager
def activate(scope: EnvironmentScope) -> Iterator[EnvironmentScope]:
    """Put a scope in force for this process. Scopes do not nest: a process works on one seat of one episode."""
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
