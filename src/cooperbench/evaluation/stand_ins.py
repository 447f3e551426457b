"""Find new Python modules that are called like one of the standard library or of the image, where Python looks first.

`python -m pytest` puts the root of the repository before everything else, and configuration adds other folders. A module of such a name
is imported instead of the real one by pytest itself, before any reporter.
"""

import re
import sys
from collections.abc import Callable
from pathlib import PurePosixPath

from cooperbench.evaluation.reasons import Reason
from cooperbench.records import DropRule, Record

_MODULE = re.compile(r"^(?P<name>\w+)(\.[\w-]+)*\.(py|py[cod]|so)$")
_FOLDERS = ("", "src", "lib", "python", "test", "tests")
"""Where Python may look first, whatever the image says, unless it is a package itself."""
_TEST_RUNNERS = frozenset(
    {
        *(
            "pytest",
            "_pytest",
            "py",
            "pluggy",
            "iniconfig",
            "packaging",
            "exceptiongroup",
            "tomli",
            "colorama",
            "pygments",
        ),
        *("attr", "attrs", "xdist", "execnet", "coverage", "pip", "setuptools", "pkg_resources", "_distutils_hack"),
        *("typing_extensions", "importlib_metadata", "sitecustomize", "usercustomize"),
    }
)
STANDARD_LIBRARY = frozenset(sys.stdlib_module_names)


class ImageModules(Record):
    """The importable modules of an image."""

    names: tuple[str, ...] = ()
    """Modules outside of the repository."""
    folders: tuple[str, ...] = ()
    """Folders of the repository where Python looks for modules."""


Modules = Callable[[], ImageModules]


def stand_in(
    path: str, *, is_link: bool, in_base: Callable[[str], bool], in_work: Callable[[str], bool], modules: Modules
) -> Reason | None:
    """Return why a changed file is left out if it belongs to such a module, or `None`.

    `in_base` and `in_work` tell whether the base and the submission have a path. `modules` is asked only about new modules at a
    place where Python may look, or of a name that matters.
    """
    parts = PurePosixPath(path).parts
    for position in range(len(parts)):
        name = _module_name(parts, position, is_link, in_work)
        folder = "/".join(parts[:position])
        if name is None or in_base(stem := f"{folder}/{name}".lstrip("/")) or in_base(f"{stem}.py"):
            continue
        known = name in STANDARD_LIBRARY or name in _TEST_RUNNERS
        if folder in _FOLDERS and not (folder and in_base(f"{folder}/__init__.py")):
            stands_in = known or name in modules().names
        else:
            stands_in = known and folder in modules().folders
        if stands_in:
            return Reason(DropRule.STAND_IN, f"stands in for the module {name}")
    return None


def _module_name(parts: tuple[str, ...], position: int, is_link: bool, in_work: Callable[[str], bool]) -> str | None:
    """Return the name of the module that a path stands for at one of its parts: a file or link, or a package further up."""
    entry = parts[position]
    if position < len(parts) - 1:
        place = "/".join(parts[: position + 1])
        return entry if any(in_work(f"{place}/__init__.{suffix}") for suffix in ("py", "pyc", "so")) else None
    if is_link:
        return entry.split(".")[0]
    found = _MODULE.match(entry)
    return found["name"] if found is not None else None
