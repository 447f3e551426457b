"""A whole pair on a cluster, to its verdict."""

from pathlib import Path

import pytest

from cooperbench.environments import ensure_image
from cooperbench.tasks import find_task
from tests.command_line import cooperbench
from tests.standins.kubernetes import NAMESPACE, REGISTRY, KubernetesStandin

pytestmark = [pytest.mark.needs("sandbox", "k8s"), pytest.mark.slow, pytest.mark.ci]

RUN = ("run", "-s", "demo", "-r", "ledgerkit", "-f", "2,5", "-a", "gold", "--backend", "kubernetes")


@pytest.fixture
def env(kubernetes_standin: KubernetesStandin, tmp_path: Path) -> dict[str, str]:
    return {"COOPERBENCH_CONFIG_DIR": str(tmp_path / "config"), "COOPERBENCH_LOG_DIR": str(tmp_path / "logs")}


def test_images_that_no_registry_has_are_refused_before_the_start(env: dict[str, str]) -> None:
    asked = cooperbench(*RUN, env=env)
    assert asked.code == 2
    assert "are in no registry" in asked.err
    assert "cooperbench config kubernetes --registry" in asked.err
    assert "are in no registry" in cooperbench(*RUN, "--dry-run", env=env).out
    built = cooperbench("images", "build", "-s", "demo", "-r", "ledgerkit", "--backend", "kubernetes", env=env)
    assert (built.code, "does not build them" in built.err) == (2, True)


def test_a_pair_whose_pod_is_evicted_is_repeated_and_judged(
    kubernetes_standin: KubernetesStandin, env: dict[str, str]
) -> None:
    """The first attempt is lost with its node; the second one is completed, and nothing is left in the namespace."""
    ensure_image("local", find_task("ledgerkit_task/1", subset="demo").recipe)
    assert cooperbench("config", "kubernetes", "--registry", REGISTRY, env=env).code == 0
    kubernetes_standin.evict_next()
    done = cooperbench(*RUN, "-n", "pair", env=env)
    assert done.code == 0, done.err
    assert "1/1 episodes completed, 1/1 passed" in done.out
    assert "Evicted" in done.err
    assert [key for key in kubernetes_standin.api.pods if key[0] == NAMESPACE] == []
    assert "nothing to remove" in cooperbench("clean", "--backend", "kubernetes", env=env).out
