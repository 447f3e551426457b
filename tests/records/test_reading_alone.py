"""An analysis, a viewer or a second terminal reads a run without loading what makes one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import atexit, json, sys

def show():
    print(json.dumps([name for name in sys.modules if name.startswith("cooperbench.")]), file=sys.stderr)

atexit.register(show)
"""
READ = "from cooperbench.runner import read_run; print(len(read_run('pairs').episodes))"
COMMAND = "import sys; sys.argv = {argv!r}; from cooperbench.cli.main import main; main()"


LOGS = Path(__file__).parent / "fixtures" / "logs"


def loaded(script: str) -> set[str]:
    """Modules of other rooms that the script loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED + script],
        env={"COOPERBENCH_LOG_DIR": str(LOGS), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    return {
        name
        for name in modules
        if name.split(".")[1] not in ("cli", "records", "errors", "_installation", "_interrupts")
    }


def test_read_run_loads_the_package_of_the_runner_and_nothing_in_it() -> None:
    assert loaded(READ) == {"cooperbench.runner"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "--json"],
        ["show", "pairs"],
        ["show", "pairs", "--json"],
        ["show", "pairs", "parts_task/1/f1_f2"],
        ["watch", "pairs"],
    ],
    ids=" ".join,
)
def test_looking_at_runs_loads_no_other_room(words: list[str]) -> None:
    assert loaded(COMMAND.format(argv=["cooperbench", "runs", *words])) == set()


def test_exporting_trajectories_loads_no_other_room(tmp_path: Path) -> None:
    words = ["cooperbench", "runs", "export", "pairs", str(tmp_path / "atif"), "--format", "atif"]
    assert loaded(COMMAND.format(argv=words)) == set()
