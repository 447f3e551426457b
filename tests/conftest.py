"""What several rooms share: stand-ins for providers, and when tests that need an engine run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.standins.gce import GceStandin
    from tests.standins.modal import ModalStandin

pytest.register_assert_rewrite("cooperbench.testing.conformance")

# How long an example takes is the machine's business: with three suites on two cores one took more than the default 200 ms.
settings.register_profile("cooperbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cooperbench")

# A shell that starts something in the background has it ignore Ctrl-C, and whatever it starts in turn; many tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests that need an engine where none answers; in CI they fail instead."""
    needing = [item for item in items if item.get_closest_marker("docker")]
    if not needing or os.environ.get("CI") == "true" or _engine_answers():
        return
    for item in needing:
        item.add_marker(pytest.mark.skip(reason="no Docker engine answers"))


def _engine_answers() -> bool:
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture(scope="session")
def modal_standin() -> "Iterator[ModalStandin]":
    """A Modal workspace on loopback, with containers. One for the session: the SDK keeps one client for a process."""
    from tests.standins.modal import Containers, ModalStandin

    with ModalStandin(Containers()) as standin, pytest.MonkeyPatch.context() as patch:
        for name, value in standin.environment.items():
            patch.setenv(name, value)
        yield standin
        assert not standin.calls.unwritten, "the SDK called what the stand-in does not have"


@pytest.fixture(scope="session")
def gce_standin(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[GceStandin]":
    """A project at Compute Engine on loopback, whose machines are containers with sshd.

    Ask for the cache before it: what it leaves there must go first.
    """
    from cooperbench.environments.gcp.pool import known_machines
    from tests.standins.gce import PROJECT, GceStandin

    with GceStandin() as standin, pytest.MonkeyPatch.context() as patch:
        for name, value in standin.environment.items():
            patch.setenv(name, value)
        config = tmp_path_factory.mktemp("gcp-config")
        (config / "config.toml").write_text("[gcp]\nidle_seconds = 300\nslots = 4\n")
        patch.setenv("COOPERBENCH_CONFIG_DIR", str(config))
        yield standin
        for folder in known_machines(PROJECT):  # lets the janitors go
            folder.remove()
        assert not standin.api.unwritten, "the SDK called what the stand-in does not have"
