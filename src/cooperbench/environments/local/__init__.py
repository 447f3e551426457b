"""The local backend: no engine, no account, no root."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cooperbench.environments.backend import MUST_BE_BUILT, Backend, ImageFacts, Orphan, Progress, build_command
from cooperbench.environments.contract import Capability, EnvironmentOptions, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.environment import Environment
from cooperbench.environments.local import build, orphans, store, unpacking
from cooperbench.environments.local.isolation import Isolation, choose
from cooperbench.environments.local.rootfs import overlays_work
from cooperbench.environments.local.setup import build_with_setup
from cooperbench.environments.local.sources import ImageSource, find_sources
from cooperbench.environments.local.system_calls import describe
from cooperbench.environments.local.transport import LocalTransport, attach, sandboxes
from cooperbench.environments.readiness import Check, attempt, check_space
from cooperbench.errors import ImageError, SandboxError, UsageError
from cooperbench.records import ImageRecipe, NetworkAccess, cache_dir

__all__ = ["LocalBackend", "LocalEnvironment"]


class LocalEnvironment(Environment):
    """A sandbox on this machine. `timeout` is its lifetime in seconds; `options` are further fields of `EnvironmentOptions`."""

    def __init__(self, image: str, cwd: str = "/workspace/repo", timeout: float = 3600, **options: Any) -> None:
        super().__init__("local", image, options=EnvironmentOptions(cwd=cwd, lifetime=timeout, **options))


class LocalBackend(Backend):
    """Sandboxes in Linux namespaces, see `isolation`."""

    name = "local"
    missing_image = MUST_BE_BUILT
    builds_bundled_images = True
    tries_bundled_image = True
    default_network = "none"
    default_network_reason = "its images contain what their tasks need"

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return snapshots, and where namespaces are available also what needs them."""
        try:
            isolated = choose(allow_unsandboxed=True) is not Isolation.NONE
        except SandboxError:
            isolated = False
        if not isolated:
            return frozenset({Capability.SNAPSHOT})
        return frozenset({Capability.SNAPSHOT, Capability.NETWORK_OFF, Capability.LAYERS})

    def network(self, options: EnvironmentOptions) -> NetworkAccess:
        """Return what sandboxes reach: without isolation, whatever this machine does."""
        found = super().network(options)
        if found.mode == "none" and Capability.NETWORK_OFF not in self.capabilities({}):
            reason = "nothing isolates commands on this machine, whose network they share"
            return NetworkAccess(mode="full", reason=reason, reaches_upstream=True)
        return found

    def checks(self) -> Iterator[Check]:
        """Check the isolation, git and the free space of the cache."""
        yield attempt("isolation", lambda: f"{choose(allow_unsandboxed=False).value}; {describe()}")
        git = shutil.which("git")
        fix = None if git else "install git 2.38 or newer"
        yield Check(name="git", ok=git is not None, detail=git or "not installed", fix=fix)
        yield container_images()
        yield check_space(cache_dir(), fix="cooperbench clean, or set COOPERBENCH_CACHE_DIR to a larger disk")

    def free_space(self) -> int | None:
        """Return the free bytes where the cache is, if there is one yet."""
        return shutil.disk_usage(cache_dir()).free if cache_dir().is_dir() else None

    def before_forking(self) -> None:
        """Try the isolation once, instead of in each agent's process."""
        sandboxes().mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(SandboxError):
            overlays_work(choose(allow_unsandboxed=True), sandboxes())

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one sandbox."""
        return LocalTransport.prepare(image, options, labels)

    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running sandbox."""
        return attach(handle)

    def image_digest(self, recipe: ImageRecipe) -> str | None:
        """Return the digest of the image if it is here; for a bundled one, only if it is current.

        A user built the others, maybe with setup commands that the recipe does not know. They are valid until built again.
        """
        found = store.find(recipe.name)
        if found is None:
            return None
        if (
            recipe.bundled
            and recipe.repository is not None
            and found.record.container is None
            and build.key_of(recipe, recipe.repository) != found.record.digest
        ):
            return None
        return found.record.digest

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Build bundled images without asking; others must exist."""
        found = self.image_digest(recipe)
        if found is not None:
            return found
        if recipe.bundled and recipe.repository is not None:
            return build.build(recipe, recipe.repository).digest
        raise ImageError(
            f"the local image {recipe.name!r} does not exist",
            subject=recipe.name,
            hint=self._commands(recipe),
        )

    def _commands(self, recipe: ImageRecipe) -> str:
        build = build_command(self.name, recipe)
        if not recipe.in_registry:
            return build
        return f"{build.replace('images build', 'images pull').partition(' --repo-source')[0]}, or {build}"

    def image_facts(self, recipe: ImageRecipe) -> ImageFacts:
        """Return the digest of the image if it is here; for an unpacked one also platform and size."""
        facts, found = super().image_facts(recipe), store.find(recipe.name)
        if not facts.here or found is None or found.record.container is None:
            return facts
        container = found.record.container
        return facts.model_copy(update={"platform": container.platform, "bytes": container.bytes})

    def pull_image(self, recipe: ImageRecipe, platform: str | None, progress: Progress | None) -> str | None:
        """Unpack it from its registry, unless it is here; build what comes with its repository."""
        if platform is not None:
            raise UsageError("local images are always for this machine", subject=recipe.name, hint="omit --platform")
        found = self.image_digest(recipe)
        if found is not None:
            return found
        if not recipe.in_registry:
            return self.ensure_image(recipe)
        return unpacking.unpack(ImageSource(f"docker://{recipe.name}", recipe.name), recipe.name).digest

    def unpack_images(self, place: str, name: str | None) -> list[ImageFacts]:
        """Unpack what a file of `docker save`, an OCI layout or a reference of skopeo holds."""
        found = find_sources(place)
        if name is not None and len(found) > 1:
            names = ", ".join(source.name or source.reference for source in found)
            raise UsageError(f"{place} holds {len(found)} images ({names})", subject=place, hint="omit the name")
        facts = []
        for source in found:
            called = name or source.name
            if called is None:
                raise UsageError(
                    f"the image in {place} has no name", subject=place, hint=f"cooperbench images unpack {place} NAME"
                )
            record = unpacking.unpack(source, called)
            assert record.container is not None
            facts.append(
                ImageFacts(
                    backend=self.name,
                    name=called,
                    here=True,
                    digest=record.digest,
                    platform=record.container.platform,
                    bytes=record.container.bytes,
                )
            )
        return facts

    def build_image(
        self,
        recipe: ImageRecipe,
        *,
        repo_source: Path | None,
        base_image: str | None,
        progress: Progress | None = None,
    ) -> str | None:
        """Build an image from the recipe's repository or a local clone, and run its setup commands."""
        if base_image is not None:
            raise UsageError("local images do not have a base image", subject=recipe.name, hint="omit --base-image")
        source = repo_source or recipe.repository
        if source is None:
            raise UsageError(
                f"{recipe.name!r} does not include its repository",
                subject=recipe.name,
                hint="name a local clone: --repo-source",
            )
        return (build_with_setup if recipe.setup else build.build)(recipe, source).digest

    def remove_image(self, name: str) -> None:
        """Remove it from the cache, unless a sandbox uses it."""
        with store.building(name):
            users = orphans.using(name)
            if users:
                raise SandboxError(f"the image {name!r} is used by the sandbox {users[0]}", subject=name)
            store.remove(name)

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return folders of sandboxes, running or not, and snapshots."""
        return orphans.find(run)

    def remove(self, orphan: Orphan) -> None:
        """End a sandbox and remove its folder, or remove a snapshot."""
        orphans.remove(orphan)


def container_images() -> Check:
    """Check whether container images can be unpacked on this machine. Local images do without."""
    absent = unpacking.missing_programs()
    if absent:
        detail = f"not without {' and '.join(absent)}, which unpack them for hosts without an engine"
        return Check(name="container images", ok=True, detail=detail, fix=unpacking.INSTALL)
    return Check(name="container images", ok=True, detail="can be unpacked, without an engine")
