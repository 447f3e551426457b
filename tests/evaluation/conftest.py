import pytest

from cooperbench.tasks import Task, discover_tasks


@pytest.fixture(scope="session")
def ledgerkit() -> Task:
    return discover_tasks(subset="demo", repo="ledgerkit")[0]


@pytest.fixture(scope="session")
def shelfdb() -> Task:
    return discover_tasks(subset="demo", repo="shelfdb")[0]
