"""Whether a backend can be used here and now: what is missing, and the command that mends it.

Each check asks the thing itself (starts a namespace, calls the engine, calls the provider) and changes nothing. A check that
depends on one that failed is left out.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from cooperbench.environments.backend import BUILT_IN, backend_names
from cooperbench.errors import CooperBenchError, UnknownNameError
from cooperbench.records import Record, cache_dir

SPACE_NEEDED = 5 * 10**9
"""Bytes; an image of a task is 0.3 to 3 GB, and several are in use at a time."""


class Check(Record):
    """One thing that has to be so. `fix` is the command or action that makes it so."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


class Readiness(Record):
    """Whether a backend can be used."""

    backend: str
    ready: bool
    checks: tuple[Check, ...]


def readiness(backend: str) -> Readiness:
    """Look whether a backend can be used. Raises `UnknownNameError`; everything else is part of the answer."""
    if backend not in backend_names():
        raise UnknownNameError("backend", backend, backend_names())
    checks = tuple(_CHECKS.get(backend, _loads)(backend))
    return Readiness(backend=backend, ready=all(check.ok for check in checks), checks=checks)


def _attempt(name: str, look: Callable[[], str]) -> Check:
    """A check that passes with what `look` says, and fails with the error that it raises."""
    try:
        return Check(name=name, ok=True, detail=look())
    except CooperBenchError as error:
        return Check(name=name, ok=False, detail=error.message, fix=error.hint)


def space(name: str, folder: Path, *, fix: str) -> Check:
    """Whether enough is free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= SPACE_NEEDED
    return Check(name=name, ok=ok, detail=f"{free / 1e9:.1f} GB free at {folder}", fix=None if ok else fix)


def free_space(backend: str) -> int | None:
    """Bytes that are free where a backend keeps its images; `None` when only another machine knows."""
    folder = cache_dir()
    if backend == "docker":
        from cooperbench.environments.docker import engine

        found = engine.connect(None)
        with engine.translated(found.address):
            folder = Path(str(found.client.info().get("DockerRootDir") or "/nonexistent"))
    elif backend != "local":
        return None
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _local(_backend: str) -> Iterator[Check]:
    from cooperbench.environments.local.isolation import choose

    yield _attempt("isolation", lambda: choose(allow_unsandboxed=False).value)
    git = shutil.which("git")
    yield Check(
        name="git", ok=git is not None, detail=git or "not installed", fix=None if git else "install git, 2.30 or newer"
    )
    yield space("disk space", cache_dir(), fix="cooperbench clean, or set COOPERBENCH_CACHE_DIR to a larger disk")


def _docker(_backend: str) -> Iterator[Check]:
    from cooperbench.environments.docker import engine

    def look() -> str:
        found = engine.connect(None)
        with engine.translated(found.address):
            version = found.client.version()
        kind = (
            "Podman" if any("Podman" in str(part.get("Name")) for part in version.get("Components") or []) else "Docker"
        )
        return f"{kind} {version.get('Version')} for {version.get('Os')}/{version.get('Arch')} at {found.address}"

    answers = _attempt("engine", look)
    yield answers
    if not answers.ok:
        return
    found = engine.connect(None)
    with engine.translated(found.address):
        root = Path(str(found.client.info().get("DockerRootDir") or ""))
        images = found.client.images.list()
    if root.is_dir():  # of an engine on another machine only that one knows
        yield space("disk space", root, fix="docker system df, cooperbench clean, docker image prune")
    ours = [tag for image in images for tag in image.tags if "cooperbench-" in tag or tag.startswith("demo:")]
    yield Check(name="images", ok=True, detail=f"{len(ours)} task images are here; see cooperbench images list")


def _modal(_backend: str) -> Iterator[Check]:
    from cooperbench.environments.modal import sdk
    from cooperbench.environments.modal.backend import ModalBackend

    installed = _attempt("SDK", lambda: f"modal {sdk.modal_sdk().__version__}")
    yield installed
    if installed.ok:
        yield _attempt("credentials", lambda: f"accepted; {len(ModalBackend().orphans())} sandboxes of ours run there")


def _gcp(_backend: str) -> Iterator[Check]:
    from cooperbench.environments.gcp import compute
    from cooperbench.environments.gcp.backend import GCPBackend
    from cooperbench.environments.gcp.settings import resolve

    def sdk() -> str:
        compute.compute_sdk()
        return "google-cloud-compute and asyncssh"

    installed = _attempt("SDK", sdk)
    yield installed
    project = _attempt("project", lambda: f"{resolve({}).project_id}, zones {', '.join(resolve({}).zones)}")
    yield project
    if installed.ok and project.ok:
        yield _attempt("credentials", lambda: f"accepted; {len(GCPBackend().orphans())} machines of ours are there")


def _loads(backend: str) -> Iterator[Check]:
    from cooperbench.environments.backend import get_backend

    yield _attempt("installed", lambda: type(get_backend(backend)).__module__)


_CHECKS: dict[str, Callable[[str], Iterator[Check]]] = dict(
    zip(BUILT_IN, (_local, _docker, _modal, _gcp), strict=True),
)
