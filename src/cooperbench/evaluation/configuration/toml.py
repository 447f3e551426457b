"""Restore test configuration in `pyproject.toml`, `Cargo.toml` and `Pipfile`."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Settings = Mapping[str, Any]

_PROGRAMS = (
    "pytest",
    "py.test",
    "python",
    "python3",
    "pip",
    "tox",
    "nox",
    "coverage",
    "uv",
    "make",
    "sh",
    "bash",
    "git",
)
DISTRIBUTIONS = frozenset(
    {"pytest", "pluggy", "iniconfig", "packaging", "pip", "setuptools", "coverage", "pytest-xdist", "tox", "nox"}
)
"""An installer would take a project of such a name for the package that runs the tests."""
_SCRIPTS = (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts"))
_KEYS = (
    ("tool", "pytest"),
    ("tool", "coverage"),
    ("tool", "tox"),
    ("tool", "nox"),
    ("tool", "poe"),
    ("tool", "pdm", "scripts"),
    ("tool", "pdm", "build"),
    ("tool", "poetry", "plugins", "pytest11"),
    ("tool", "poetry", "build"),
    ("tool", "poetry", "source"),
    ("tool", "hatch", "build", "hooks"),
    ("tool", "hatch", "metadata", "hooks"),
    ("tool", "hatch", "envs"),
    ("tool", "setuptools", "cmdclass"),
    ("tool", "setuptools-rust"),
    ("tool", "uv", "sources"),
    ("tool", "uv", "index"),
    ("project", "entry-points", "pytest11"),
    *((*table, program) for table in _SCRIPTS for program in _PROGRAMS),
    ("build-system",),
    # Of Cargo
    ("test",),
    ("profile", "test"),
    ("lib", "test"),
    ("lib", "harness"),
    ("lib", "proc-macro"),
    ("workspace", "default-members"),
    ("package", "autotests"),
    ("package", "build"),
    ("package", "links"),
    ("patch",),
    ("replace",),
    # Of Pipfile
    ("source",),
    ("scripts",),
)
_SOURCES = ("path", "file", "git", "url", "registry", "registry-index", "package", "editable", "develop")
_LONG_KEY = re.compile(rb"""(?:\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+){100}""")
"""A dotted key that nobody writes: the parser's time grows with the cube of its parts."""
_REQUIREMENT = re.compile(r"^\s*([\w.-]++).*@")


def restore_toml(base: bytes, submitted: bytes) -> bytes | None:
    """Return the file with the base's test settings, or `None` if they are the same.

    Dependencies that come from elsewhere than they did, or are new in Python and come out of files, take the whole file back. So does
    a crate that is one no more: then its tests do not run, and another crate may have its name.
    """
    if _LONG_KEY.search(submitted):
        return base
    before, after = tomllib.loads(base.decode()), tomllib.loads(submitted.decode())
    if _elsewhere(before, before) != _elsewhere(after, before) or ("package" in before and "package" not in after):
        return base
    if _protected(before) == _protected(after):
        return None
    kept = [block for name, block in _blocks(submitted.decode()) if not _is_protected(name)]
    restored = [block for name, block in _blocks(base.decode()) if _is_protected(name)]
    result = "".join(block if block.endswith("\n") else f"{block}\n" for block in kept + restored if block)
    merged = tomllib.loads(result)
    if _protected(merged) != _protected(before) or _rest(merged) != _rest(after):
        return base
    return result.encode()


def _blocks(text: str) -> list[tuple[tuple[str, ...], str]]:
    """Split a TOML file into its tables as text, each with the key of its header, which is empty before the first header."""
    blocks: list[tuple[tuple[str, ...], str]] = [((), "")]
    for line in text.splitlines(keepends=True):
        header = re.match(r"\[{1,2}([^\[\]]+)\]{1,2}\s*(#.*)?$", line.strip())
        if header:
            blocks.append((tuple(part.strip(" \t\"'") for part in header.group(1).split(".")), line))
        else:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks


def _is_protected(name: tuple[str, ...]) -> bool:
    return any(name[: len(key)] == key for key in _KEYS)


def _protected(settings: Settings) -> list[object]:
    name = str(_look_up(settings, ("project", "name"))).lower()
    return [name if name in DISTRIBUTIONS else "", *(_look_up(settings, key) for key in _KEYS)]


def _look_up(settings: Settings, key: tuple[str, ...]) -> object:
    value: object = settings
    for part in key:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _elsewhere(settings: Settings, base: Settings) -> list[str]:
    """List the dependencies that come out of files, repositories or other servers.

    In Cargo new ones may: crates of a workspace name each other so. Dependencies that the base has may not change their source.
    """
    known = {name for name, _ in _dependencies(base)}
    cargo = "package" in settings or "workspace" in settings
    found = []
    for name, value in _dependencies(settings):
        source = value if isinstance(value, str) else {key: value[key] for key in _SOURCES if key in value}
        if source and (not cargo or name in known):
            found.append(f"{name} {source}")
    return sorted(found)


def _dependencies(settings: Settings, *path: str) -> Iterator[tuple[str, str | Mapping[str, Any]]]:
    """Yield every dependency as (name, table), and those of Python that name an address as (name, text)."""
    for key, value in settings.items():
        here = (*path, key)
        if "dependencies" in key or key in ("packages", "dev-packages", "dependency-groups"):
            yield from _entries(value)
        elif isinstance(value, Mapping) and here != ("tool", "setuptools"):
            yield from _dependencies(value, *here)


def _entries(value: object) -> Iterator[tuple[str, str | Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if isinstance(entry, Mapping):
                yield name, entry
            elif isinstance(entry, list):
                yield from _entries(entry)
            else:
                yield name, {}
    elif isinstance(value, list):
        for entry in value:
            found = _REQUIREMENT.match(entry) if isinstance(entry, str) else None
            if found is not None:
                yield found.group(1), str(entry)


def _rest(settings: Settings) -> str:
    """Return everything that is not protected, without tables that became empty, in a form that can be compared."""

    def without(value: object, path: tuple[str, ...]) -> object:
        if not isinstance(value, Mapping):
            return value
        items = {k: without(v, (*path, k)) for k, v in value.items() if (*path, k) not in _KEYS}
        return {k: v for k, v in items.items() if v != {}}

    return json.dumps(without(settings, ()), sort_keys=True, default=str)
