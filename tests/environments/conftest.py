from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.environments import LocalEnvironment
from cooperbench.testing import sample_image


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this test session."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("COOPERBENCH_CACHE_DIR", str(path))
        yield path


@pytest.fixture(scope="session")
def image(cache: Path) -> str:
    """A local image with a small Python project."""
    return sample_image(host_packages=("pytest",))


@pytest.fixture
def local(image: str) -> Iterator[LocalEnvironment]:
    """A running local sandbox."""
    with LocalEnvironment(image) as environment:
        yield environment
