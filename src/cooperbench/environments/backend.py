"""The interface of a backend. A package adds one by deriving from `Backend`, see `registry` and `docs/backends.md`.

Everything that CooperBench says about a backend comes from its class: what it can do, the checks of `doctor`, the fields of
`config`, what `--dry-run` says about missing images. Nothing else in the program knows a backend by name.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from cooperbench.environments.configuration import BackendSettings
from cooperbench.environments.contract import (
    Capability,
    EnvironmentOptions,
    NetworkMode,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.environments.readiness import Check, listed
from cooperbench.errors import CapabilityError, ImageError, UnknownNameError, UsageError
from cooperbench.records import ImageRecipe, NetworkAccess, Record

Progress = Callable[[str], None]
"""Called with a line of progress now and then."""


MUST_BE_BUILT = Check(name="images", ok=False, detail="must be built")


class ImageFacts(Record):
    """The state of an image at a backend."""

    backend: str
    name: str
    here: bool
    digest: str | None = None
    platform: str | None = Field(None, description="Such as linux/amd64.")
    bytes: int | None = Field(None, description="Size on disk.")


class Orphan(Record):
    """Something that a run left behind at a backend: a container, a virtual machine, a directory, …"""

    backend: str
    kind: str = Field(description="`container`, `image`, `network`, `directory`, …")
    identifier: str
    run: str
    owner: str = Field("", description="The run directory that it belongs to, see `run_owner`.")
    expired: bool = Field(False, description="Its lifetime is over, or it was created and never started.")
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
    """The check for missing images; `ok` when a run fetches them by itself. `None` shows nothing. Without `fix`, it is to build them."""
    builds_bundled_images: ClassVar[bool] = False
    """Set when a run builds missing images of bundled tasks by itself."""
    tries_bundled_image: ClassVar[bool] = False
    """Set when `doctor` may open a sandbox of a bundled image unasked, because that costs neither a download nor money."""

    default_network: ClassVar[NetworkMode] = "full"
    """What the network `default` means."""
    default_network_reason: ClassVar[str] = "most runners and many agents install packages"

    @abstractmethod
    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return what the backend can do here."""

    def network(self, options: EnvironmentOptions) -> NetworkAccess:
        """Return what sandboxes with these options reach, and why."""
        if options.network != "default":
            mode, reason = options.network, "chosen for this run"
        else:
            mode, reason = self.default_network, f"the default of {self.name}: {self.default_network_reason}"
        return NetworkAccess(
            mode=mode, allowed_hosts=options.allowed_hosts, reason=reason, reaches_upstream=mode != "none"
        )

    def checks(self) -> Iterator[Check]:
        """Yield the checks that must pass before a sandbox can start. Omit a check that depends on a failed one.

        May raise a `CooperBenchError`, which becomes the last check.
        """
        yield Check(name="installed", ok=True, detail=type(self).__module__)

    def free_space(self) -> int | None:
        """Return the free bytes where the backend stores its images; `None` when only another machine knows."""
        return None

    def before_forking(self) -> None:  # noqa: B027 - most backends have nothing to find out
        """Determine once what holds for every process on this machine, before the processes of a run are forked.

        Must neither start a thread nor keep a connection open.
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
        """Return the digest of a recipe's image if it is here, else `None`."""
        return None

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        """Return the state of a recipe's image."""
        digest = self.image_digest(recipe)
        return ImageFacts(backend=self.name, name=recipe.name, here=digest is not None, digest=digest)

    def image_checks(self, recipes: Sequence[ImageRecipe]) -> Iterator[Check]:
        """Yield what happens to missing images before a run starts."""
        if self.missing_image is None:
            return
        absent = [recipe for recipe in recipes if not self.image_facts(recipe).here]
        built = [recipe.name for recipe in absent if recipe.bundled and self.builds_bundled_images]
        if built:
            yield Check(name="images", ok=True, detail=f"{listed(built)} will be built first")
        others = [recipe for recipe in absent if recipe.name not in built]
        published = [recipe for recipe in others if recipe.in_registry]
        own = [recipe for recipe in others if not recipe.in_registry]
        builds = type(self).build_image is not Backend.build_image
        for recipes, missing in (
            (published, self.missing_image),
            (own, MUST_BE_BUILT if builds else self.missing_image),
        ):
            if recipes:
                detail = f"{listed([recipe.name for recipe in recipes])} {missing.detail}"
                fix = missing.fix or build_command(self.name, recipes[0])
                yield missing.model_copy(update={"detail": detail, "fix": fix})

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Make sure that environments can start from a recipe's image, and return its digest if one is known."""
        return self.image_digest(recipe)

    def pull_image(self, recipe: ImageRecipe, platform: str | None, progress: Progress | None) -> str | None:
        """Pull a recipe's image unless it is here, and return its digest."""
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
            f"the backend {self.name!r} does not build images", subject=recipe.name, hint="use --backend docker"
        )

    def unpack_images(self, place: str, name: str | None) -> list[ImageFacts]:
        """Unpack what an archive of container images holds. `name` replaces the image's own."""
        raise UsageError(
            f"the backend {self.name!r} does not unpack images",
            subject=place,
            hint="use --backend local, or docker load",
        )

    def remove_image(self, name: str) -> None:
        """Remove an image. Raises `SandboxError` for one in use."""
        raise UsageError(f"the backend {self.name!r} does not remove images", subject=name)

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return everything with our labels, of one run or of all."""
        return []

    def remove(self, orphan: Orphan) -> None:
        """Remove one orphan. One that is already gone is fine."""
        raise UsageError(f"the backend {self.name!r} cannot remove orphans", subject=orphan.identifier)

    def check_options(self, options: EnvironmentOptions, settings: Mapping[str, str]) -> None:
        """Raise `CapabilityError` or `UsageError` for what this backend cannot do, before anything starts."""
        unknown = sorted(set(settings) - self.settings)
        if unknown:
            raise UnknownNameError(f"setting for the backend {self.name}", unknown[0], sorted(self.settings))
        able = self.capabilities(settings)
        for capability, option in options.needed_capabilities().items():
            if capability not in able:
                raise CapabilityError(
                    f"the backend {self.name} does not support {option} here",
                    subject=self.name,
                    hint="drop the option, or choose another --backend",
                )


def build_command(backend: str, recipe: ImageRecipe) -> str:
    """Return the command that builds the image of a task."""
    words = [f"cooperbench images build {recipe.name} --backend {backend}"]
    if recipe.repository is None:
        words.append("--repo-source CLONE")
    dataset = recipe.context.parent.parent
    default = Path(os.environ.get("COOPERBENCH_DATASET_DIR", "dataset"))
    if dataset.resolve() != default.resolve():
        words.append(f"--dataset-dir {dataset}")
    return " ".join(words)


class CloudBackend(Backend):
    """A backend whose sandboxes take their images from a registry when they start."""

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Refuse images that are only built on this machine. Raises `ImageError`."""
        if recipe.bundled:
            raise ImageError(
                f"{self.name} cannot start from the image {recipe.name!r}, which is not in any registry",
                subject=recipe.name,
                hint="use --backend local or --backend docker for the demo tasks",
            )
        return None
