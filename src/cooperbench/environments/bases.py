"""The work tree of an image, taken from a sandbox once and stored on the host.

An image with a digest gives every sandbox the same work tree and history. Only the first sandbox is inspected, which saves each
later one the programs of a capture and of a walk through all objects.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from cooperbench.environments.environment import Environment
from cooperbench.environments.locks import locked
from cooperbench.environments.worktree import TIMEOUT, pin_base, prepare_store, strip_later_history
from cooperbench.records import Record, cache_dir, read_model, write_bytes, write_model

LAYOUT = "2"
HISTORY = "history.tar"
HISTORY_LIMIT = 64 * 1024 * 1024
"""Bytes of a repository without later history that is kept, as it is held in memory for each sandbox. One of 2,500 commits has 4 MB."""
_PACK = "test -d .git && tar -cf - -C .git --exclude=./index ."
_PUT = """test -d .git && mkdir -p .git/cooperbench && head -c "$1" | tar -xf - -C .git/cooperbench || exit 1
for old in .git/* .git/.[!.]*; do
    case $old in .git/index | .git/cooperbench) ;; *) rm -rf "$old" ;; esac
done
mv .git/cooperbench/* .git/ && rmdir .git/cooperbench"""


class BaseRecord(Record):
    """`base.json` beside a stored base."""

    image: str
    image_digest: str
    tree: str


class ImageBase:
    """The tree of an image's pristine work tree, and a bare repository on the host that has it."""

    def __init__(self, folder: Path, record: BaseRecord) -> None:
        self.store = folder / "store"
        self.tree = record.tree
        self.image_digest = record.image_digest
        self._folder = folder

    @property
    def is_clean(self) -> bool:
        """True once the image's repository is known to have nothing after its base commit."""
        return self.was_seen("clean")

    def was_seen(self, what: str) -> bool:
        """Return whether this was noted for an earlier sandbox of the image."""
        return (self._folder / what).exists()

    def remove_later_history(self, environment: Environment) -> None:
        """Leave what the base commit reaches in the repository of an unused sandbox. Raises `SandboxError`."""
        if self.is_clean:
            return
        kept = self._folder / HISTORY
        if kept.is_file():
            archive = kept.read_bytes()
            if environment.run_script(_PUT, str(len(archive)), stdin=archive, timeout=TIMEOUT).returncode == 0:
                return
        if not strip_later_history(environment, "HEAD"):
            self.note("clean")
            return
        left = environment.run_script(_PACK, timeout=TIMEOUT)
        if left.returncode == 0 and len(left.stdout) <= HISTORY_LIMIT:
            write_bytes(kept, left.stdout)

    def note(self, what: str) -> None:
        """Note this for the image's later sandboxes; `what` is a file name."""
        write_bytes(self._folder / what, b"")


def find_base(image: str, digest: str, cwd: str) -> ImageBase | None:
    """Return the stored base of an image, if there is one."""
    folder = _folder(image, digest, cwd)
    if not (folder / "base.json").is_file():
        return None
    return ImageBase(folder, read_model(folder / "base.json", BaseRecord))


def base_of_sandbox(environment: Environment) -> ImageBase | None:
    """Return the stored base of a sandbox's image, if the image has a digest and a base."""
    digest = environment.image_digest
    return None if digest is None else find_base(environment.image, digest, environment.options.cwd)


def ensure_base(environment: Environment) -> ImageBase | None:
    """Return the base of an unused sandbox's image, storing it when it is new; `None` for images without a digest.

    Raises `SandboxError`.
    """
    image, digest = environment.image, environment.image_digest
    if digest is None:
        return None
    folder = _folder(image, digest, environment.options.cwd)
    # Without it, each of hundreds of processes that start together would do the same work.
    with locked(folder.with_suffix(".lock")):
        found = find_base(image, digest, environment.options.cwd)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-", ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / "base"
            record = BaseRecord(image=image, image_digest=digest, tree=pin_base(environment, draft / "store"))
            write_model(draft / "base.json", record)
            shutil.rmtree(folder, ignore_errors=True)  # remains of an earlier attempt on a full disk
            draft.rename(folder)
        return ImageBase(folder, record)


def prepare_for_agent(environment: Environment, store: Path) -> str:
    """Prepare an unused sandbox for an agent: strip the history after the base, and store its work tree on the host.

    Return the tree's id; its objects are in the bare repository `store` afterwards. Raises `SandboxError`.
    """
    base = ensure_base(environment)
    if base is None:
        strip_later_history(environment, "HEAD")
        return pin_base(environment, store)
    base.remove_later_history(environment)
    prepare_store(store)
    for pack in (base.store / "objects" / "pack").iterdir():
        _share(pack, store / "objects" / "pack" / pack.name)
    return base.tree


def remove_later_history(environment: Environment) -> None:
    """Leave what the base commit reaches in the repository of an unused sandbox, as agents get it. Raises `SandboxError`."""
    base = base_of_sandbox(environment)
    if base is None:
        strip_later_history(environment, "HEAD")
    else:
        base.remove_later_history(environment)


def _share(source: Path, target: Path) -> None:
    """Link a file to another name, or copy it to another disk. A teammate may have done so already."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        draft = target.with_name(f".{os.getpid()}-{target.name}")
        shutil.copyfile(source, draft)
        draft.rename(target)


def _folder(image: str, digest: str, cwd: str) -> Path:
    key = hashlib.sha256("\0".join((LAYOUT, image, digest, cwd)).encode()).hexdigest()[:32]
    return cache_dir() / "bases" / key
