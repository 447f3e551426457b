"""The process of one trial: `python -m cooperbench.agents.check.worker order.json`."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cooperbench.agents._text import safe_text
from cooperbench.agents.budget import Budget, activate_budget
from cooperbench.agents.call import run_agent
from cooperbench.agents.check.probe import ProbeOrder, ProbeReport
from cooperbench.agents.registry import get_runner
from cooperbench.agents.result import AgentResult
from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.connect import connect
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import Environment
from cooperbench.environments.bases import prepare_for_agent
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.environments.worktree import capture
from cooperbench.errors import AgentError, CooperBenchError, LimitReachedError
from cooperbench.records import read_model, write_model

LOSE_AFTER = 0.3
"""Seconds that a sandbox which is to be lost lives."""


class _Sandboxes:
    """Follows the sandboxes that the agent opens."""

    def __init__(self, order: ProbeOrder) -> None:
        self._order = order
        self._bases: dict[int, str] = {}
        self._bridges: dict[int, CoopBridge] = {}
        self.open: dict[int, Environment] = {}
        self.count = 0
        self.changed = False

    def started(self, env: Environment) -> None:
        """As in a run: no later history, the base pinned, and connect to the team, before the agent gets the environment."""
        self._bases[id(env)] = prepare_for_agent(env, self._order.folder / "base.git")
        offered = self._order.arguments
        if offered.comm_url is not None or offered.git_server_url is not None:
            access = TeamAccess(
                agent_id=offered.agent_id,
                agents=tuple(offered.agents or [offered.agent_id]),
                comm_url=offered.comm_url,
                git_server_url=offered.git_server_url,
            )
            self._bridges[id(env)] = connect(env, access, history_stripped=True)
        self.open[id(env)] = env
        self.count += 1
        if self._order.lose_sandbox and self.count == 1:
            threading.Timer(LOSE_AFTER, env.cleanup).start()

    def ending(self, env: Environment) -> None:
        """Take the change, as a run does."""
        self.open.pop(id(env), None)
        if bridge := self._bridges.pop(id(env), None):
            bridge.close()
        if not self._order.lose_sandbox:
            taken = capture(env, self._order.folder / "base.git", self._bases[id(env)])
            self.changed = self.changed or bool(taken.patch)


def main(order: ProbeOrder) -> None:
    """Run the agent once and write down what came of it."""
    sandboxes = _Sandboxes(order)
    budget = Budget(order.limits)
    scope = EnvironmentScope(
        backend=order.backend,
        handles=order.folder / "handles",
        after_start=[sandboxes.started],
        before_cleanup=[sandboxes.ending],
    )
    with activate(scope), activate_budget(budget):
        outcome = _run(order)
        left = list(sandboxes.open.values())
        for env in left:
            env.cleanup()
    children = _children()
    report = ProbeReport(
        finished=True,
        environments=sandboxes.count,
        left_open=len(left),
        threads=_threads(),
        children=len(children),
        calls=budget.steps,
        limited=budget.reached is not None,
        **outcome,
    )
    changed = sandboxes.changed or report.own_patch
    write_model(order.folder / "report.json", report.model_copy(update={"captured": changed}))
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _run(order: ProbeOrder) -> dict[str, Any]:
    try:
        result = run_agent(get_runner(order.agent, order.config), order.arguments)
    except CooperBenchError as error:
        own = isinstance(error, AgentError) and not isinstance(error, LimitReachedError)
        kind = type(error.__cause__ or error).__name__
        return {"error": error.message, "hint": error.hint, "error_kind": kind, "ours": not own}
    except BaseException as error:
        return {"error": safe_text(error), "error_kind": type(error).__name__}
    return _facts(result)


def _facts(result: AgentResult) -> dict[str, Any]:
    return {
        "status": result.status,
        "reported_error": result.error,
        "own_patch": bool(result.patch.strip()),
        "messages": len(result.messages),
        "cost": result.cost,
        "steps": result.steps,
    }


def _threads() -> tuple[str, ...]:
    """Threads that would keep the process from ending."""
    main_thread = threading.main_thread()
    return tuple(thread.name for thread in threading.enumerate() if not thread.daemon and thread is not main_thread)


def _children() -> list[int]:
    """Processes that the agent left, as far as the system tells; those of a sandbox take a moment to be gone."""
    file = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    end = time.monotonic() + 2.0
    while True:
        alive = [int(child) for child in (file.read_text().split() if file.exists() else ()) if _alive(child)]
        if not alive or time.monotonic() > end:
            return alive
        time.sleep(0.05)


def _alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main(read_model(Path(sys.argv[1]), ProbeOrder))
