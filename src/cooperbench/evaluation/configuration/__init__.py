"""Restore test configuration and unit tests inside files that also hold other things.

`pyproject.toml`, `setup.cfg`, `package.json`, `go.mod`, `Cargo.toml`, requirements and lock files mix what a feature may need to change
(dependencies, metadata) with what decides how tests are found, run and installed. The parts of the second kind get the base's text back.
The result is read again, by the rules of the tool that reads it; if it is not exactly what was intended, the base's whole file is taken.
A file that was deleted comes back with these parts. The same goes for Rust sources that bring an `assert_eq!` of their own, since unit
tests in the same file would use it.
"""

import configparser
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from cooperbench.evaluation.configuration.go_mod import restore_go_mod
from cooperbench.evaluation.configuration.ini import restore_ini
from cooperbench.evaluation.configuration.package_json import restore_package_json
from cooperbench.evaluation.configuration.pnpm_workspace import restore_pnpm_workspace
from cooperbench.evaluation.configuration.requirements import restore_lock, restore_requirements
from cooperbench.evaluation.configuration.rust import holds_unit_tests, restore_rust, restore_unit_tests
from cooperbench.evaluation.configuration.toml import restore_toml

__all__ = ["holds_unit_tests", "is_mixed", "restore_sections", "restore_unit_tests"]

_REQUIREMENTS = re.compile(r"(requirements|constraints).*\.(txt|in)$")
_RESTORERS: dict[str, Callable[[bytes, bytes], bytes | None]] = {
    "pyproject.toml": restore_toml,
    "Cargo.toml": restore_toml,
    "Pipfile": restore_toml,
    "setup.cfg": restore_ini,
    "package.json": restore_package_json,
    "go.mod": restore_go_mod,
    "pnpm-workspace.yaml": restore_pnpm_workspace,
    "package-lock.json": restore_lock,
    "npm-shrinkwrap.json": restore_lock,
    "yarn.lock": restore_lock,
    "pnpm-lock.yaml": restore_lock,
    "poetry.lock": restore_lock,
    "uv.lock": restore_lock,
    "pdm.lock": restore_lock,
    "Pipfile.lock": restore_lock,
}
_WHOLE = ("package.json", "Cargo.toml", "go.mod")
"""Without their other sections these are not valid: if they were deleted, the whole file comes back."""


def is_mixed(path: str) -> bool:
    """Tell whether a file can hold test configuration beside other things."""
    return _restorer(path) is not None


def _restorer(path: str) -> Callable[[bytes, bytes], bytes | None] | None:
    name = PurePosixPath(path).name
    if path.endswith(".rs"):
        return restore_rust
    return restore_requirements if _REQUIREMENTS.search(name) else _RESTORERS.get(name)


def restore_sections(path: str, base: bytes | None, submitted: bytes | None) -> bytes | None:
    """Return the file with the base's test configuration, or `None` if the submission did not touch that.

    `base` is `None` for a new file, `submitted` for a deleted one. Files of other kinds are never changed.
    """
    restore = _restorer(path)
    if restore is None:
        return None
    before = base or b""
    try:
        if submitted is None:
            kept = restore(before, b"{}" if path.endswith(".json") else b"")
            return kept and (before if PurePosixPath(path).name in _WHOLE else kept)
        return restore(before, submitted)
    except (ValueError, configparser.Error, RecursionError):  # tables and lists of any depth can be written
        return before
