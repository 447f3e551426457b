"""Take the paths of this machine out of what is recorded: records are shared, and say nothing about whoever made them."""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_ABSOLUTE = re.compile(r"(?<![\w./~:-])/(?:[\w.+@%-]+/)+[\w.+@%-]+")
_SCRIPT = re.compile(r"\b((?:scripted|replay)/)/(?:[^\s\"'/]+/)*")
"""The folder in the name of a model that is a file."""
_SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr", "var"})
"""Folders that every machine has, and images too."""
_KEPT = 2
"""Components that are left of a path whose place nobody else knows."""


def without_host_paths(text: str) -> str:
    """Return `text` with the paths of this machine in a form that any machine may have.

    Files that can be imported get the path of their module, files below the current folder a relative one, others in the home
    folder begin with `~`; of any other path the last parts are left. Paths of sandboxes and of the system stay.
    """
    text = _SCRIPT.sub(r"\1", text)
    for folder, shown in sorted(_folders(), key=lambda item: -len(item[0])):
        text = re.sub(rf"(?<![\w./~-]){re.escape(folder)}(?:/|(?![\w.-]))", shown, text)
    return _ABSOLUTE.sub(_shortened, text)


def code_path(file: str) -> str:
    """Return the path of a source file as its module is found, such as `my_agent/adapter.py`."""
    return without_host_paths(file).removeprefix("./")


def recorded_model(name: str) -> str:
    """Return the name of a model with a file of this machine, such as a script, by that file's name alone."""
    return _SCRIPT.sub(r"\1", name)


def recorded_value(value: Any) -> Any:
    """Return a value of a configuration with the files of this machine in it by their names alone.

    The name is the same from whichever folder a run is resumed.
    """
    if isinstance(value, dict):
        return {key: recorded_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [recorded_value(each) for each in value]
    if not isinstance(value, str) or not _ABSOLUTE.fullmatch(value) or value.split("/")[1] in _SYSTEM:
        return value
    return Path(value).name if Path(value).exists() else value


def without_python_paths(text: str) -> str:
    """Return what ran in a sandbox that shares this machine's Python without the folder that it lies in."""
    for folder in {sys.prefix, sys.base_prefix} - {"/"}:
        if folder.split("/")[1] not in _SYSTEM:
            text = text.replace(f"{folder}/", "python/")
    return text


def _shortened(found: "re.Match[str]") -> str:
    _, first, second, *rest = found.group().split("/")
    if first in _SYSTEM or not rest or not Path("/", first, second).exists():
        return found.group()
    return "/".join(["…", *rest[-_KEPT:]])


def _folders() -> Iterator[tuple[str, str]]:
    """Yield folders, and what takes their place."""
    here = None
    with suppress(OSError):  # removed, maybe by an agent
        here = str(Path.cwd())
        if here != "/":
            yield here, "./"
    for folder in {sys.prefix, sys.base_prefix}:
        if folder.split("/")[1] not in _SYSTEM:
            yield folder, "python/"
    with suppress(RuntimeError):
        yield str(Path.home()), "~/"
    for folder in {folder for folder in sys.path if folder.startswith("/") and folder not in ("/", here)}:
        yield folder, ""
