import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
