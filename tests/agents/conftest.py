from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench.collaboration.broker import Broker, open_broker
from cooperbench.environments import LocalEnvironment
from cooperbench.testing import sample_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local image with a small Python project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield sample_image(host_packages=("pytest",))


@pytest.fixture
def env(image: str) -> Iterator[LocalEnvironment]:
    """A running local sandbox."""
    with LocalEnvironment(image) as environment:
        yield environment


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A message broker of this test session."""
    with open_broker() as broker:
        yield broker


@pytest.fixture
def mailboxes(broker: Broker, request: pytest.FixtureRequest) -> dict[str, str]:
    """Addresses of the mailboxes of two members of a new episode."""
    return broker.open_episode(request.node.name, ["agent1", "agent2"])


@pytest.fixture
def gold_patch(tmp_path: Path) -> Path:
    """A patch for the sample image."""
    path = tmp_path / "feature.patch"
    path.write_text(
        "--- a/answer.py\n+++ b/answer.py\n@@ -1,2 +1,2 @@\n def answer():\n-    return 42\n+    return 43\n"
    )
    return path
