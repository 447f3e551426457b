"""Runs in the sandbox in which an image is set up: installs the repository's build requirements, as pip does for each build.

These are what `pyproject.toml` names (setuptools without one), then what the build backend itself requests: setuptools before
70.1 requests wheel, hatchling requests editables. Later builds in the image find them without a network.
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
"""The defaults where `pyproject.toml` does not say (PEP 517)."""


def main() -> None:
    """Install the requirements of the repository in the working directory, if it is a Python project."""
    file = Path("pyproject.toml")
    project = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not Path("setup.py").exists() and not {"build-system", "project"} & project.keys():
        return
    system = LEGACY | project.get("build-system", {})
    install(system["requires"])
    install(asked_for(system["build-backend"], system.get("backend-path", ())))


def install(requirements: list[str]) -> None:
    """Install with this environment's pip."""
    if requirements:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *requirements], check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)


def asked_for(backend: str, places: list[str]) -> list[str]:
    """Return what the backend's hooks request. They run on a copy, because some write into the repository."""
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
        except (Exception, SystemExit) as error:  # third-party code: if it matters, the setup commands fail as well
            print(f"cannot ask {backend} what it needs: {error}")
            return []


if __name__ == "__main__":
    main()
