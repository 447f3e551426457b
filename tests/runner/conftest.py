import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cooperbench.runner import RunResult, read_run, run

HERE = Path(__file__).parent

CommandLine = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with the tests' own agents; returns the log directory."""
    monkeypatch.setenv("COOPERBENCH_EXTERNAL_AGENTS", "team_of_tests")
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def finished(surroundings: Path, finished_runs: Path) -> Callable[..., RunResult]:
    """Give a finished run of a pair of shelfdb. It is made once for the same arguments and copied: tests may damage theirs."""

    def give(name: str, agent: str, log_dir: Path = surroundings, **more: Any) -> RunResult:
        arguments: dict[str, Any] = {"subset": "demo", "repo": "shelfdb", "features": (1, 2), "auto_eval": False} | more
        kept = finished_runs / hashlib.sha256(repr((name, agent, sorted(arguments.items()))).encode()).hexdigest()
        if not kept.exists():
            run(name, agent, "none", log_dir=kept, **arguments)
        shutil.copytree(kept, log_dir, dirs_exist_ok=True)
        return read_run(name, log_dir)

    return give


@pytest.fixture
def cooperbench(surroundings: Path) -> CommandLine:
    """Starts the command line as a user does."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cooperbench.cli.main", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ),
        )

    return start
