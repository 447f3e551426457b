"""The unit of work, and the services that it needs."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.git_server import GitServer
from cooperbench.records import Failure, RunConfig
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.pool import WorkerPool
from cooperbench.runner.workers.slots import FileSlots


@dataclass(frozen=True)
class Job:
    """One episode to be run; everything in it can be sent to another machine."""

    config: RunConfig
    episode: Episode
    attempt: int = 1
    blocked: Failure | None = None
    """Why it cannot be run, e.g. a missing image; it is recorded and not started."""


@dataclass(frozen=True)
class Services:
    """The services that all episodes on one machine share."""

    pool: WorkerPool
    broker: Broker | None = None
    git: GitServer | None = None
    owner: str = ""
    """To whom the sandboxes belong, see `run_owner`."""
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The API keys of members that do not find theirs in the environment, by agent id."""
    ledger: Path | None = None
    slots: FileSlots | None = None
    """Held by evaluations while they test; without slots each tests at once."""
    memory_mb: int = 4096
    """The memory of the host that one agent's process may take."""
    overtime: float = 60.0
    """Seconds that an agent at a limit has to end by itself before it is asked to."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when running episodes shall end with their work captured."""
