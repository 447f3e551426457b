"""Run work: a plan becomes episodes, episodes become submissions and a record.

    from cooperbench.runner import run

    result = run("my-experiment", agent="my_agent", model_name="gpt-4o", subset="lite")

Names are resolved on first use, so that a worker does not pay for what only the runner needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cooperbench.records.episode_state import EpisodeView
    from cooperbench.records.live import Counts
    from cooperbench.records.run_result import RunResult, Runs
    from cooperbench.records.runs import open_run, read_run, read_runs, run_names
    from cooperbench.runner.api import evaluate, run, run_experiment
    from cooperbench.runner.dry_run import Preview, preview
    from cooperbench.runner.engine.claims import ClaimOptions
    from cooperbench.runner.engine.executor import Executor, LocalExecutor
    from cooperbench.runner.engine.observer import Observer
    from cooperbench.runner.engine.session import SessionOptions
    from cooperbench.runner.planning.evaluation_options import EvaluationOptions, ResolverOptions
    from cooperbench.runner.planning.plan import Plan, make_plan
    from cooperbench.runner.planning.request import RunRequest
    from cooperbench.runner.running import execute

_WHERE = {
    "ClaimOptions": "runner.engine.claims",
    "Counts": "records.live",
    "EpisodeView": "records.episode_state",
    "EvaluationOptions": "runner.planning.evaluation_options",
    "Executor": "runner.engine.executor",
    "LocalExecutor": "runner.engine.executor",
    "Observer": "runner.engine.observer",
    "Plan": "runner.planning.plan",
    "Preview": "runner.dry_run",
    "ResolverOptions": "runner.planning.evaluation_options",
    "RunRequest": "runner.planning.request",
    "RunResult": "records.run_result",
    "Runs": "records.run_result",
    "SessionOptions": "runner.engine.session",
    "evaluate": "runner.api",
    "execute": "runner.running",
    "make_plan": "runner.planning.plan",
    "open_run": "records.runs",
    "preview": "runner.dry_run",
    "read_run": "records.runs",
    "read_runs": "records.runs",
    "run": "runner.api",
    "run_experiment": "runner.api",
    "run_names": "records.runs",
}

__all__ = [
    "ClaimOptions",
    "Counts",
    "EpisodeView",
    "EvaluationOptions",
    "Executor",
    "LocalExecutor",
    "Observer",
    "Plan",
    "Preview",
    "ResolverOptions",
    "RunRequest",
    "RunResult",
    "Runs",
    "SessionOptions",
    "evaluate",
    "execute",
    "make_plan",
    "open_run",
    "preview",
    "read_run",
    "read_runs",
    "run",
    "run_experiment",
    "run_names",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"cooperbench.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
