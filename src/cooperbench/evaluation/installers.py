"""Skip a runner's installation step where it was seen to change nothing, and the submission cannot change that.

Most runners install again before they test, from the network, although the image has everything installed: on two real Python
tasks this was 1.9 of 2.5 seconds of a suite. For each image the evaluator lets the runner install once and compares
everything that is installed, file by file, before and after. Where nothing changed, and a submission touches nothing that an
installation reads, the installer is answered with "already installed".
"""

import posixpath
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import ClassVar

from cooperbench.evaluation.git import ABSENT, GitStore, TreeEntry
from cooperbench.evaluation.test_runners import PYTHON_REPORTER


class Installer(ABC):
    """One family of tools. The shell lines may use `$reporter`, the folder of the evaluator's files in the sandbox."""

    calls: ClassVar[re.Pattern[bytes]]
    """Finds a call in a `runner.sh`."""
    fingerprint: ClassVar[str]
    """A shell command that prints a line for each installed file: its digest, a space, its path."""
    skip: ClassVar[Sequence[str]]
    """Shell lines after which the tool answers "already installed"."""

    @abstractmethod
    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """List what changed from `base` to `tree` and an installation could read. If empty, installing again changes nothing."""


def _stand_before(*tools: str) -> tuple[str, ...]:
    """Return shell lines that put `reporter/once.sh` before these tools, however a runner changes its PATH afterwards."""
    return (
        "mkdir -p $reporter/once",
        *(f"cp $reporter/once.sh $reporter/once/{tool}" for tool in tools),
        "cp $reporter/once.bash $reporter/once/env.bash",
        'export PATH="$reporter/once:$PATH"',
        '[ "${BASH_ENV-}" = "$reporter/once/env.bash" ] || export COOPERBENCH_BASH_ENV="${BASH_ENV-}"',
        'export BASH_ENV="$reporter/once/env.bash"',
    )


_PIP_INPUTS = re.compile(
    r"^(pyproject\.toml|setup\.(py|cfg)|MANIFEST(\.in)?|.*\.(txt|in)|.*\.lock|Pipfile"
    r"|hatch\.toml|flit\.ini|meson\.build|build\.py|VERSION|_?version\.py|__about__\.py"
    r"|.*\.(pyx|pxd|pxi|c|cc|cpp|cxx|h|hpp|rs|f|f90|so|pyd|toml))$"
)
_VERSION = re.compile(rb"^[+-].*(__version__|VERSION)", re.MULTILINE)


class Pip(Installer):
    """pip, also as `python -m pip`."""

    calls = re.compile(rb"^[^#\n]*\bpip3?\s+install\b", re.MULTILINE)
    fingerprint = "$(command -v python || command -v python3) -I $reporter/fingerprint.py"
    skip: ClassVar[Sequence[str]] = (*PYTHON_REPORTER, "export COOPERBENCH_INSTALLED=pip")

    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """List changed packaging files, compiled sources, new packages, and the version."""
        changes = store.changes(base, tree)
        paths = [change.path for change in changes if _is_input(store, base, change)]
        python = [change for change in changes if change.path.endswith(".py") and not change.deleted]
        if python and _VERSION.search(store.diff(base, tree)):
            paths.append("the version")
        return paths


def _is_input(store: GitStore, base: str, change: TreeEntry) -> bool:
    path = PurePosixPath(change.path)
    if _PIP_INPUTS.match(path.name):
        return True
    if change.old_mode != ABSENT[0]:
        return False
    # An editable installation may list the packages that it found: a new one at the top would be missing in it.
    at_the_top = len(path.parts) - (path.parts[0] in ("src", "lib")) == 1 and path.suffix == ".py"
    return at_the_top or not store.has(base, str(path.parent))


class Uv(Pip):
    """uv, also as `python -m uv`. `uv run` would install what the project needs before it runs anything."""

    calls = re.compile(rb"^[^#\n]*\buv\s+(?:-\S+\s+)*(?:pip\s+(?:install|sync)|sync|run|venv)\b", re.MULTILINE)
    # The interpreter on PATH, and those of the virtual environments in the repository.
    fingerprint = (
        "for each in $(command -v python || command -v python3)"
        " $(find /workspace/repo -maxdepth 3 -name pyvenv.cfg | sed 's|pyvenv.cfg$|bin/python|'); do"
        ' [ ! -x "$each" ] || "$each" -I $reporter/fingerprint.py || exit; done'
    )
    skip = (
        *PYTHON_REPORTER,
        *_stand_before("uv"),
        "export COOPERBENCH_UV_INSTALLED=uv UV_NO_SYNC=1 UV_FROZEN=1",
    )


_NODE_INPUTS = re.compile(
    r"^(package\.json|package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|pnpm-workspace\.yaml|\.pnpmfile\.c?js|yarn\.lock"
    r"|\.npmrc|\.yarnrc(\.yml)?|lerna\.json|\.nvmrc|\.node-version|\.tool-versions|binding\.gyp|\.pnp\.\w+|.*\.(patch|tgz))$"
)
_OWN_SCRIPTS = '"(preinstall|install|postinstall|preprepare|prepare|postprepare|prepublish)"[[:space:]]*:'
_FOLDER_PACKAGE = ':[[:space:]]*"file:'
# Hooks for commits, which no test needs.
_HARMLESS = re.compile(rb':\s*"(is-ci \|\| )?husky( install)?( [\w./-]+)?( \|\| (true|exit 0))?"')


