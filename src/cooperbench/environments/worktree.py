"""Exact capture of a sandbox's work tree, independent of what happened to its repository.

The base is a tree, pinned by the harness before the agent sees the sandbox, and kept in a repository on the host. Capturing
makes a tree of the work tree with a fresh object database and nobody's configuration (`inside/capture.sh`), brings the objects
that are new to the host, and compares the two trees there. What the agent did to `.git` (removed it, began a new one, stashed,
committed, changed branches, set filters or attributes) makes no difference, nor does what it did to the sandbox's programs and
processes: the script runs outside of the sandbox, see `docs/design/capture.md`. Files that git ignores are left out unless the base or
the agent's repository tracks them.
"""

import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from cooperbench._git import Git
from cooperbench.environments.contract import RunReply
from cooperbench.environments.environment import Environment
from cooperbench.environments.scripts import GONE
from cooperbench.errors import SandboxDamagedError, SandboxError
from cooperbench.records import PatchFinding, utc_now
from cooperbench.records.member_files import Capture

LARGEST_FILE = 64 * 1024
"""KiB. A bigger file is reported instead of captured; nobody writes such a file by hand."""
UNLIMITED = 1 << 40
TIMEOUT = 600.0
_OF_THE_HOST = ("No space left", "Cannot allocate memory", "out of memory", "Disk quota")
"""What git says when it lacks something that is not the agent's."""
_CACHES = re.compile(r"(^|/)(__pycache__|node_modules|\.venv|\.[a-z]+_cache)(/|$)|\.py[co]$|(^|/)[^/]+\.egg-info/?$")
"""What programs leave everywhere, and nobody misses in a submission."""
MOST_IGNORED = 100
_GIT = Git(SandboxError)


class WorkTree(NamedTuple):
    """A work tree as `inside/capture.sh` read it; its objects are in the store."""

    tree: str
    skipped: tuple[str, ...]
    foreign: tuple[str, ...]
    """Folders that are repositories of something else."""
    ignored: tuple[str, ...]
    """Paths that git ignores, but for caches: a folder stands for all that is in it."""


def pin_base(env: Environment, store: Path) -> str:
    """Copy the pristine work tree to the host and return its tree id.

    `store` is a bare repository on the host, created when it is missing. Raises `SandboxError`.
    """
    done = env.run_script(_program(), str(UNLIMITED), "0", timeout=TIMEOUT)
    tree = _store_tree(done, env, store).tree
    git(store, "rev-list", "--objects", "--quiet", f"{tree}^{{tree}}")
    return tree


def capture(env: Environment, store: Path, base: str) -> Capture:
    """Capture the current work tree against a base from `pin_base`. One that is gone, or made unreadable, is empty work.

    Raises `SandboxLostError`, `TransportError`, and `SandboxError` when this machine cannot store it.
    """
    prepare_store(store)
    entries = git(store, "ls-tree", "-r", "-z", "--full-tree", base)
    try:
        done = env.run_outside(_program(), str(LARGEST_FILE), str(len(entries)), stdin=entries, timeout=TIMEOUT)
    except SandboxDamagedError as error:
        return _empty(base, "unreadable", error.message)
    if done.returncode == GONE:
        return _empty(base, "repository_gone", f"nothing is left in {env.options.cwd}")
    try:
        found = _store_tree(done, env, store)
        patch = difference(store, base, found.tree)
    except SandboxError as error:
        if any(reason in error.message for reason in _OF_THE_HOST):
            raise
        # The script has read the same image before, so that only what the agent left can make it fail.
        return _empty(base, "unreadable", error.message)
    notes = tuple(PatchFinding(path=path, kind="foreign_repository") for path in found.foreign)
    return Capture(
        patch=patch,
        tree=found.tree,
        base_tree=base,
        captured_at=utc_now(),
        skipped=found.skipped,
        ignored=found.ignored,
        findings=notes,
    )


def _empty(base: str, kind: str, detail: str) -> Capture:
    finding = PatchFinding(path=".", kind=kind, detail=detail)
    return Capture(tree=base, base_tree=base, captured_at=utc_now(), findings=(finding,))


def difference(store: Path, base: str, tree: str) -> bytes:
    """Return the patch from one tree of `store` to another, in the form that `capture` uses."""
    return git(store, "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", base, tree)


def strip_later_history(env: Environment, base_commit: str) -> bool:
    """Remove everything that the base commit does not reach from the sandbox's repository, and verify by object id.

    Return whether there was anything to remove. Afterwards the branch `main` (or the one checked out) is at the base commit;
    remotes, other branches, stashes, reflogs and unreachable objects are gone, and all tags but those of commits that are left.
    Raises `SandboxError` when something later remains.
    """
    script = files("cooperbench.environments").joinpath("inside/strip.sh").read_text(encoding="utf-8")
    done = env.run_script(script, base_commit, timeout=TIMEOUT)
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        reason = f"{done.stderr.decode('utf-8', 'replace')}\n{said}".strip()
        raise SandboxError(f"cannot remove the history after {base_commit}: {reason[-500:]}", subject=env.image)
    return said != "nothing to remove"


def _program() -> str:
    return files("cooperbench.environments").joinpath("inside/capture.sh").read_text(encoding="utf-8")


def _store_tree(done: RunReply, env: Environment, store: Path) -> WorkTree:
    """Put what `inside/capture.sh` answered into the store."""
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip()
        raise SandboxError(f"cannot read the work tree: {reason[-500:]}", subject=env.options.cwd)
    try:
        header, _, rest = done.stdout.partition(b"\n")
        tree, *sizes = header.decode().split()
        skipped, foreign, ignored = (int(size) for size in sizes)
    except ValueError as error:
        raise SandboxError(f"cannot read the work tree: {done.stdout[:100]!r}", subject=env.options.cwd) from error
    prepare_store(store)
    # Every object is verified by its own digest. That none is missing shows when the tree is compared.
    git(store, "index-pack", "--stdin", stdin=rest[skipped + foreign + ignored :])
    parts = rest[:skipped], rest[skipped : skipped + foreign], rest[skipped + foreign : skipped + foreign + ignored]
    left, others, hidden = map(_paths, parts)
    return WorkTree(tree, left, others, tuple(path for path in hidden if not _CACHES.search(path))[:MOST_IGNORED])


def _paths(ended: bytes) -> tuple[str, ...]:
    """Return paths that each end with NUL, once."""
    return tuple(dict.fromkeys(path for path in ended.decode("utf-8", "replace").split("\0") if path))


def prepare_store(store: Path) -> None:
    """Create the bare repository `store` when it is missing."""
    if not (store / "objects").is_dir():
        store.parent.mkdir(parents=True, exist_ok=True)
        git(None, "init", "--quiet", "--bare", str(store))


def git(store: Path | None, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git on the host in the bare repository `store`. Raises `SandboxError`."""
    return _GIT.run(*arguments, stdin=stdin, variables={"GIT_DIR": str(store)} if store is not None else None).stdout
