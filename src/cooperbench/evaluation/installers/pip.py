"""pip. What it installs in editable mode depends on packaging files, compiled sources, the version, and which packages there are."""

import re
from pathlib import PurePosixPath

from cooperbench.evaluation.git import ABSENT, GitStore, TreeEntry
from cooperbench.evaluation.installers.installer import Installer

_INPUTS = re.compile(
    r"^(pyproject\.toml|setup\.(py|cfg)|MANIFEST(\.in)?|.*requirements.*\.(txt|in)|constraints.*\.txt|.*\.lock|Pipfile"
    r"|hatch\.toml|flit\.ini|meson\.build|CMakeLists\.txt|build\.py|VERSION(\.txt)?|_?version\.py|__about__\.py"
    r"|.*\.(pyx|pxd|pxi|c|cc|cpp|cxx|h|hpp|rs|f|f90|so|pyd|toml))$"
)
_VERSION = re.compile(rb"^[+-].*(__version__|VERSION)", re.MULTILINE)


class Pip(Installer):
    """pip, also as `python -m pip`."""

    calls = re.compile(rb"^[^#\n]*\bpip3?\s+install\b", re.MULTILINE)
    fingerprint = "$(command -v python || command -v python3) -I $guard/fingerprint.py"
    skip = ('export PYTHONPATH="$guard/once${PYTHONPATH:+:$PYTHONPATH}"',)

    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """Changed packaging files, compiled sources, new packages, and the version."""
        changes = store.changes(base, tree)
        paths = [change.path for change in changes if _is_input(store, base, change)]
        python = [change for change in changes if change.path.endswith(".py") and not change.deleted]
        if python and _VERSION.search(store.diff(base, tree)):
            paths.append("the version")
        return paths


def _is_input(store: GitStore, base: str, change: TreeEntry) -> bool:
    path = PurePosixPath(change.path)
    if _INPUTS.match(path.name):
        return True
    if change.old_mode != ABSENT[0]:
        return False
    # An editable installation may list the packages that it found: a new one at the top would be missing in it.
    at_the_top = len(path.parts) - (path.parts[0] in ("src", "lib")) == 1 and path.suffix == ".py"
    return at_the_top or not store.has(base, str(path.parent))
