import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cooperbench.environments import SandboxLabels, attach, get_backend, open_environment
from cooperbench.environments.gcp import GCPEnvironment
from cooperbench.environments.gcp.machine import label_of
from cooperbench.errors import CapabilityError, QuotaError, SandboxLostError, UsageError
from tests.standins.gce import PROJECT, GceStandin
from tests.standins.gce.account import Account

pytestmark = [pytest.mark.docker, pytest.mark.ci, pytest.mark.xdist_group("gcp-machines")]

IMAGE = "cooperbench-test/sandbox:latest"
RUN = "My Run!"
"""Most tests share its machines, as each takes 4 s to make: the first looks at the first one, the last removes them."""
ZONES = "us-central1-a,us-central1-b"


@pytest.fixture
def environment(gce_standin: GceStandin) -> Iterator[GCPEnvironment]:
    with GCPEnvironment(image=IMAGE, cwd="/workspace/repo", timeout=3600) as environment:
        yield environment


def until(condition: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_the_image_counts_and_not_its_entrypoint(environment: GCPEnvironment) -> None:
    result = environment.execute("mytool; echo $IMG_VAR; pwd; exit 7")
    assert (result["output"], result["returncode"]) == ("tool-ok\nfrom-image\n/workspace/repo\n", 7)
    assert environment.isolation == "gcp"


def test_a_machine_is_made_as_promised(gce_standin: GceStandin) -> None:
    with open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN)) as environment:
        name = environment.handle().details["machine"]
        [asked] = [body for body in gce_standin.api.inserts if body["name"] == name]
        [machine] = [machine for machine in gce_standin.machines if machine.resource["name"] == name]
        assert asked["labels"] == {"cooperbench": "1", "cooperbench-run": label_of(RUN)}
        assert asked["scheduling"]["maxRunDuration"] == {"seconds": str(24 * 3600)}
        assert asked["scheduling"]["instanceTerminationAction"] == "DELETE"
        assert asked.get("serviceAccounts", []) == []
        assert machine.metadata["block-project-ssh-keys"] == "TRUE"
        rules = gce_standin.inside(machine, "iptables -S DOCKER-USER")
        assert "-A DOCKER-USER -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DROP" in rules
        [found] = get_backend("gcp").orphans(RUN)
        assert (found.identifier, found.run, found.running) == (name, RUN, True)


@pytest.mark.slow
def test_environments_of_a_run_share_machines(gce_standin: GceStandin) -> None:
    machines: list[str] = []

    def use() -> None:
        with open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN)) as environment:
            assert environment.execute("echo works")["output"] == "works\n"
            together.wait(60)
            machines.append(environment.handle().details["machine"])

    together = threading.Barrier(5)
    threads = [threading.Thread(target=use) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(machines) == 5
    assert len(set(machines)) == 2  # of four slots each


def test_a_zone_without_room_is_passed_over(gce_standin: GceStandin) -> None:
    gce_standin.no_room()
    with GCPEnvironment(IMAGE, project_id=PROJECT, zone=ZONES) as environment:
        assert environment.handle().details["zone"] == "us-central1-b"


def test_used_up_quota_is_told_as_such(gce_standin: GceStandin) -> None:
    before = len(gce_standin.machines)
    gce_standin.no_quota()
    with pytest.raises(QuotaError, match="'CPUS' exceeded") as caught:
        GCPEnvironment(IMAGE, zone="europe-west1-b")
    assert "iam-admin/quotas" in str(caught.value.hint)
    assert len(gce_standin.machines) == before


def test_a_cut_connection_runs_a_command_once(environment: GCPEnvironment, gce_standin: GceStandin) -> None:
    environment.execute("mkfifo /tmp/started /tmp/go")
    results = []

    def run() -> None:
        results.append(environment.execute("echo once >>/tmp/count; echo >/tmp/started; cat /tmp/go; cat /tmp/count"))

    running = threading.Thread(target=run)
    running.start()
    environment.execute("cat /tmp/started")
    assert gce_standin.cut_connections() > 0
    environment.execute("echo went >/tmp/go")
    running.join(60)
    assert [result["output"] for result in results] == ["went\nonce\n"]


@pytest.mark.slow
def test_a_preempted_machine_is_a_lost_sandbox(gce_standin: GceStandin) -> None:
    environment = open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN))
    handle = environment.handle()
    with attach(handle) as other:
        assert other.execute("echo attached")["output"] == "attached\n"
    environment.cleanup()
    environment = open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN))
    [machine] = [
        known for known in gce_standin.machines if known.resource["name"] == environment.handle().details["machine"]
    ]
    gce_standin.preempt(machine)
    with pytest.raises(SandboxLostError):
        environment.execute("true")
    environment.cleanup()
    with pytest.raises(SandboxLostError):
        attach(environment.handle())
    with open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN)) as another:  # not on the dead machine
        assert another.execute("echo new")["output"] == "new\n"


@pytest.mark.slow
def test_an_unused_machine_is_deleted_even_if_its_user_was_killed(gce_standin: GceStandin, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[gcp]\nidle_seconds = 1\n")
    code = (
        "import os, signal\n"
        "from cooperbench.environments import SandboxLabels, open_environment\n"
        f"open_environment('gcp', {IMAGE!r}, labels=SandboxLabels(run='killed'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "COOPERBENCH_CONFIG_DIR": str(tmp_path)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(get_backend("gcp").orphans("killed")) == 1
    assert until(lambda: get_backend("gcp").orphans("killed") == [])


def test_orphans_of_one_run_are_removed_and_no_others(gce_standin: GceStandin) -> None:
    backend = get_backend("gcp")
    left = open_environment("gcp", IMAGE, labels=SandboxLabels(run=RUN))
    with GCPEnvironment(IMAGE) as working:
        for orphan in backend.orphans(RUN):
            backend.remove(orphan)
            backend.remove(orphan)
        with pytest.raises(SandboxLostError):
            left.execute("true")
        assert working.execute("echo works")["output"] == "works\n"
    left.cleanup()


def test_what_cannot_be_is_refused_before_anything_starts(
    gce_standin: GceStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(gce_standin.api.inserts)
    with pytest.raises(CapabilityError, match="lifetime"):
        GCPEnvironment(IMAGE, timeout=48 * 3600)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    with pytest.raises(UsageError, match="gcp needs project_id"):
        GCPEnvironment(IMAGE)
    assert len(gce_standin.api.inserts) == before


def test_bad_credentials_are_told_as_such(gce_standin: GceStandin, tmp_path: Path) -> None:
    code = (
        "from cooperbench.environments.gcp import GCPEnvironment\n"
        f"try: GCPEnvironment({IMAGE!r})\n"
        "except Exception as error: print(type(error).__name__, error.hint)\n"
    )
    stranger = Account(PROJECT, tmp_path)
    env = {**os.environ, "GOOGLE_APPLICATION_CREDENTIALS": str(stranger.file)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "SandboxCredentialsError gcloud auth application-default login"
