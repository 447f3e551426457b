"""Stand between a worker and the agent under test, to see what the agent leaves behind in its process.

A worker ends its process as soon as the agent has returned, so threads, child processes and open environments can be seen
from the inside only. Everything else that a check wants to know is in the files that a worker leaves of any member.
"""

import threading
from pathlib import Path
from typing import Any

import psutil

from cooperbench.agents import AgentArguments, AgentResult, get_runner, run_agent
from cooperbench.environments import Environment
from cooperbench.environments.scope import current_scope
from cooperbench.records import Record, write_model

CHILD_SECONDS = 4.0
"""How long child processes may take to end: those of a sandbox do so a moment after it."""


class LeftBehind(Record):
    """Things that an agent left behind in its process."""

    environments: int = 0
    """Environments opened, for comparison."""
    left_open: int = 0
    threads: tuple[str, ...] = ()
    """Names of the threads that would keep the process alive."""
    children: int = 0


class ProbedAgent:
    """Run another agent and note its left_behind in a file."""

    def __init__(self, agent: str, config: dict[str, Any], left_behind: str) -> None:
        self._runner = get_runner(agent, config)
        self._config = config
        self._file = Path(left_behind)

    def run(self, **offered: Any) -> AgentResult:
        """Run the agent with its own configuration."""
        opened: list[Environment] = []
        closed: list[Environment] = []
        if scope := current_scope():
            scope.after_start.append(opened.append)
            scope.before_cleanup.append(closed.append)
        try:
            return run_agent(self._runner, AgentArguments.model_validate({**offered, "config": self._config}))
        finally:
            _, children = psutil.wait_procs(psutil.Process().children(), timeout=CHILD_SECONDS)
            left_behind = LeftBehind(
                environments=len(opened),
                left_open=len(opened) - len(closed),
                threads=_threads(),
                children=len(children),
            )
            write_model(self._file, left_behind)


def _threads() -> tuple[str, ...]:
    main = threading.main_thread()
    return tuple(thread.name for thread in threading.enumerate() if not thread.daemon and thread is not main)
