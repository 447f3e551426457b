"""Images of tasks on every backend: there, pulled, or built."""

from pathlib import Path

from cooperbench.environments.backend import ImageFacts, Progress, get_backend
from cooperbench.records import ImageRecipe


def ensure_image(backend: str, recipe: ImageRecipe) -> str | None:
    """Make sure that environments can start from a recipe's image; the digest, where one is known.

    Bundled images are built without asking. Raises `ImageError` with the command to type for others that are missing.
    """
    return get_backend(backend).ensure_image(recipe)


def image_facts(backend: str, recipe: ImageRecipe) -> ImageFacts:
    """Whether a recipe's image is at a backend, with digest, platform and size where they are known."""
    return get_backend(backend).image_facts(recipe)


def pull_image(
    backend: str, recipe: ImageRecipe, *, platform: str | None = None, progress: Progress | None = None
) -> str | None:
    """Get a recipe's image from where it is published, unless it is here, and return its digest.

    Raises `ImageError`, `SandboxCredentialsError`.
    """
    return get_backend(backend).pull_image(recipe, platform, progress)


def build_image(
    backend: str,
    recipe: ImageRecipe,
    *,
    repo_source: Path | None = None,
    base_image: str | None = None,
    progress: Progress | None = None,
) -> str | None:
    """Build a recipe's image for the host's processor, and return its digest.

    `repo_source` is a local clone that takes the place of the recipe's own source or download, `base_image` another image for
    the first FROM of its Dockerfile. Raises `ImageError`, or `UsageError` for what the backend cannot use.
    """
    return get_backend(backend).build_image(recipe, repo_source=repo_source, base_image=base_image, progress=progress)
