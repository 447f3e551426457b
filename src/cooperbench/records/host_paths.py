"""Take the paths of this machine out of what is recorded: records are shared, and say nothing about whoever made them."""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ABSOLUTE = re.compile(r"(?<![\w./~:-])/(?:[\w.+@%-]+/)+[\w.+@%-]+")
_SYSTEM = frozenset({"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr", "var"})
"""Folders that every machine has, and images too."""
_KEPT = 2
"""Components that are left of a path whose place nobody else knows."""


def without_host_paths(text: str) -> str:
    """Return `text` with the paths of this machine in a form that any machine may have.

    Files that can be imported get the path of their module, files below the current folder a relative one, others in the home
    folder begin with `~`; of any other path the last parts are left. Paths of sandboxes and of the system stay.
    """
    for folder, shown in sorted(_folders(), key=lambda item: -len(item[0])):
        text = re.sub(rf"(?<![\w./~-]){re.escape(folder)}(?:/|(?![\w.-]))", shown, text)
    return _ABSOLUTE.sub(_shortened, text)


def code_path(file: str) -> str:
    """Return the path of a source file as its module is found, such as `my_agent/adapter.py`."""
    return without_host_paths(file).removeprefix("./")


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
        yield folder, "python/"
    with suppress(RuntimeError):
        yield str(Path.home()), "~/"
    for folder in {folder for folder in sys.path if folder.startswith("/") and folder not in ("/", here)}:
        yield folder, ""
