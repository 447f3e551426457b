"""Backends by name: the built-in ones, and those of packages that announce theirs.

A package adds a backend through the entry-point group `cooperbench.environments`; the entry point names a `Backend` subclass.
Every backend is imported when it is asked for, because most wrap heavy SDKs.
"""

import contextlib
import inspect
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from cooperbench.environments.backend import Backend, ImageFacts, Orphan, Progress
from cooperbench.environments.contract import Capability
from cooperbench.environments.preparing import note_use
from cooperbench.environments.readiness import Check, Readiness
from cooperbench.errors import CooperBenchError, SandboxError, UnknownNameError, UsageError
from cooperbench.records import ImageRecipe
from cooperbench.records.paths import AnyPath

BUILT_IN = {
    "local": "cooperbench.environments.local:LocalBackend",
    "docker": "cooperbench.environments.docker:DockerBackend",
    "modal": "cooperbench.environments.modal:ModalBackend",
    "gcp": "cooperbench.environments.gcp:GCPBackend",
    "kubernetes": "cooperbench.environments.kubernetes:KubernetesBackend",
}
ENTRY_POINTS = "cooperbench.environments"


def backend_names() -> list[str]:
    """Return all backends by name: the built-in ones and those of installed packages."""
    return list(_entry_points())


def _entry_points() -> dict[str, EntryPoint]:
    built_in = {name: EntryPoint(name, target, ENTRY_POINTS) for name, target in BUILT_IN.items()}
    installed = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    return built_in | {name: installed[name] for name in sorted(installed.keys() - BUILT_IN.keys())}


def default_backend(*, bundled: bool) -> str:
    """Return the backend of a run that names none; bundled tasks need no engine."""
    return "local" if bundled else "docker"


@cache
def get_backend(name: str) -> Backend:
    """Return the backend of that name. Raises `UnknownNameError`, `MissingExtraError`."""
    points = _entry_points()
    if name not in points:
        raise UnknownNameError("backend", name, points)
    loaded = points[name].load()
    made: object = loaded() if inspect.isclass(loaded) else loaded
    if not isinstance(made, Backend):
        raise UsageError(f"the entry point {name!r} in {ENTRY_POINTS!r} is not a Backend", subject=name)
    return made


def capabilities(backend: str) -> frozenset[Capability]:
    """Return what a backend can do on this machine."""
    return get_backend(backend).capabilities({})


def readiness(backend: str) -> Readiness:
    """Check whether a backend can be used. Raises `UnknownNameError`; every other failure is part of the answer."""
    if backend not in backend_names():
        raise UnknownNameError("backend", backend, backend_names())
    checks = []
    try:
        for check in get_backend(backend).checks():
            checks.append(check)  # noqa: PERF402 - what passed before an error is kept
    except CooperBenchError as error:
        checks.append(Check(name="usable", ok=False, detail=error.message, fix=error.hint))
    return Readiness(backend=backend, ready=all(check.ok for check in checks), checks=tuple(checks))


def ensure_image(backend: str, recipe: ImageRecipe) -> str | None:
    """Make sure that environments can start from a recipe's image, and return its digest, if one is known.

    Bundled images are built without asking. Raises `ImageError` with the command to type when another one is missing.
    """
    note_use(backend, recipe.name)
    return get_backend(backend).ensure_image(recipe)


def image_facts(backend: str, recipe: ImageRecipe) -> ImageFacts:
    """Return the state of a recipe's image at a backend, with digest, platform and size where they are known."""
    return get_backend(backend).image_facts(recipe)


def pull_image(
    backend: str, recipe: ImageRecipe, *, platform: str | None = None, progress: Progress | None = None
) -> str | None:
    """Pull a recipe's image unless it is here, and return its digest.

    Raises `ImageError`, `SandboxCredentialsError`.
    """
    return get_backend(backend).pull_image(recipe, platform, progress)


def build_image(
    backend: str,
    recipe: ImageRecipe,
    *,
    repo_source: AnyPath | None = None,
    base_image: str | None = None,
    progress: Progress | None = None,
) -> str | None:
    """Build a recipe's image for the host's processor, and return its digest.

    `repo_source` is a local clone that replaces the recipe's own source or download. `base_image` replaces the first FROM of its
    Dockerfile. Raises `ImageError`, or `UsageError` for what the backend cannot use.
    """
    source = None if repo_source is None else Path(repo_source).expanduser()
    return get_backend(backend).build_image(recipe, repo_source=source, base_image=base_image, progress=progress)


def unpack_images(backend: str, place: str, name: str | None = None) -> list[ImageFacts]:
    """Unpack the container images at a place: a file of `docker save`, an OCI layout, or a reference of skopeo.

    `name` is for a single image, and replaces its own. Raises `ImageError`, `UsageError`.
    """
    return get_backend(backend).unpack_images(place, name)


def orphans(run: str | None = None, *, backends: Sequence[str] | None = None) -> list[Orphan]:
    """Return everything with our labels, running sandboxes included, of one run or of all.

    Without `backends` all are asked, and one that is not set up here has nothing of ours. A named backend must answer: raises
    `SandboxError`, `UsageError`.
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


def reap(backend: str, owner: str) -> int:
    """Remove what an owner left at a backend, and what has expired, whosever it is. Return how much that was.

    Only for whoever holds the owner's lock. What cannot be removed now stays for the next one. Raises `SandboxError` when the backend
    does not answer.
    """
    removed = 0
    for orphan in get_backend(backend).orphans():
        if orphan.owner == owner or orphan.expired:
            with contextlib.suppress(SandboxError):
                remove(orphan)
                removed += 1
    return removed


def remove(orphan: Orphan) -> None:
    """Remove an orphan. One that is already gone is fine. Raises `SandboxError`."""
    get_backend(orphan.backend).remove(orphan)
