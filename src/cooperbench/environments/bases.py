"""What an image has checked out, taken from a sandbox once and kept on the host.

An image that is addressed by its content gives every sandbox the same work tree and the same history, so both are looked at in the
first one only, which saves each further sandbox the programs of a capture and of a look through all objects.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from cooperbench.environments.contract import Environment
from cooperbench.environments.locks import locked
from cooperbench.environments.worktree import pin_base, prepare_store, strip_later_history
from cooperbench.records import Record, cache_dir, read_model, write_bytes, write_model

LAYOUT = "2"


class BaseRecord(Record):
    """`base.json` beside a kept store."""

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
        """Whether the image's repository was seen to have nothing after its base commit."""
        return self.was_seen("clean")

    def was_seen(self, what: str) -> bool:
        """Whether this was noted of a sandbox of the image before."""
        return (self._folder / what).exists()

    def note(self, what: str) -> None:
        """Remember this of the image's sandboxes; `what` is a file's name."""
        write_bytes(self._folder / what, b"")


def find_base(image: str, digest: str, cwd: str) -> ImageBase | None:
    """What was kept of an image, if it was seen before."""
    folder = _folder(image, digest, cwd)
    if not (folder / "base.json").is_file():
        return None
    return ImageBase(folder, read_model(folder / "base.json", BaseRecord))


def base_of_sandbox(environment: Environment) -> ImageBase | None:
    """What was kept of the image of a sandbox, if it has a digest and was seen before."""
    digest = environment.image_digest
    return None if digest is None else find_base(environment.image, digest, environment.options.cwd)


def ensure_base(environment: Environment) -> ImageBase | None:
    """What was kept of the image of a sandbox that nobody has worked in, or is kept now; `None` for images without a digest.

    Raises `SandboxError`.
    """
    image, digest = environment.image, environment.image_digest
    if digest is None:
        return None
    folder = _folder(image, digest, environment.options.cwd)
    # Of hundreds of processes that start together, each would do the same work.
    with locked(folder.with_suffix(".lock")):
        found = find_base(image, digest, environment.options.cwd)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-", ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / "base"
            record = BaseRecord(image=image, image_digest=digest, tree=pin_base(environment, draft / "store"))
            write_model(draft / "base.json", record)
            shutil.rmtree(folder, ignore_errors=True)  # what a full disk left of an earlier attempt
            draft.rename(folder)
        return ImageBase(folder, record)


def prepare_for_agent(environment: Environment, store: Path) -> str:
    """Ready a sandbox that nobody has worked in for an agent: no history after the base, and its work tree known to the host.

    Returns the tree's id; its objects are in the bare repository `store` afterwards. Raises `SandboxError`.
    """
    base = ensure_base(environment)
    if base is None:
        strip_later_history(environment, "HEAD")
        return pin_base(environment, store)
    if not base.is_clean and not strip_later_history(environment, "HEAD"):
        base.note("clean")
    prepare_store(store)
    for pack in (base.store / "objects" / "pack").iterdir():
        _share(pack, store / "objects" / "pack" / pack.name)
    return base.tree


def _share(source: Path, target: Path) -> None:
    """The same file under another name, or a copy of it on another disk; there already if a teammate was faster."""
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
