"""When a runner's installation step can be left out: where it was seen to change nothing, and the submission cannot change that.

Most runners install the package again before they test, from the network, although the image has it installed in editable
mode: on two real tasks this was 1.9 of 2.5 seconds of a suite. For each image the evaluator lets the runner install once and compares
everything that is installed, file by file, before and after. Where nothing changed, and a submission touches nothing that an
installation reads, `pip install` is answered by "already installed".
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from cooperbench.evaluation.git import ABSENT, GitStore, TreeEntry

_INPUTS = re.compile(
    r"^(pyproject\.toml|setup\.(py|cfg)|MANIFEST(\.in)?|.*requirements.*\.(txt|in)|constraints.*\.txt|.*\.lock|Pipfile"
    r"|hatch\.toml|flit\.ini|meson\.build|CMakeLists\.txt|build\.py|VERSION(\.txt)?|_?version\.py|__about__\.py"
    r"|.*\.(pyx|pxd|pxi|c|cc|cpp|cxx|h|hpp|rs|f|f90|so|pyd|toml))$"
)
_VERSION = re.compile(rb"^[+-].*(__version__|VERSION)", re.MULTILINE)


def runner_installs(runner: bytes) -> bool:
    """Whether a `runner.sh` installs with pip."""
    return re.search(rb"^[^#\n]*\bpip3?\s+install\b", runner, re.MULTILINE) is not None


def reads_of_installation(store: GitStore, base: str, tree: str) -> list[str]:
    """The changed paths that an installation could read; empty when it would give what is there already."""
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


def changed_files(before: bytes, after: bytes) -> Sequence[str]:
    """The lines in which two fingerprints differ."""
    differing = set(before.splitlines()) ^ set(after.splitlines())
    return sorted({line.split(b" ", 1)[-1].decode("utf-8", "replace") for line in differing})
