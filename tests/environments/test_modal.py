import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpclib import Status

from cooperbench.environments import EnvironmentOptions, SandboxLabels, attach, get_backend, open_environment
from cooperbench.environments.modal import ModalEnvironment
from cooperbench.errors import CapabilityError, ImageError, SandboxLostError, TransportError
from tests.standins.modal import ModalStandin

pytestmark = [pytest.mark.docker, pytest.mark.ci]

IMAGE = "cooperbench-test/sandbox:latest"


@pytest.fixture
def environment(modal_standin: ModalStandin) -> Iterator[ModalEnvironment]:
    with ModalEnvironment(image=IMAGE, cwd="/workspace/repo", timeout=3600) as environment:
        yield environment


def test_the_image_counts_and_not_its_entrypoint(environment: ModalEnvironment) -> None:
    result = environment.execute("mytool; echo $IMG_VAR; pwd; exit 7")
    assert (result["output"], result["returncode"]) == ("tool-ok\nfrom-image\n/workspace/repo\n", 7)
    assert environment.isolation == "modal"


def test_limits_and_labels_reach_modal(modal_standin: ModalStandin) -> None:
    labels = SandboxLabels(run="labelled", episode="e1", agent_id="agent2")
    with ModalEnvironment(IMAGE, timeout=90, memory_mb=256, cpus=0.5, network="none") as limited:
        definition = modal_standin.fleet.find(limited.handle().identifier).definition
        assert definition.timeout_secs == 90
        assert definition.resources.memory_mb_max == 256
        assert definition.resources.milli_cpu_max == 500
        assert limited.execute("ls /sys/class/net")["output"] == "lo\n"
    with pytest.raises(CapabilityError, match="processes=100"):
        ModalEnvironment(IMAGE, processes=100)
    with pytest.raises(CapabilityError, match="linux/arm64"):
        ModalEnvironment(IMAGE, platform="linux/arm64")
    with open_environment("modal", IMAGE, labels=labels):
        [found] = get_backend("modal").orphans("labelled")
        assert (found.run, found.running, found.description) == ("labelled", True, "e1 agent2")
    assert get_backend("modal").orphans("labelled") == []


def test_an_unknown_image_is_named(modal_standin: ModalStandin) -> None:
    with pytest.raises(ImageError, match="no/such:image"):
        ModalEnvironment("no/such:image")


def test_creations_are_held_back_when_modal_throttles(modal_standin: ModalStandin) -> None:
    before = len(modal_standin.calls.times["SandboxCreateV2"])
    modal_standin.fail_next("SandboxCreateV2", Status.RESOURCE_EXHAUSTED, "too many sandboxes", times=2)
    with ModalEnvironment(IMAGE) as environment:
        assert environment.execute("echo made")["output"] == "made\n"
    first, second, third = modal_standin.calls.times["SandboxCreateV2"][before:]
    assert second - first >= 1.0
    assert third - second >= 1.0


def test_a_cut_connection_runs_a_command_once(environment: ModalEnvironment, modal_standin: ModalStandin) -> None:
    environment.execute("mkfifo /tmp/started /tmp/go")
    results = []

    def run() -> None:
        results.append(environment.execute("echo once >>/tmp/count; echo >/tmp/started; cat /tmp/go; cat /tmp/count"))

    running = threading.Thread(target=run)
    running.start()
    environment.execute("cat /tmp/started")
    assert modal_standin.cut_connections() > 0
    environment.execute("echo went >/tmp/go")
    running.join(60)
    assert [result["output"] for result in results] == ["went\nonce\n"]


def test_a_killed_sandbox_is_lost_and_stays_so(modal_standin: ModalStandin) -> None:
    environment = ModalEnvironment(IMAGE)
    handle = environment.handle()
    with attach(handle) as other:
        assert other.execute("echo attached")["output"] == "attached\n"
    with pytest.raises(SandboxLostError):
        environment.execute("true")
    environment.cleanup()
    environment.cleanup()
    with pytest.raises(SandboxLostError):
        attach(handle)


def test_snapshots_are_independent(environment: ModalEnvironment) -> None:
    environment.execute("echo kept >kept.txt")
    snapshot = environment.snapshot()
    environment.execute("echo changed >kept.txt")
    with ModalEnvironment(snapshot) as copy:
        assert copy.execute("cat kept.txt")["output"] == "kept\n"


def test_orphans_of_one_run_are_removed_and_no_others(modal_standin: ModalStandin) -> None:
    backend = get_backend("modal")
    left = open_environment("modal", IMAGE, labels=SandboxLabels(run="left"))
    with open_environment("modal", IMAGE, labels=SandboxLabels(run="working")) as working:
        for orphan in backend.orphans("left"):
            backend.remove(orphan)
            backend.remove(orphan)
        with pytest.raises(SandboxLostError):
            left.execute("true")
        assert working.execute("echo works")["output"] == "works\n"
    left.cleanup()


def test_a_command_past_the_deadline_of_its_exec_is_a_broken_connection(modal_standin: ModalStandin) -> None:
    transport = get_backend("modal").transport(IMAGE, EnvironmentOptions(), SandboxLabels(), {})
    transport.start()
    try:
        with pytest.raises(TransportError, match="did not end within 1 s"):
            transport.run(["sleep", "30"], timeout=1)
        assert transport.run(["echo", "usable"], timeout=60).stdout == b"usable\n"
    finally:
        transport.stop()


@pytest.mark.slow
def test_many_sandboxes_at_a_time() -> None:
    """The benchmark with few; its numbers for 200 are in docs/design/cloud-backends.md."""
    benchmark = Path(__file__).parents[2] / "benchmarks" / "modal_concurrency.py"
    done = subprocess.run([sys.executable, str(benchmark), "16", "5"], capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    assert (facts["errors"], facts["commands"], facts["unwritten_calls"]) == (0, 80, {})
    assert facts["threads"] <= 16 * 2 + 10
    assert facts["peak_memory_mb"] < 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"MODAL_TOKEN_SECRET": "wrong"}, "SandboxCredentialsError"),
        ({"MODAL_TOKEN_ID": "", "MODAL_TOKEN_SECRET": "", "HOME": "/nonexistent"}, "SandboxCredentialsError"),
    ],
)
def test_bad_credentials_are_told_as_such(modal_standin: ModalStandin, change: dict[str, str], error: str) -> None:
    code = (
        "from cooperbench.environments.modal import ModalEnvironment\n"
        f"try: ModalEnvironment({IMAGE!r})\n"
        "except Exception as error: print(type(error).__name__, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **change}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [error, *["modal", "token", "new,", "or", "cooperbench", "config", "modal"]]
