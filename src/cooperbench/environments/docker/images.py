"""Images of the Docker engine: digests, pulling, and building for the engine's processor without a download."""

import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench._git import Git
from cooperbench.environments.backend import ImageFacts, Progress
from cooperbench.environments.docker.engine import DockerEngine, translated
from cooperbench.errors import ImageError, SandboxError
from cooperbench.records import ImageRecipe

SNAPSHOTS = "cooperbench-snapshot"
SOURCE = "cooperbench-source"
BUILD = "build it: cooperbench images build; or log in: docker login"
MIRROR = (
    "check the engine's network; or name a mirror: COOPERBENCH_IMAGE_REGISTRY; or build it: cooperbench images build"
)
_NETWORK = re.compile(
    r"no such host|dial tcp|i/o timeout|connection refused|network is unreachable|TLS handshake|EOF\b"
)
_GIT = Git(ImageError)

FETCHED = re.compile(r"https?://[A-Za-z0-9.-]+/[A-Za-z0-9._/-]+?(?:\.git)?(?=[\s\"';|&)]|$)")


def facts_of(engine: DockerEngine, recipe: ImageRecipe) -> ImageFacts:
    """Return what the engine knows of a recipe's image. One that an earlier version built gets its present name."""
    found = facts(engine, recipe.name)
    if found.here or recipe.former_name is None or not facts(engine, recipe.former_name).here:
        return found
    repository, _, tag = recipe.name.rpartition(":")
    with translated(recipe.name):
        engine.client.images.get(recipe.former_name).tag(repository, tag)
    return facts(engine, recipe.name)


def digest(engine: DockerEngine, name: str) -> str | None:
    """Return the digest of an image that is here: the registry's, or for images built here the engine's own id."""
    return facts(engine, name).digest


class PulledImage(NamedTuple):
    """An image that is here."""

    digest: str
    user: str
    """As the image names it; empty for root."""


def facts(engine: DockerEngine, name: str) -> ImageFacts:
    """Return what the engine knows of an image."""
    found = _inspected(engine, name)
    if found is None:
        return ImageFacts(backend="docker", name=name, here=False)
    return ImageFacts(
        backend="docker",
        name=name,
        here=True,
        digest=_digest_in(found),
        platform=f"{found.get('Os', 'linux')}/{found.get('Architecture', '')}".rstrip("/"),
        bytes=found.get("Size"),
    )


def _inspected(engine: DockerEngine, name: str) -> dict[str, Any] | None:
    from docker import errors

    with translated(name):
        try:
            return engine.client.images.get(name).attrs
        except errors.ImageNotFound:
            return None


def _digest_in(found: dict[str, Any]) -> str:
    published = found.get("RepoDigests") or []
    return str(published[0]).split("@", 1)[1] if published else str(found["Id"])


def remove(engine: DockerEngine, name: str) -> None:
    """Remove an image's name, and its layers with the last name. Raises `SandboxError` when a container uses it."""
    with translated(name):
        engine.client.images.remove(name)


def task_images(engine: DockerEngine) -> list[str]:
    """Return the names of the images of tasks that the engine has."""
    with translated(engine.address):
        images = engine.client.images.list()
    return [tag for image in images for tag in image.tags if "cooperbench-" in tag or tag.startswith("demo:")]


def architectures(engine: DockerEngine, name: str) -> tuple[str, str]:
    """Return the engine's processor and the image's, in the same terms (`amd64`, `arm64`, …)."""
    with translated(name):
        ours = str(engine.client.version()["Arch"])
        return ours, str(engine.client.images.get(name).attrs.get("Architecture", ours))


def ensure_pulled(
    engine: DockerEngine, name: str, platform: str | None = None, progress: Progress | None = None
) -> PulledImage:
    """Pull an image unless it is here. Raises `ImageError`, `SandboxCredentialsError`."""
    found = _inspected(engine, name)
    if found is None:
        pull(engine, name, platform, progress)
        found = _inspected(engine, name) or {"Id": ""}
    return PulledImage(_digest_in(found), (found.get("Config") or {}).get("User") or "")


def pull(engine: DockerEngine, name: str, platform: str | None = None, progress: Progress | None = None) -> str:
    """Pull an image from its registry and return its digest. Raises `ImageError`, `SandboxCredentialsError`."""
    try:
        _pull(engine, name, platform, progress)
    except SandboxError as error:
        if type(error) is not SandboxError:
            raise
        raise _not_pulled(name, error.message) from error
    found = digest(engine, name)
    if found is None:
        raise ImageError(f"{name!r} is missing after the pull", subject=name)
    return found


