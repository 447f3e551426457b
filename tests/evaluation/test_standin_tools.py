"""Installing by uv, npm, pnpm and yarn is answered where it would change nothing, however the tool is started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.evaluation.installers import Node, Uv
from cooperbench.evaluation.suites import REPORTER

ANSWER = "already installed in this image; nothing to do for:"
REAL = '#!/bin/sh\necho "real ${0##*/} $* ${UV_NO_SYNC-}${UV_FROZEN-}"\n'

MODULE = """import os, sys
print("real", *sys.argv[1:], os.environ.get("UV_NO_SYNC", "") + os.environ.get("UV_FROZEN", ""))
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Tools that say that they are the real ones, and a reporter folder that may be written to."""
    shutil.copytree(REPORTER, tmp_path / "reporter")
    (tmp_path / "reporter/once.sh").chmod(0o755)  # as in a sandbox
    for name in ("npm", "pnpm", "yarn", "uv"):
        path = tmp_path / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(REAL)
        path.chmod(0o755)
    (tmp_path / "modules/uv").mkdir(parents=True)
    (tmp_path / "modules/uv/__init__.py").write_text("")
    (tmp_path / "modules/uv/__main__.py").write_text(MODULE)
    return tmp_path


def run(tools: Path, line: str, shell: str = "sh") -> str:
    """Run a line as a runner does. A link stands for the folder of the repository in a sandbox."""
    placed = (tools / "reporter/once.sh").read_text().replace("/workspace/repo/", f"{tools}/")
    (tools / "reporter/once.sh").write_text(placed)
    (tools / "runner.sh").write_text(f"{line}\n")
    setup = [f"reporter={tools / 'reporter'}", *Uv.skip, *Node.skip, f"exec {shell} {tools / 'runner.sh'}"]
    environment = {
        "PATH": f"{tools / 'tools'}:{os.environ['PATH']}",
        "PYTHONPATH": str(tools / "modules"),
        "TOOLS": str(tools / "tools"),
        "PYTHON": sys.executable,
    }
    done = subprocess.run(
        ["sh", "-ec", "\n".join(setup)], env=environment, cwd=tools, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    "line",
    [
        "uv sync --all-extras --dev",
        "uv pip install -e '.[dev]'",
        "uv -q pip install --system x",
        "uv pip sync requirements.txt",
        "uv venv",
        "npm ci",
        "pnpm --silent install",
        "yarn",
    ],
)
def test_installing_is_answered(tools: Path, line: str, shell: str) -> None:
    assert run(tools, line, shell).startswith(ANSWER)


@pytest.mark.parametrize("line", ["uv sync", "npm install"])
def test_a_folder_put_before_on_the_path_does_not_matter_to_bash(tools: Path, line: str) -> None:
    assert run(tools, f'export PATH="$TOOLS:$PATH"; {line}', "bash").startswith(ANSWER)


@pytest.mark.parametrize("arguments", ["sync", "pip install -e .", "-q sync --frozen"])
def test_a_module_is_answered(tools: Path, arguments: str) -> None:
    assert run(tools, f'"$PYTHON" -m uv {arguments}').startswith(ANSWER)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("uv run pytest -q", "real uv run pytest -q 11"),
        ("uv run --locked pytest", "real uv run --locked pytest 1"),
        ("export UV_LOCKED=1; uv run pytest", "real uv run pytest 1"),
        ('"$PYTHON" -m uv run --locked a', "real run --locked a 1"),
        ("uv pip list", "real uv pip list 11"),
        ("uv lock", "real uv lock 11"),
        ("uv --version", "real uv --version 11"),
        ("cd /; uv sync", "real uv sync 11"),
        ("npm test", "real npm test 11"),
        ('"$PYTHON" -m uv pip list', "real pip list 11"),
    ],
)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_everything_else_is_real(tools: Path, line: str, said: str, shell: str) -> None:
    assert run(tools, line, shell) == said


def test_what_bash_reads_at_its_start_is_kept(tools: Path) -> None:
    (tools / "env").write_text("ours() { echo kept; }\n")
    setup = [f"export BASH_ENV={tools / 'env'}", f"reporter={tools / 'reporter'}", *Uv.skip, *Node.skip, "bash -c ours"]
    done = subprocess.run(["sh", "-ec", "\n".join(setup)], cwd=tools, capture_output=True, text=True, check=True)
    assert done.stdout == "kept\n"
