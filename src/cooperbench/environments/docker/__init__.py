"""The Docker backend, also for what speaks Docker's API: Podman, engines on other machines."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cooperbench.environments.backend import Backend, ImageFacts, Orphan, Progress, build_command
from cooperbench.environments.contract import Capability, EnvironmentOptions, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.docker import images, orphans
from cooperbench.environments.docker.engine import connect, data_root, describe
from cooperbench.environments.docker.transport import DockerTransport, attach
from cooperbench.environments.environment import Environment
from cooperbench.environments.readiness import Check, attempt, check_space
from cooperbench.errors import ImageError, UsageError
from cooperbench.records import ImageRecipe

__all__ = ["DockerBackend", "DockerEnvironment"]


class DockerEnvironment(Environment):
    """A container. `timeout` is its lifetime in seconds; `options` are further fields of `EnvironmentOptions`.

    `host` is an engine's address, `ssh://user@box` included; by default the engine that `docker` would use.
    """

    def __init__(
        self, image: str, cwd: str = "/workspace/repo", timeout: float = 3600, host: str | None = None, **options: Any
    ) -> None:
        chosen = EnvironmentOptions(cwd=cwd, lifetime=timeout, **options)
        super().__init__("docker", image, options=chosen, settings={} if host is None else {"host": host})


class DockerBackend(Backend):
    """Containers."""

    name = "docker"
    settings = frozenset({"host"})
    missing_image = Check(
        name="images", ok=True, detail="will be pulled first", fix="cooperbench images pull, to have it done before"
    )
    builds_bundled_images = True

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return all of them."""
        return frozenset(Capability)

    def checks(self) -> Iterator[Check]:
        """Check the engine, the free space on its disk, and the images of tasks."""
        answers = attempt("engine", lambda: describe(connect(None)))
        yield answers
        if not answers.ok:
            return
        root = data_root(connect(None))
        if root is not None:
            yield check_space(root, fix="docker system df, cooperbench clean, docker image prune")
        here = len(images.task_images(connect(None)))
        yield Check(
            name="images", ok=True, detail=f"{here} task images are here; list them with cooperbench images list"
        )

    def free_space(self) -> int | None:
        """Return the free bytes where the engine stores its images, if that is on this machine."""
        root = data_root(connect(None))
        return None if root is None else shutil.disk_usage(root).free

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one container."""
        return DockerTransport.prepare(image, options, labels, settings.get("host"))

    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running container."""
        return attach(handle)

    def image_digest(self, recipe: ImageRecipe) -> str | None:
        """Return the digest of the image if the engine has it."""
        return self.image_facts(recipe).digest

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Build bundled images and pull others, unless they are there."""
        engine = connect(None)
        found = images.facts_of(engine, recipe).digest
        if found is not None:
            return found
        if recipe.bundled:
            return images.build(engine, recipe, None, None)
        if not recipe.in_registry:
            raise ImageError(
                f"the image {recipe.name!r} was not built", subject=recipe.name, hint=build_command(self.name, recipe)
            )
        try:
            return images.pull(engine, recipe.name)
        except ImageError as error:
            raise ImageError(
                error.message,
                subject=recipe.name,
                hint=(error.hint or "").replace("cooperbench images build", build_command(self.name, recipe)),
            ) from error

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        """Return digest, platform and size of the image if the engine has it."""
        return images.facts_of(connect(None), recipe)

    def pull_image(self, recipe: ImageRecipe, platform: str | None, progress: Progress | None) -> str | None:
        """Pull it from its registry, or build a bundled one, unless it is here."""
        if recipe.bundled:
            return self.ensure_image(recipe)
        return images.ensure_pulled(connect(None), recipe.name, platform, progress).digest

    def build_image(
        self,
        recipe: ImageRecipe,
        *,
        repo_source: Path | None,
        base_image: str | None,
        progress: Progress | None = None,
    ) -> str | None:
        """Build from the task's Dockerfile."""
        if recipe.setup is not None:
            raise UsageError(
                "setup commands are only for local images", subject=recipe.name, hint="put them into the Dockerfile"
            )
        return images.build(connect(None), recipe, repo_source, base_image, progress)

    def remove_image(self, name: str) -> None:
        """Remove it from the engine, which refuses for one that a container uses."""
        images.remove(connect(None), name)

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return containers, networks, volumes and snapshot images with our label."""
        return orphans.find(connect(None), run)

    def remove(self, orphan: Orphan) -> None:
        """Remove one orphan."""
        orphans.remove(connect(None), orphan)