def _pull(engine: DockerEngine, name: str, platform: str | None, progress: Progress | None) -> None:
    with translated(name):
        problem = ""  # read on to the end: an abandoned answer leaks its connection
        layers: dict[str, tuple[int, int]] = {}
        for event in engine.client.api.pull(name, stream=True, decode=True, platform=platform):
            problem = problem or str(event.get("error") or "")
            detail = event.get("progressDetail") or {}
            if progress is not None and detail.get("total"):
                layers[event["id"]] = (detail.get("current", 0), detail["total"])
                done, total = (sum(column) for column in zip(*layers.values(), strict=True))
                progress(f"{name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
    if problem:
        raise _not_pulled(name, problem)


def _not_pulled(name: str, reason: str) -> ImageError:
    hint = MIRROR if _NETWORK.search(reason) else BUILD
    return ImageError(f"cannot pull {name!r}: {reason}", subject=name, hint=hint)


def build(
    engine: DockerEngine,
    recipe: ImageRecipe,
    repo_source: Path | None,
    base_image: str | None,
    progress: Progress | None = None,
) -> str:
    """Build a recipe's image from its Dockerfile, strip later history from its repository, and return its digest.

    Raises `ImageError` with the end of the build's output.
    """
    dockerfile = recipe.dockerfile or recipe.context / "Dockerfile"
    if not dockerfile.is_file():
        raise ImageError(f"the Dockerfile of {recipe.name!r} is missing: {dockerfile}", subject=str(dockerfile))
    text = dockerfile.read_text(encoding="utf-8")
    if base_image is not None:
        text = replace_base(text, base_image)
    with tempfile.TemporaryDirectory(prefix="cooperbench-build-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(
            recipe.context, context, symlinks=True, ignore=shutil.ignore_patterns("feature*", "combined.patch")
        )
        if repo_source is not None:
            _check_history(repo_source, recipe.base_commit)
            text = use_clone(text, context, repo_source)
        text = strip_history(text, context, recipe.base_commit)
        (context / "Dockerfile.cooperbench").write_text(text, encoding="utf-8")
        _build(engine, context, recipe.name, progress)
    found = digest(engine, recipe.name)
    if found is None:
        raise ImageError(f"{recipe.name!r} is missing after the build", subject=recipe.name)
    return found


def _build(engine: DockerEngine, context: Path, name: str, progress: Progress | None) -> None:
    output: list[str] = []
    failed = False
    with translated(name):
        events = engine.client.api.build(
            path=str(context), dockerfile="Dockerfile.cooperbench", tag=name, rm=True, forcerm=True, decode=True,
            labels={"cooperbench.image": name},
        )  # fmt: skip
        for event in events:
            line = str(event.get("stream") or event.get("error") or "").rstrip()
            if line:
                output.append(line)
                if progress is not None:
                    progress(line)
            failed = failed or "error" in event
    if failed:
        raise ImageError(f"building {name!r} failed: " + "\n".join(output[-15:]), subject=name)


def replace_base(text: str, base_image: str) -> str:
    """Replace the image of the first stage."""
    return re.sub(r"(?mi)^(FROM\s+(?:--\S+\s+)*)\S+", lambda found: found.group(1) + base_image, text, count=1)


def _check_history(clone: Path, commit: str | None) -> None:
    """Raise `ImageError` with the remedy when a clone lacks the commit or one of its files, as shallow and partial ones do."""
    _GIT.require_commit(clone, commit or "HEAD")
    found = _GIT.run(
        "-c", "protocol.allow=never", "rev-list", "--objects", "--quiet", "--no-walk", f"{commit or 'HEAD'}^{{commit}}",
        cwd=clone, check=False,
    )  # fmt: skip
    if found.code != 0:
        raise ImageError(
            f"{clone} does not hold {commit} with all of its files: {found.stderr.splitlines()[0]}",
            subject=str(clone),
            hint="run git fetch --unshallow or git fetch --refetch in it",
        )


def use_clone(text: str, context: Path, clone: Path) -> str:
    """Put a local clone into the build context, and let git use it instead of the addresses in the build files."""
    _GIT.run("clone", "--quiet", "--mirror", clone, context / SOURCE)
    scripts = [text, *(path.read_text("utf-8", "replace") for path in context.glob("*.sh"))]
    lines = [line for script in scripts for line in script.splitlines() if "git " in line]
    addresses = {found.removesuffix(".git") for line in lines for found in FETCHED.findall(line)}
    if not addresses:
        raise SandboxError("the Dockerfile clones no repository that a local clone could replace", subject=str(clone))
    places = sorted((address + end for address in addresses for end in ("", ".git")), reverse=True)
    settings = [
        f'[url "file:///{SOURCE}"]',
        *(f"\tinsteadOf = {place}" for place in places),
        "[safe]",
        "\tdirectory = *",
    ]
    (context / "cooperbench.gitconfig").write_text("\n".join(settings) + "\n", encoding="utf-8")
    copied = f"COPY {SOURCE} /{SOURCE}\nCOPY cooperbench.gitconfig /etc/gitconfig\n"
    text = re.sub(r"(?mi)^FROM\s.*\n", lambda found: found.group(0) + copied, text)
    return text + f"\nRUN rm -rf /{SOURCE} /etc/gitconfig\n"


def strip_history(text: str, context: Path, base_commit: str | None) -> str:
    """Add a last step that removes everything after the base commit from the image's repository."""
    script = files("cooperbench.environments").joinpath("inside/strip.sh").read_bytes()
    (context / "cooperbench-strip.sh").write_bytes(script)
    commit = base_commit or "HEAD"
    return (
        text
        + "\nCOPY cooperbench-strip.sh /tmp/cooperbench-strip.sh\n"
        + "RUN if [ -e /workspace/repo/.git ]; then cd /workspace/repo && "
        + f'sh /tmp/cooperbench-strip.sh "{commit}"; fi && {{ rm -f /tmp/cooperbench-strip.sh 2>/dev/null || true; }}\n'
    )
