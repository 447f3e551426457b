from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.standins.kubernetes import KubernetesStandin


@pytest.fixture
def cluster(
    kubernetes_standin: "KubernetesStandin", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "KubernetesStandin":
    """The stand-in, where the user has set up nothing but a kubeconfig file."""
    monkeypatch.setenv("COOPERBENCH_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return kubernetes_standin
