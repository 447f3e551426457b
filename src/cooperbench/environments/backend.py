"""What a backend brings, and where backends come from: the built-in ones, and packages that announce theirs.

A package adds a backend through the entry-point group `cooperbench.environments`; the entry point names a `Backend` subclass.
Built-in backends are modules with a `backend` function, imported when they are asked for, because they wrap heavy SDKs.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from cooperbench.environments.contract import (
    Capability,
    EnvironmentOptions,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.errors import CapabilityError, UnknownNameError, UsageError
from cooperbench.records import ImageRecipe, Record

BUILT_IN = {
    "local": "cooperbench.environments.local",
    "docker": "cooperbench.environments.docker",
    "modal": "cooperbench.environments.modal",
    "gcp": "cooperbench.environments.gcp",
}
ENTRY_POINTS = "cooperbench.environments"


Progress = Callable[[str], None]
"""Is called with one line now and then."""


class ImageFacts(Record):
    """Whether an image is at a backend, and which it is."""

    backend: str
    name: str
    here: bool
    digest: str | None = None
    platform: str | None = Field(None, description="Such as linux/amd64.")
    bytes: int | None = Field(None, description="Size on disk.")


class Orphan(Record):
    """Something that a run left at a backend: a container, a virtual machine, a directory, …"""

    backend: str
    kind: str = Field(description="`container`, `image`, `network`, `directory`, …")
    identifier: str
    run: str
    running: bool = False
    description: str = ""
    details: dict[str, str] = Field(default_factory=dict, description="What the backend needs to find it again.")


class Backend(ABC):
    """One place where sandboxes run. `settings` are its own options (an engine's address, a project, a zone)."""

    name: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """Names of the settings it understands; others are refused before anything starts."""

    @abstractmethod
    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """What it can do here."""

    def before_forking(self) -> None:  # noqa: B027 - most backends have nothing to find out
        """Find out what holds for every process on this machine, in a process from which those of a run will be forked.

        Must neither start a thread nor keep a connection.
        """

    @abstractmethod
    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one sandbox; nothing is started yet."""

    @abstractmethod
    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running sandbox. Raises `SandboxLostError` when it is gone."""

    def image_digest(self, recipe: ImageRecipe) -> str | None:
        """Digest of the image of a recipe if it is here, else `None`."""
        return None

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        """Whether the image of a recipe is here, and which it is."""
        digest = self.image_digest(recipe)
        return ImageFacts(backend=self.name, name=recipe.name, here=digest is not None, digest=digest)

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Make sure that environments can start from a recipe's image, and return its digest if one is known."""
        return self.image_digest(recipe)

    def pull_image(self, recipe: ImageRecipe, platform: str | None, progress: Progress | None) -> str | None:
        """Get a recipe's image from where it is published, unless it is here, and return its digest."""
        return self.ensure_image(recipe)

    def build_image(
        self,
        recipe: ImageRecipe,
        *,
        repo_source: Path | None,
        base_image: str | None,
        progress: Progress | None = None,
    ) -> str | None:
        """Build a recipe's image and return its digest."""
        raise UsageError(
            f"the backend {self.name!r} builds no images", subject=recipe.name, hint="use --backend docker"
        )

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """What is there with our labels, of one run or of all."""
        return []

    def remove(self, orphan: Orphan) -> None:
        """Remove one of them. One that is gone already is fine."""
        raise UsageError(f"the backend {self.name!r} removes nothing", subject=orphan.identifier)


def backend_names() -> list[str]:
    """All backends by name: the built-in ones and those of installed packages."""
    return [*BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINTS) if point.name not in BUILT_IN)]


@cache
def get_backend(name: str) -> Backend:
    """The backend of that name. Raises `UnknownNameError`, `MissingExtraError`."""
    if name in BUILT_IN:
        made: object = import_module(BUILT_IN[name]).backend()
    else:
        found = [point for point in entry_points(group=ENTRY_POINTS) if point.name == name]
        if not found:
            raise UnknownNameError("backend", name, backend_names())
        loaded = found[0].load()
        made = loaded() if inspect.isclass(loaded) else loaded
    if not isinstance(made, Backend):
        raise UsageError(f"the entry point {name!r} in {ENTRY_POINTS!r} is no Backend", subject=name)
    return made


def capabilities(backend: str) -> frozenset[Capability]:
    """What a backend can do on this machine."""
    return get_backend(backend).capabilities({})


def check_options(backend: Backend, options: EnvironmentOptions, settings: Mapping[str, str]) -> None:
    """Raise `CapabilityError` or `UsageError` for what the backend cannot do, before anything starts."""
    unknown = sorted(set(settings) - backend.settings)
    if unknown:
        raise UnknownNameError(f"setting for the backend {backend.name}", unknown[0], sorted(backend.settings))
    able = backend.capabilities(settings)
    for wanted, capability, words in (
        (options.network == "none", Capability.NETWORK_OFF, "network='none'"),
        (options.memory_mb is not None, Capability.MEMORY_LIMIT, f"memory_mb={options.memory_mb}"),
        (options.cpus is not None, Capability.CPU_LIMIT, f"cpus={options.cpus}"),
        (options.processes is not None, Capability.PROCESS_LIMIT, f"processes={options.processes}"),
    ):
        if wanted and capability not in able:
            raise CapabilityError(
                f"the backend {backend.name} cannot do {words} here",
                subject=backend.name,
                hint="leave the limit out or choose another --backend",
            )
