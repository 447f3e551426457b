"""How work is run: a plan becomes episodes, episodes become submissions and a record.

    from cooperbench.runner import run

    result = run("my-experiment", agent="my_agent", model_name="gpt-4o", subset="lite")

Names are resolved on first use, so that a worker does not pay for what only the runner needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cooperbench.runner.api import evaluate, run
    from cooperbench.runner.engine.executor import Executor, LocalExecutor
    from cooperbench.runner.engine.progress import Counts, Observer
    from cooperbench.runner.engine.session import SessionOptions
    from cooperbench.runner.evaluating import open_run, read_run, run_names
    from cooperbench.runner.planning.evaluation_options import EvaluationOptions, ResolverOptions
    from cooperbench.runner.planning.plan import Plan, make_plan
    from cooperbench.runner.planning.request import RunRequest
    from cooperbench.runner.result import EpisodeOutcome, RunResult
    from cooperbench.runner.running import Preview, execute, preview

_WHERE = {
    "Counts": "engine.progress",
    "EpisodeOutcome": "result",
    "EvaluationOptions": "planning.evaluation_options",
    "Executor": "engine.executor",
    "LocalExecutor": "engine.executor",
    "Observer": "engine.progress",
    "Plan": "planning.plan",
    "Preview": "running",
    "ResolverOptions": "planning.evaluation_options",
    "RunRequest": "planning.request",
    "RunResult": "result",
    "SessionOptions": "engine.session",
    "evaluate": "api",
    "execute": "running",
    "make_plan": "planning.plan",
    "open_run": "evaluating",
    "preview": "running",
    "read_run": "evaluating",
    "run": "api",
    "run_names": "evaluating",
}

__all__ = [
    "Counts",
    "EpisodeOutcome",
    "EvaluationOptions",
    "Executor",
    "LocalExecutor",
    "Observer",
    "Plan",
    "Preview",
    "ResolverOptions",
    "RunRequest",
    "RunResult",
    "SessionOptions",
    "evaluate",
    "execute",
    "make_plan",
    "open_run",
    "preview",
    "read_run",
    "run",
    "run_names",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"cooperbench.runner.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
