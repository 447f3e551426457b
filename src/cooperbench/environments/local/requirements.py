"""Runs in the sandbox in which an image is set up: installs what the repository is built with, as pip does for each build.

That is what `pyproject.toml` names (without one, setuptools), then what the build backend asks for by itself: setuptools
before 70.1 asks for wheel, hatchling for editables. Later builds in the image find it there, without a network.
"""

import contextlib
import functools
import importlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HOOKS = ("get_requires_for_build_wheel", "get_requires_for_build_editable")
LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
"""What holds where `pyproject.toml` says nothing of it (PEP 517)."""


def main() -> None:
    """Install for the repository in the working directory, if it is a Python project."""
    file = Path("pyproject.toml")
    project = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not Path("setup.py").exists() and not {"build-system", "project"} & project.keys():
        return
    system = LEGACY | project.get("build-system", {})
    install(system["requires"])
    install(asked_for(system["build-backend"], system.get("backend-path", ())))


def install(requirements: list[str]) -> None:
    """With this environment's pip."""
    if requirements:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *requirements], check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)


def asked_for(backend: str, places: list[str]) -> list[str]:
    """What the backend's hooks answer. They run on a copy, for some write into the repository."""
    importlib.invalidate_caches()
    module, _, hooks_in = backend.partition(":")
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        copy = Path(scratch) / "repo"
        shutil.copytree(".", copy, symlinks=True)
        sys.path[:0] = [str(copy / place) for place in places]
        try:
            with contextlib.chdir(copy):
                found = functools.reduce(getattr, filter(None, hooks_in.split(".")), importlib.import_module(module))
                return sorted({need for hook in HOOKS if hasattr(found, hook) for need in getattr(found, hook)()})
        except (Exception, SystemExit) as error:  # third-party code: where it matters, the set-up commands say so too
            print(f"cannot ask {backend} what it needs: {error}")
            return []


if __name__ == "__main__":
    main()
