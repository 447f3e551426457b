"""Exact capture of a sandbox's work tree, independent of what happened to its repository.

The base is a tree, pinned by the harness before the agent sees the sandbox, and kept in a repository on the host. Capturing
makes a tree of the work tree with a fresh object database and nobody's configuration (`inside/capture.sh`), brings the objects
that are new to the host, and compares the two trees there. What the agent did to `.git` (removed it, began a new one, stashed,
committed, changed branches, set filters or attributes) makes no difference. Files that git ignores are left out unless the
base or the agent's repository tracks them.
"""

from importlib.resources import files
from pathlib import Path

from cooperbench._git import Git
from cooperbench.environments.environment import Environment
from cooperbench.errors import SandboxError
from cooperbench.records import utc_now
from cooperbench.records.member_files import Capture

LARGEST_FILE = 64 * 1024
"""KiB. A bigger file is reported instead of captured; nobody writes such a file by hand."""
UNLIMITED = 1 << 40
TIMEOUT = 600.0
_GIT = Git(SandboxError)


def pin_base(env: Environment, store: Path) -> str:
    """Copy the pristine work tree to the host and return its tree id.

    `store` is a bare repository on the host, created when it is missing. Raises `SandboxError`.
    """
    tree, _ = _read_tree(env, store, None, UNLIMITED)
    git(store, "rev-list", "--objects", "--quiet", f"{tree}^{{tree}}")
    return tree


def capture(env: Environment, store: Path, base: str) -> Capture:
    """Capture the current work tree against a base from `pin_base`. Raises `SandboxError`, `SandboxLostError`."""
    tree, skipped = _read_tree(env, store, base, LARGEST_FILE)
    patch = difference(store, base, tree)
    return Capture(patch=patch, tree=tree, base_tree=base, captured_at=utc_now(), skipped=skipped)


def difference(store: Path, base: str, tree: str) -> bytes:
    """Return the patch from one tree of `store` to another, in the form that `capture` uses."""
    return git(store, "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", base, tree)


def strip_later_history(env: Environment, base_commit: str) -> bool:
    """Remove everything that the base commit does not reach from the sandbox's repository, and verify by object id.

    Return whether there was anything to remove. Afterwards the branch `main` (or the one checked out) is at the base commit;
    remotes, tags, other branches, stashes, reflogs and unreachable objects are gone. Raises `SandboxError` when something later
    remains.
    """
    script = files("cooperbench.environments").joinpath("inside/strip.sh").read_text(encoding="utf-8")
    done = env.run_script(script, base_commit, timeout=TIMEOUT)
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        reason = f"{done.stderr.decode('utf-8', 'replace')}\n{said}".strip()
        raise SandboxError(f"cannot remove the history after {base_commit}: {reason[-500:]}", subject=env.image)
    return said != "nothing to remove"


def _read_tree(env: Environment, store: Path, base: str | None, largest: int) -> tuple[str, tuple[str, ...]]:
    prepare_store(store)
    program = files("cooperbench.environments").joinpath("inside/capture.sh").read_text(encoding="utf-8")
    entries = git(store, "ls-tree", "-r", "-z", "--full-tree", base) if base is not None else b""
    done = env.run_script(program, str(largest), str(len(entries)), stdin=entries, timeout=TIMEOUT)
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip()
        raise SandboxError(f"cannot read the work tree: {reason[-500:]}", subject=env.options.cwd)
    header, _, rest = done.stdout.partition(b"\n")
    tree, size = header.decode().split()
    skipped, pack = rest[: int(size)].decode("utf-8", "replace"), rest[int(size) :]
    # The agent may have tampered with the pack. `--strict` fails unless every object that it refers to is here, each verified by
    # its own digest.
    git(store, "index-pack", "--stdin", "--strict", stdin=pack)
    return tree, tuple(dict.fromkeys(path for path in skipped.split("\0") if path))


def prepare_store(store: Path) -> None:
    """Create the bare repository `store` when it is missing."""
    if not (store / "objects").is_dir():
        store.parent.mkdir(parents=True, exist_ok=True)
        git(None, "init", "--quiet", "--bare", str(store))


def git(store: Path | None, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git on the host in the bare repository `store`. Raises `SandboxError`."""
    return _GIT.run(*arguments, stdin=stdin, variables={"GIT_DIR": str(store)} if store is not None else None).stdout