class Node(Installer):
    """npm, pnpm, yarn."""

    calls = re.compile(
        rb"^[^#\n]*\b(?:npm|pnpm|yarn)\s+(?:-\S+\s+)*(?:install|i|ci|add)\b|^[^#\n]*\byarn\s*(?:--?\S+\s*)*$",
        re.MULTILINE,
    )
    # Without the reporters, which would take this for a test runner's process.
    fingerprint = "env -u NODE_OPTIONS node $reporter/fingerprint.cjs"
    skip = _stand_before("npm", "pnpm", "yarn")

    def reads(self, store: GitStore, base: str, tree: str) -> list[str]:
        """List changed manifests, lock files and packages in folders, or everything that changed if scripts of the repository take part."""
        changed = [change.path for change in store.changes(base, tree)]
        found = store.run("grep", "-h", "-E", "-e", _OWN_SCRIPTS, base, "--", "*package.json")
        if any(not _HARMLESS.search(line) for line in found.stdout.splitlines()):
            return changed
        folders = (".yarn", *_packages_in_folders(store, base))
        return [
            path
            for path in changed
            if _NODE_INPUTS.match(PurePosixPath(path).name)
            or any(folder == "." or path.startswith(f"{folder}/") for folder in folders)
        ]


def _packages_in_folders(store: GitStore, base: str) -> list[str]:
    """List the folders that manifests name as dependencies, which some versions of npm, pnpm and yarn copy."""
    found = store.run("grep", "-z", "-E", "-e", _FOLDER_PACKAGE, base, "--", "*package.json")
    folders = []
    for place, line in re.findall(rb"([^\0\n]+)\0([^\n]*)", found.stdout):
        manifest = place.partition(b":")[2].decode("utf-8", "replace")
        for named in re.findall(r'"file:([^"]*)"', line.decode("utf-8", "replace")):
            path = posixpath.join("/workspace/repo", posixpath.dirname(manifest), named)
            folders.append(posixpath.relpath(path, "/workspace/repo"))
    return folders


_DEPENDENCIES = re.compile(
    r"^(pyproject\.toml|setup\.(py|cfg)|.*\.(txt|in|lock|lockb|gradle|gradle\.kts)|Pipfile|environment\.ya?ml|tox\.ini|noxfile\.py"
    r"|package\.json|package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|pnpm-workspace\.yaml|deno\.jsonc?"
    r"|go\.(mod|sum|work)|Cargo\.toml|pom\.xml|.*\.versions\.toml|gradle\.properties|Gemfile|composer\.json)$"
)


def changed_dependencies(store: GitStore, base: str, tree: str) -> list[str]:
    """List the changed files that name dependencies for any tool: with other ones, tests may need the network."""
    changed = (change.path for change in store.changes(base, tree))
    return [path for path in changed if _DEPENDENCIES.match(PurePosixPath(path).name)]


INSTALLERS: tuple[Installer, ...] = (Pip(), Uv(), Node())


def installers_of(runner: bytes) -> Sequence[Installer]:
    """List the installers that a `runner.sh` calls."""
    text = re.sub(rb"(?m)^\s*#.*$", b"", runner)
    return [installer for installer in INSTALLERS if installer.calls.search(text)]


def reads_of_installation(installers: Sequence[Installer], store: GitStore, base: str, tree: str) -> list[str]:
    """List what changed from `base` to `tree` and one of the installers could read."""
    return [read for installer in installers for read in installer.reads(store, base, tree)]


_PIP_CALL = re.compile(r"\b(?:pip3?|uv)\b[^\n;&|]*?\sinstall\s([^\n;&|]*)")


def copied_sources(runner: bytes, store: GitStore, base: str, tree: str) -> list[str]:
    """List what changed in folders of the repository that a `runner.sh` lets pip copy, for they are not installed with `-e`."""
    words = [word for call in _PIP_CALL.findall(runner.decode("utf-8", "replace")) for word in ("", *call.split())]
    named = (word.strip("\"'").split("[")[0] for before, word in pairwise(words) if before not in ("-e", "--editable"))
    folders = {name.removeprefix("/workspace/repo").strip("/").removeprefix("./") for name in named if "/" in name}
    projects = [
        folder
        for folder in sorted(folders - {"", "."})
        if store.has(base, f"{folder}/pyproject.toml") or store.has(base, f"{folder}/setup.py")
    ]
    changed = [change.path for change in store.changes(base, tree)]
    return [path for path in changed if any(path.startswith(f"{folder}/") for folder in projects)]


def changed_files(before: bytes, after: bytes) -> Sequence[str]:
    """List the files in which two fingerprints differ."""
    differing = set(before.splitlines()) ^ set(after.splitlines())
    return sorted({line.split(b" ", 1)[-1].decode("utf-8", "replace") for line in differing})
