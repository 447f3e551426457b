"""Remove the sandboxes that earlier processes of a run left behind, and those that this one may leave.

A process that is killed cannot clean up, and an engine under load may carry out a request to create or start a container after
whoever made it has ended. So whoever works on the run next removes what belongs to it, at the beginning and at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cooperbench.environments import reap
from cooperbench.errors import CooperBenchError
from cooperbench.runner.engine.observer import Observer


@contextmanager
def without_orphans(backend: str, owner: str, observer: Observer) -> Iterator[None]:
    """Reap an owner's sandboxes before and after the block, within which its lock must be held."""
    try:
        removed = reap(backend, owner)
    except CooperBenchError as error:
        observer.note(f"cannot look for what an earlier process left: {error.message}")
    else:
        if removed:
            observer.note(f"sandboxes that an earlier process left were removed: {removed}")
    try:
        yield
    finally:
        with suppress(CooperBenchError):
            reap(backend, owner)
