"""The services that all rollouts of this process share: a fork server, a broker, a git server.

Starting them takes about a second and 60 MB, which hundreds of rollouts cannot each pay. They end with the process, or with `close`.
"""

import atexit
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from cooperbench.records import RunConfig, RunDirectory
from cooperbench.records.run_owner import run_owner
from cooperbench.runner.engine.session import SessionOptions, open_services, preload
from cooperbench.runner.engine.start_gate import StartGate
from cooperbench.runner.episodes.job import Services

MOST = 4096
"""Rollouts at the same time; each has a thread that nearly always sleeps. What a machine can carry is for the caller to bound."""


@dataclass(frozen=True)
class _Kind:
    """The differences that decide whether two rollouts can share services."""

    backend: str
    preload: tuple[str, ...]
    broker: bool
    git: bool

    @classmethod
    def of(cls, config: RunConfig) -> "_Kind":
        together = not config.setting.alone
        broker = together and (config.messaging or config.task_board)
        return cls(config.backend, preload(config), broker, together and config.git)


class SharedServices:
    """Opens services when they are first needed, and keeps them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._open: dict[_Kind, Services] = {}
        self._process = os.getpid()
        self.gate = StartGate()
        self.threads = ThreadPoolExecutor(MOST, thread_name_prefix="rollout")

    @property
    def usable(self) -> bool:
        """False in a process that was forked from the one that opened them."""
        return self._process == os.getpid()

    def of(
        self, config: RunConfig, directory: RunDirectory, keys: Mapping[str, str], stop: threading.Event
    ) -> Services:
        """Return the services of one rollout: shared ones with its own owner, keys and stop."""
        kind = _Kind.of(config)
        with self._lock:
            if kind not in self._open:
                self._open[kind] = self._stack.enter_context(open_services(config, directory, SessionOptions()))
        shared = self._open[kind]
        return replace(shared, owner=run_owner(directory), ledger=None, keys=keys, stop=stop)

    def close(self) -> None:
        """Wait for running rollouts, and end the services."""
        if not self.usable:
            return
        self.threads.shutdown()
        with self._lock:
            self._open.clear()
            self._stack.close()


_lock = threading.Lock()
_shared: SharedServices | None = None


def shared_services() -> SharedServices:
    """Return those of this process."""
    global _shared
    with _lock:
        if _shared is None or not _shared.usable:
            _shared = SharedServices()
        return _shared


@atexit.register
def close() -> None:
    """End the services that rollouts of this process share. The next rollout starts them again."""
    global _shared
    with _lock:
        shared, _shared = _shared, None
    if shared is not None:
        shared.close()
