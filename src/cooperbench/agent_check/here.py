"""`agents run`: run an agent in this process, where `print` and `breakpoint()` work. Nothing is recorded."""

import bdb
import functools
import pdb
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from cooperbench.agent_check.scripts import SCRIPTS, write_script
from cooperbench.agents.call import AnyRunner
from cooperbench.agents.registry import get_runner
from cooperbench.agents.result import AgentResult
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import ensure_image, worktree
from cooperbench.errors import LimitReachedError
from cooperbench.records.member_files import AgentOutcome, MemberFolder
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.runner.episodes.job import Job
from cooperbench.runner.episodes.member_specs import make_spec
from cooperbench.runner.planning.plan import Plan, make_plan
from cooperbench.runner.planning.preflight import preflight, refuse
from cooperbench.runner.planning.request import RunRequest
from cooperbench.runner.workers.orphans import discard
from cooperbench.runner.workers.worker import carry_out

RUN = "agents-run"
"""The label of its sandboxes, for `clean --run`."""
PATIENCE = 8 * 3600.0
"""Seconds that a sandbox lives: somebody may sit in a debugger."""


class HereResult(NamedTuple):
    """How the agent ended, and its work."""

    outcome: AgentOutcome
    patch: bytes
    seconds: float


def run_here(request: RunRequest, *, debug: bool = False) -> HereResult:
    """Run one agent alone on the first group that is selected, in this process, and remove everything that it leaves.

    With `debug`, an exception of the agent opens the debugger where it was raised, with its sandbox still there. Without a model,
    the agent gets one that plays a script. Raises `UsageError` for what a run would refuse.
    """
    with scratch_directory() as scratch:
        model = request.model_name or write_script(scratch / "script.yaml", "solo", SCRIPTS["alone"])
        # Nobody enforces the time of a member here, but its sandbox ends with it.
        limits = request.limits.model_copy(update={"wall_time": PATIENCE})
        asked = replace(
            request, run_name=RUN, model_name=model, setting="solo", log_dir=scratch / "logs", limits=limits
        )
        plan = make_plan(asked)
        refuse(preflight(plan.config, plan.tasks, team=plan.team), "the agent")
        ensure_image(plan.config.backend, plan.tasks[0].recipe)
        return _run(plan, debug=debug)


def _run(plan: Plan, *, debug: bool) -> HereResult:
    episode = plan.episodes[0]
    member = episode.members[0]
    access = TeamAccess(agent_id=member.agent_id, agents=(member.agent_id,))
    spec = make_spec(Job(plan.config, episode), None, member, access)
    folder = MemberFolder(spec.folder)
    spec.log_dir.mkdir(parents=True)
    worktree.git(None, "init", "--quiet", "--bare", str(spec.store))
    runner: AnyRunner = get_runner(member.agent, spec.config)
    began = time.monotonic()
    try:
        outcome = carry_out(spec, _debuggable(runner, debug=debug))
    finally:
        discard(folder)
    return HereResult(outcome, _patch(folder), time.monotonic() - began)


def _patch(folder: MemberFolder) -> bytes:
    if folder.returned_patch.exists():
        return folder.returned_patch.read_bytes()
    captured = folder.read_capture()
    return captured.patch if captured else b""


def _debuggable(runner: AnyRunner, *, debug: bool) -> AnyRunner:
    """Wrap an agent so that the debugger can be left, and with `debug` is opened by an exception."""

    @functools.wraps(runner.run)
    def run(*positional: Any, **named: Any) -> AgentResult:
        try:
            return runner.run(*positional, **named)
        except bdb.BdbQuit as error:
            raise KeyboardInterrupt from error
        except (LimitReachedError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if debug:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                pdb.post_mortem(error.__traceback__)
            raise

    return _Wrapped(run)


class _Wrapped(NamedTuple):
    run: Callable[..., AgentResult]
