from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.tasks import Task, discover_tasks


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images, bases and references of these tests, made once and apart from the user's."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOPERBENCH_CACHE_DIR", str(path))
        yield path


@pytest.fixture(scope="session")
def ledgerkit() -> Task:
    return discover_tasks(subset="demo", repo="ledgerkit")[0]


@pytest.fixture(scope="session")
def shelfdb() -> Task:
    return discover_tasks(subset="demo", repo="shelfdb")[0]
