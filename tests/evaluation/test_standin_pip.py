"""`pip install` is answered where it would change nothing, however pip starts itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.evaluation.installers import Pip
from cooperbench.evaluation.suites import REPORTER
from tests.needs import PIP

ANSWER = "already installed in this image; nothing to do for: pip "
LAST_MINORS = {
    21: "0.1 1.3 2.4 3.1",
    22: "0.4 1.2 2.2 3.1",
    23: "0.1 1.2 2.1 3.2",
    24: "0 1.2 2 3.1",
    25: "0.1 1.1 2 3",
    26: "0.1 1.2 2.1 3",
}
VERSIONS = [f"{major}.{rest}" for major, minors in LAST_MINORS.items() for rest in minors.split(" ")]
"""The last of each minor version since 21."""
IN_EVERY_RUN = ("21.0.1", "23.3.2", "26.3")
"""The oldest, one that most images have, and the newest; `--extensive` tries all."""


def shell(command: str, folder: Path) -> str:
    """Run a line as a runner does, with the stand-in and the programs in `folder`."""
    lines = [f"reporter={REPORTER}", *Pip.skip, command]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(["sh", "-ec", "\n".join(lines)], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """Programs called pip that import nothing of pip, and a package that can be started."""
    says = 'import os, sys\nprint("real", *sys.argv[1:], os.environ.get("COOPERBENCH_INSTALLED", "-"), flush=True)\n'
    for name in ("pip", "pip3", "pip3.12", "piper"):
        (tmp_path / name).write_text(f"#!{sys.executable}\n{says}")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "pip.pyz").write_text(says)
    (tmp_path / "python").symlink_to(sys.executable)
    (tmp_path / "modules/pip").mkdir(parents=True)
    (tmp_path / "modules/pip/__init__.py").write_text("")
    (tmp_path / "modules/pip/__main__.py").write_text(says)
    return tmp_path


@pytest.mark.parametrize(
    "start",
    ["pip", "pip3", "pip3.12", "python pip", "python pip.pyz", "python -m pip", "python -Bsm pip", "python -mpip"],
)
def test_installing_is_answered(bin_folder: Path, start: str) -> None:
    assert shell(f"{start} -q install -e '.[dev]'", bin_folder) == f"{ANSWER}-q install -e .[dev]"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pip list", "real list -"),
        ("pip help install", "real help install -"),
        ("pip wheel install", "real wheel install -"),
        ("piper install x", "real install x pip"),
        ("python -c 'import sys; print(sys.argv[1:])' pip install", "['pip', 'install']"),
        ("python -W ignore piper -m pip install", "real -m pip install pip"),
    ],
)
def test_everything_else_is_real(bin_folder: Path, command: str, said: str) -> None:
    assert shell(command, bin_folder) == said


def test_a_real_pip_installs_what_it_needs_itself(bin_folder: Path) -> None:
    """pip starts itself again to fill the environments that it builds in."""
    (bin_folder / "pip").write_text(
        f"#!{sys.executable}\nimport os, subprocess, sys\n"
        'print(sys.argv[1], flush=True)\nsys.argv[1] == "wheel" and subprocess.run([sys.executable, sys.argv[0], "install"])\n'
    )
    assert shell("pip wheel .", bin_folder).split() == ["wheel", "install"]


@pytest.mark.slow
@pytest.mark.needs("package index")
@pytest.mark.parametrize(
    "version",
    [pytest.param(each, marks=() if each in IN_EVERY_RUN else pytest.mark.extensive) for each in VERSIONS],
)
def test_each_pip_is_answered(tmp_path: Path, version: str) -> None:
    install = [*PIP, "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    subprocess.run([*install, "--target", str(tmp_path), f"pip=={version}"], check=True)
    path = f"PYTHONPATH=$PYTHONPATH:{tmp_path}"
    answer = f"{ANSWER}install x"
    assert shell(f"{path} {tmp_path}/bin/pip install x", tmp_path) == answer
    assert shell(f"{path} {sys.executable} -m pip install x", tmp_path) == answer
    assert version in shell(f"{path} {sys.executable} {tmp_path}/bin/pip --version", tmp_path)
