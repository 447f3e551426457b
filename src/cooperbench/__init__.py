"""CooperBench measures how well AI coding agents work as teammates.

The public Python API. Names are resolved on first use, so that `import cooperbench` costs nothing.
"""

TYPE_CHECKING = False  # as type checkers take it; importing `typing` for it would be half of the time this module takes
if TYPE_CHECKING:
    from typing import Any

    __version__: str
    from cooperbench.errors import CooperBenchError
    from cooperbench.runner import RunResult, evaluate, read_run, read_runs, run, run_experiment
    from cooperbench.tasks import discover_tasks

_WHERE = {
    "CooperBenchError": "cooperbench.errors",
    "RunResult": "cooperbench.runner",
    "discover_tasks": "cooperbench.tasks",
    "evaluate": "cooperbench.runner",
    "read_run": "cooperbench.runner",
    "read_runs": "cooperbench.runner",
    "run": "cooperbench.runner",
    "run_experiment": "cooperbench.runner",
}

__all__ = [
    "CooperBenchError",
    "RunResult",
    "__version__",
    "discover_tasks",
    "evaluate",
    "read_run",
    "read_runs",
    "run",
    "run_experiment",
]


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        from importlib.metadata import version  # 20 ms, which `--help` need not pay

        return version("cooperbench")
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
