from pathlib import Path

import pytest

from cooperbench.collaboration.broker import Broker


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
