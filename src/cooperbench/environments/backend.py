"""What a backend brings. A package adds one by deriving from `Backend`, see `registry` and `docs/backends.md`.

Everything that CooperBench says of a backend comes from its class: what it can do, the checks of `doctor`, the fields of
`config`, what `--dry-run` says of missing images. Nothing else in the program knows a backend by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from cooperbench.environments.configuration import BackendSettings
from cooperbench.environments.contract import (
    Capability,
    EnvironmentOptions,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.environments.readiness import Check, listed
from cooperbench.errors import CapabilityError, ImageError, UnknownNameError, UsageError
from cooperbench.records import ImageRecipe, Record

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
    """Names of the settings that an environment may be opened with; others are refused before anything starts."""
    configuration: ClassVar[type[BackendSettings] | None] = None
    """The fields of its table in the user's file, which `cooperbench config` sets; `None` when there is nothing to set."""
    missing_image: ClassVar[Check | None] = None
    """What `--dry-run` says of images that are not here; `ok` when the run fetches them by itself. `None` says nothing."""
    builds_bundled_images: ClassVar[bool] = False
    """Whether a run builds the missing images of bundled tasks by itself."""
    tries_bundled_image: ClassVar[bool] = False
    """Whether `doctor` opens a sandbox of a bundled image unasked: where that costs neither a download nor money."""

    @abstractmethod
    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return what it can do here."""

    def checks(self) -> Iterator[Check]:
        """Yield what has to be so before a sandbox can start; leave out a check that depends on one that failed.

        May raise a `CooperBenchError`, which becomes the last check.
        """
        yield Check(name="installed", ok=True, detail=type(self).__module__)

    def free_space(self) -> int | None:
        """Return how many bytes are free where it keeps its images; `None` when only another machine knows."""
        return None

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
        """Return the digest of the image of a recipe if it is here, else `None`."""
        return None

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        """Return whether the image of a recipe is here, and which it is."""
        digest = self.image_digest(recipe)
        return ImageFacts(backend=self.name, name=recipe.name, here=digest is not None, digest=digest)

    def image_checks(self, recipes: Sequence[ImageRecipe]) -> Iterator[Check]:
        """Yield what happens to the images that are not here before a run starts."""
        if self.missing_image is None:
            return
        absent = [recipe for recipe in recipes if not self.image_facts(recipe).here]
        built = [recipe.name for recipe in absent if recipe.bundled and self.builds_bundled_images]
        others = [recipe.name for recipe in absent if recipe.name not in built]
        if built:
            yield Check(name="images", ok=True, detail=f"{listed(built)} will be built first")
        if others:
            detail = f"{listed(others)} {self.missing_image.detail}"
            yield self.missing_image.model_copy(update={"detail": detail})

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
        """Return what is there with our labels, of one run or of all."""
        return []

    def remove(self, orphan: Orphan) -> None:
        """Remove one of them. One that is gone already is fine."""
        raise UsageError(f"the backend {self.name!r} removes nothing", subject=orphan.identifier)

    def check_options(self, options: EnvironmentOptions, settings: Mapping[str, str]) -> None:
        """Raise `CapabilityError` or `UsageError` for what this backend cannot do, before anything starts."""
        unknown = sorted(set(settings) - self.settings)
        if unknown:
            raise UnknownNameError(f"setting for the backend {self.name}", unknown[0], sorted(self.settings))
        able = self.capabilities(settings)
        for capability, option in options.needed_capabilities().items():
            if capability not in able:
                raise CapabilityError(
                    f"the backend {self.name} cannot do {option} here",
                    subject=self.name,
                    hint="leave the limit out or choose another --backend",
                )


class CloudBackend(Backend):
    """A backend whose sandboxes take their images from a registry when they start."""

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Refuse images that are only made on this machine. Raises `ImageError`."""
        if recipe.bundled:
            raise ImageError(
                f"the image {recipe.name!r} is in no registry, so {self.name} cannot start from it",
                subject=recipe.name,
                hint="use --backend local or --backend docker for the demo tasks",
            )
        return None
