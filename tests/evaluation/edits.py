"""Patches against the base of a bundled task."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.falsification.falsifier import chosen_challenge
from cooperbench.evaluation.git import open_store
from cooperbench.tasks import Task
from tests.evaluation.trees import Checkout, git


def base_checkout(task: Task, folder: Path) -> Checkout:
    """A work tree with the task's base."""
    base = base_of(task, "local")
    files: dict[str, bytes] = {}
    with open_store(base.store) as store:
        for line in store.check("ls-tree", "-r", "-z", base.tree).split(b"\0"):
            if line:
                facts, path = line.split(b"\t")
                files[path.decode()] = store.blob(facts.split()[2].decode())
    return Checkout(folder, files)


def append(checkout: Checkout, path: str, text: str) -> bytes:
    """A patch that puts `text` at the end of one file."""
    return checkout.patch({path: (checkout.path / path).read_bytes() + b"\n\n" + text.encode()})


def together(checkout: Checkout, *patches: bytes, changes: Mapping[str, bytes | None] | None = None) -> bytes:
    """One patch that does what several do."""
    git("reset", "-q", "--hard", cwd=checkout.path)
    for patch in patches:
        git("apply", "--binary", "-", cwd=checkout.path, stdin=patch)
    return checkout.patch(dict(changes or {}))


def seed_for(challenge: int, feature: int, tree: str) -> str:
    """Find a seed with which a tree meets a challenge: what the gold patch does then may be known."""
    return next(seed for seed in map(str, count()) if chosen_challenge(seed, feature, tree) == challenge)
