"""An analysis, a viewer or a second terminal reads a run without loading what makes one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench import run

LOADED = """
import atexit, json, sys

def show():
    print(json.dumps([name for name in sys.modules if name.startswith("cooperbench.")]), file=sys.stderr)

atexit.register(show)
"""
READ = "from cooperbench.runner import read_run; print(len(read_run('one').episodes))"
COMMAND = "import sys; sys.argv = {argv!r}; from cooperbench.cli.main import main; main()"


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log_dir = tmp_path_factory.mktemp("logs")
    run("one", agent="nop", subset="demo", repo="shelfdb", features=(1, 2), log_dir=log_dir, auto_eval=False)
    return log_dir


def loaded(script: str, log_dir: Path) -> set[str]:
    """Modules of other rooms that the script loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED + script],
        env={"COOPERBENCH_LOG_DIR": str(log_dir), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    return {name for name in modules if name.split(".")[1] not in ("cli", "records", "errors")}


def test_read_run_loads_the_package_of_the_runner_and_nothing_in_it(finished_run: Path) -> None:
    assert loaded(READ, finished_run) == {"cooperbench.runner"}


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "--json"],
        ["show", "one"],
        ["show", "one", "--json"],
        ["show", "one", "shelfdb_task/1/f1_f2"],
        ["watch", "one"],
    ],
    ids=" ".join,
)
def test_looking_at_runs_loads_no_other_room(finished_run: Path, words: list[str]) -> None:
    assert loaded(COMMAND.format(argv=["cooperbench", "runs", *words]), finished_run) == set()


def test_exporting_trajectories_loads_no_other_room(finished_run: Path, tmp_path: Path) -> None:
    words = ["cooperbench", "runs", "export", "one", str(tmp_path / "atif"), "--format", "atif"]
    assert loaded(COMMAND.format(argv=words), finished_run) == set()
