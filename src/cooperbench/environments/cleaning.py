"""Finding and removing what runs left behind, on every backend, by label and only what is ours."""

from collections.abc import Sequence

from cooperbench.environments.backend import BUILT_IN, Orphan, backend_names, get_backend
from cooperbench.errors import SandboxError, UsageError


def orphans(run: str | None = None, *, backends: Sequence[str] | None = None) -> list[Orphan]:
    """What is there with our labels, running sandboxes included, of one run or of all.

    Without `backends` every backend is asked, and those that are not set up here have nothing of ours. A backend that is named
    must answer: raises `SandboxError`, `UsageError`.
    """
    found = []
    for name in backends if backends is not None else backend_names():
        try:
            found += get_backend(name).orphans(run)
        except (SandboxError, UsageError):
            if backends is not None:
                raise
        except ModuleNotFoundError:
            if backends is not None or name not in BUILT_IN:
                raise
    return found


def remove(orphan: Orphan) -> None:
    """Remove one of them; one that is gone already is fine. Raises `SandboxError`."""
    get_backend(orphan.backend).remove(orphan)
