"""What the conformance suite does not ask: what reaches the cluster, and what the cluster refuses or takes away."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cooperbench.environments import EnvironmentOptions, SandboxLabels, get_backend, orphans, readiness, reap, remove
from cooperbench.environments.kubernetes import KubernetesEnvironment, transport
from cooperbench.environments.kubernetes.checks import NEEDED
from cooperbench.errors import (
    CapabilityError,
    CapacityError,
    ImageError,
    QuotaError,
    SandboxCredentialsError,
    SandboxError,
    SandboxLostError,
    TransportError,
    UnknownNameError,
    UsageError,
)
from cooperbench.testing.conformance.commands import until
from tests.standins.kubernetes import NAMESPACE, KubernetesStandin
from tests.standins.kubernetes.api import Fault
from tests.standins.kubernetes.kubelet import RunningPod

pytestmark = [pytest.mark.needs("sandbox", "k8s"), pytest.mark.usefixtures("cluster")]


def open_pod(image: str, **options: Any) -> KubernetesEnvironment:
    return KubernetesEnvironment(image, **options)


@pytest.fixture(scope="module")
def pod(kubernetes_standin: KubernetesStandin, image: str) -> Iterator[KubernetesEnvironment]:
    """One that no test of this module breaks."""
    with open_pod(image) as environment:
        yield environment


def spec_of(cluster: KubernetesStandin, environment: KubernetesEnvironment) -> dict[str, Any]:
    found: dict[str, Any] = cluster.pod(environment.handle().identifier)["spec"]
    return found


@pytest.mark.slow
def test_a_pod_has_limits_a_lifetime_and_no_token(cluster: KubernetesStandin, image: str, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(
        '[kubernetes]\nregistry_login = "one, two"\nruntime_class = "gvisor"\nservice_account = "agents"\nnode_selector = "pool=big"\n'
    )
    with open_pod(image, timeout=90.5, cpus=1.5, memory_mb=2048, platform="linux/amd64") as environment:
        spec = spec_of(cluster, environment)
        assert environment.isolation == "gvisor"
    [container] = spec["containers"]
    assert (
        container["resources"]["limits"] == container["resources"]["requests"] == {"cpu": "1500m", "memory": "2048Mi"}
    )
    assert spec["activeDeadlineSeconds"] == 91
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert (spec["runtimeClassName"], spec["serviceAccountName"]) == ("gvisor", "agents")
    assert spec["nodeSelector"] == {"pool": "big", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


def test_what_a_pod_cannot_have_is_refused(image: str) -> None:
    with pytest.raises(CapabilityError, match="kubernetes does not support"):
        open_pod(image, processes=100)


def test_names_of_any_form_find_their_pods(cluster: KubernetesStandin, image: str) -> None:
    odd = SandboxLabels(
        run="größe & mehr/" + "x" * 80, episode="ledgerkit_task/1/f1_f2", agent_id="agent1", owner="ab12"
    )
    like = odd.model_copy(update={"run": odd.run + "y"})
    backend = get_backend("kubernetes")
    made = [backend.transport(image, EnvironmentOptions(), labels, {}) for labels in (odd, like)]
    for each in made:
        each.start()
    [found] = orphans(odd.run, backends=["kubernetes"])
    assert (found.run, found.owner, found.running, found.expired) == (odd.run, "ab12", True, False)
    assert found.description == "ledgerkit_task/1/f1_f2 agent1"
    assert reap("kubernetes", "ab12") == 2
    assert not any(each.alive() for each in made)
    remove(found)


def test_sandboxes_with_the_same_network_share_a_policy(cluster: KubernetesStandin, image: str) -> None:
    with open_pod(image, network="none") as one, open_pod(image, network="none") as other:
        labels = [cluster.pod(each.handle().identifier)["metadata"]["labels"] for each in (one, other)]
    assert labels[0]["cooperbench-network"] == labels[1]["cooperbench-network"]
    policy = cluster.api.policies[NAMESPACE, labels[0]["cooperbench-network"]]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels[0].items()
    assert (policy["policyTypes"], policy["egress"]) == (["Ingress", "Egress"], [])


def test_an_allowlist_is_addresses_and_names_for_them(cluster: KubernetesStandin, image: str) -> None:
    with open_pod(image, network="allowlist", allowed_hosts=("192.0.2.7", "198.51.100.1")) as environment:
        name = cluster.pod(environment.handle().identifier)["metadata"]["labels"]["cooperbench-network"]
    [rule] = cluster.api.policies[NAMESPACE, name]["spec"]["egress"]
    assert [place["ipBlock"]["cidr"] for place in rule["to"]] == ["192.0.2.7/32", "198.51.100.1/32"]
    with pytest.raises(SandboxError, match=r"no\.such\.host\.invalid"):
        open_pod(image, network="allowlist", allowed_hosts=("no.such.host.invalid",))


def test_the_internet_is_neither_private_networks_nor_metadata(
    cluster: KubernetesStandin, pod: KubernetesEnvironment
) -> None:
    name = cluster.pod(pod.handle().identifier)["metadata"]["labels"]["cooperbench-network"]
    internet, names = cluster.api.policies[NAMESPACE, name]["spec"]["egress"]
    [place] = internet["to"]
    assert place["ipBlock"]["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(place["ipBlock"]["except"])
    assert {port["port"] for port in names["ports"]} == {53, 5353}


def test_a_cluster_that_ignores_policies_is_refused(
    cluster: KubernetesStandin, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "POLICY_SECONDS", 0.5)
    monkeypatch.setattr(cluster.api, "enforces_policies", False)
    before = len(cluster.pods)
    with pytest.raises(CapabilityError, match="does not enforce network policies"):
        open_pod(image, network="none")
    assert len(cluster.pods) == before


def test_an_evicted_pod_is_lost_with_the_reason(cluster: KubernetesStandin, image: str) -> None:
    with open_pod(image) as environment:
        name = environment.handle().identifier
        cluster.evict(name)
        with pytest.raises(SandboxLostError, match=r"Evicted: The node was low on resource") as caught:
            environment.execute("true")
        assert caught.value.retryable
        [found] = [orphan for orphan in orphans(backends=["kubernetes"]) if orphan.identifier == name]
        assert (found.expired, found.running) == (True, False)
    assert name not in {body["metadata"]["name"] for body in cluster.pods}


def test_a_command_whose_connection_is_cut_runs_once(cluster: KubernetesStandin, pod: KubernetesEnvironment) -> None:
    pod.execute("rm -f /tmp/count; mkfifo /tmp/started /tmp/go")
    results = []
    command = "echo once >>/tmp/count; echo >/tmp/started; cat /tmp/go; cat /tmp/count"
    running = threading.Thread(target=lambda: results.append(pod.execute(command)))
    running.start()
    pod.execute("cat /tmp/started")
    assert cluster.cut_connections() > 0
    pod.execute("echo went >/tmp/go")
    running.join(60)
    assert [result["output"] for result in results] == ["went\nonce\n"]


@pytest.fixture
def bare(image: str) -> Iterator[transport.KubernetesTransport]:
    made = get_backend("kubernetes").transport(image, EnvironmentOptions(), SandboxLabels(), {})
    assert isinstance(made, transport.KubernetesTransport)
    made.start()
    yield made
    made.stop()


def test_an_end_without_a_status_is_a_broken_connection(
    cluster: KubernetesStandin, bare: transport.KubernetesTransport
) -> None:
    ended = threading.Event()

    def end() -> None:
        while not ended.wait(0.5):  # the first time may be before the command has begun
            cluster.end_commands()

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(TransportError, match="ended before the command"):
        bare.run(["sleep", "100"], timeout=90)
    ended.set()
    ending.join()
    assert bare.run(["sh", "-c", "echo usable; exit 7"], timeout=60)[:2] == (7, b"usable\n")


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_bytes_pass_in_both_directions(
    cluster: KubernetesStandin,
    bare: transport.KubernetesTransport,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    """More than fits into any buffer on the way; with the older protocol nobody can close stdin."""
    monkeypatch.setattr(cluster.api, "protocols", (protocol,))
    data = bytes(range(256)) * 8_000
    command = "cat" if protocol.startswith("v5") else f"head -c {len(data)}"
    done = bare.run(["sh", "-c", f"{command}; echo wrong >&2"], stdin=data, timeout=60)
    assert done == (0, data, b"wrong\n")


def test_a_program_that_is_not_there_has_an_exit_code(bare: transport.KubernetesTransport) -> None:
    assert bare.run(["no-such-program"], timeout=60).returncode == 127


@pytest.mark.slow
def test_a_throttled_request_waits_as_long_as_the_server_says(cluster: KubernetesStandin, image: str) -> None:
    cluster.fail_next("create pods", Fault(429, "TooManyRequests", "please slow down", retry_after=1), times=2)
    begun = time.monotonic()
    with open_pod(image):
        assert time.monotonic() - begun > 2
    cluster.fail_next("create pods/exec", Fault(429, "TooManyRequests", "", retry_after=0))
    with open_pod(image) as environment:
        assert environment.execute("echo here")["output"] == "here\n"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500, "InternalError", "etcdserver: request timed out", lost=True),
        Fault(
            409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "lab": please apply your changes again'
        ),
        Fault(504, "Timeout", "the server was unable to return a response in the time allotted"),
    ],
)
def test_a_creation_whose_answer_is_lost_makes_one_pod(cluster: KubernetesStandin, image: str, fault: Fault) -> None:
    before = len(cluster.pods)
    cluster.fail_next("create pods", fault)
    with open_pod(image) as environment:
        assert environment.execute("echo here")["output"] == "here\n"
        assert len(cluster.pods) == before + 1


def test_an_interrupt_while_the_server_still_creates_leaves_nothing(
    cluster: KubernetesStandin, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, created = len(cluster.pods), cluster.api.created
    monkeypatch.setattr(cluster.api, "create_seconds", 0.4)
    asked = cluster.api.creating

    def interrupt() -> None:
        while cluster.api.creating == asked:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        open_pod(image)
    assert until(lambda: cluster.api.created > created, 60)
    assert len(cluster.pods) == before


QUOTA = 'pods "x" is forbidden: exceeded quota: lab, requested: pods=1, used: pods=20, limited: pods=20'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
ACCOUNT = 'pods "x" is forbidden: error looking up service account lab/agents: serviceaccount "agents" not found'


@pytest.mark.parametrize(
    ("fault", "kind", "hint"),
    [
        (Fault(403, "Forbidden", QUOTA), QuotaError, "lower -c"),
        (Fault(403, "Forbidden", SECURITY), CapabilityError, "pod-security"),
        (Fault(403, "Forbidden", ACCOUNT), SandboxError, "kubectl describe"),
        (Fault(422, "Invalid", 'Pod "x" is invalid: spec.nodeSelector: Invalid value'), SandboxError, None),
    ],
)
def test_a_refused_pod_is_refused_at_once(
    cluster: KubernetesStandin, image: str, fault: Fault, kind: type[SandboxError], hint: str | None
) -> None:
    cluster.fail_next("create pods", fault)
    with pytest.raises(kind) as caught:
        open_pod(image)
    assert fault.message in caught.value.message
    assert not caught.value.retryable
    assert hint is None or hint in (caught.value.hint or "")
    assert not cluster.api.faults["create pods"]


@pytest.mark.parametrize("right", ["create pods", "create pods/exec", "get networkpolicies", "get pods"])
def test_a_missing_right_is_named(
    cluster: KubernetesStandin, image: str, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    monkeypatch.setattr(cluster.api, "forbidden", {right})
    with pytest.raises(SandboxCredentialsError) as caught:
        open_pod(image)
    assert "docs/scale.md" in (caught.value.hint or "")
    found = readiness("kubernetes")
    failed = {check.name: check.detail for check in found.checks if not check.ok}
    assert failed == {"rights": f"you may not {right} in the namespace {NAMESPACE}"}


def waits(reason: str, message: str) -> Any:
    def happens(pod: RunningPod) -> bool:
        pod.waits(reason, message)
        return True

    return happens


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("ErrImagePull", "pull access denied, repository does not exist", "pull access denied"),
        ("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: 401 Unauthorized', "401 Unauthorized"),
        ("InvalidImageName", 'Failed to apply default image tag "A": couldn\'t parse image name', "parse image name"),
        ("RunContainerError", 'exec: "sh": executable file not found in $PATH', "does not run a shell"),
    ],
)
def test_an_image_that_does_not_start_is_an_image_error(
    cluster: KubernetesStandin, image: str, reason: str, message: str, said: str
) -> None:
    cluster.next_start(waits(reason, message))
    with pytest.raises(ImageError, match=said) as caught:
        open_pod(image)
    assert not caught.value.retryable
    assert caught.value.subject == image


def test_a_registry_that_hiccups_is_waited_for(cluster: KubernetesStandin, image: str) -> None:
    def hiccup(pod: RunningPod) -> bool:
        pod.waits("ErrImagePull", "dial tcp: i/o timeout")
        return False

    cluster.next_start(hiccup)
    with open_pod(image) as environment:
        assert environment.execute("echo here")["output"] == "here\n"


def test_a_pod_without_a_node_is_a_lack_of_capacity(
    cluster: KubernetesStandin, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "START_SECONDS", 0.3)

    def unplaced(pod: RunningPod) -> bool:
        said = "0/3 nodes are available: 3 Insufficient cpu."
        pod.status["conditions"] = [{"type": "PodScheduled", "status": "False", "message": said}]
        return True

    cluster.next_start(unplaced)
    with pytest.raises(CapacityError, match="3 Insufficient cpu"):
        open_pod(image)


def test_a_pod_evicted_while_it_starts_is_lost(cluster: KubernetesStandin, image: str) -> None:
    def evicted(pod: RunningPod) -> bool:
        pod.fails("NodeShutdown", "Pod was rejected as the node is shutting down.")
        return True

    cluster.next_start(evicted)
    with pytest.raises(SandboxLostError, match="node is shutting down"):
        open_pod(image)


def failed_check(name: str) -> tuple[str, str]:
    """The check of `doctor` that fails, and what to do."""
    found = readiness("kubernetes")
    [check] = [check for check in found.checks if not check.ok]
    assert check.name == name
    assert "\n" not in check.detail
    return check.detail, check.fix or ""


def test_a_ready_cluster(cluster: KubernetesStandin) -> None:
    before = len(cluster.pods)
    found = readiness("kubernetes")
    assert found.ready
    assert f"namespace {NAMESPACE}" in found.checks[1].detail
    assert len(cluster.pods) == before


def test_the_role_of_the_docs_is_what_is_needed(cluster: KubernetesStandin) -> None:
    text = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
    blocks = [
        block for found in re.findall("```yaml\n(.*?)```", text, re.DOTALL) for block in yaml.safe_load_all(found)
    ]
    [role] = [block for block in blocks if block["kind"] == "Role"]
    granted = {f"{verb} {name}" for rule in role["rules"] for name in rule["resources"] for verb in rule["verbs"]}
    everything = {f"{verb} {'/'.join(filter(None, (name, sub)))}" for _, name, sub, verbs in NEEDED for verb in verbs}
    assert granted == everything
    called = {call for call in cluster.api.calls if "selfsubject" not in call}
    assert called <= granted


def test_no_cluster_is_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    detail, fix = failed_check("usable")
    assert detail.startswith("no cluster is set up here")
    assert "KUBECONFIG" in fix


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"server": "http://127.0.0.1:9"}, "cluster", "cannot reach the cluster"),
        ({"token": "wrong"}, "cluster", "rejects the credentials"),
        ({"namespace": "nowhere"}, "pods", "the namespace 'nowhere' does not exist"),
    ],
)
def test_a_wrong_kubeconfig_file(
    cluster: KubernetesStandin,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changes: dict[str, str],
    name: str,
    said: str,
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.write_kubeconfig(tmp_path / "kubeconfig", **changes)))
    detail, fix = failed_check(name)
    assert said in detail
    assert "kubectl" in fix


@pytest.mark.parametrize("text", ["", "[1, 2", "apiVersion: v1\nclusters: 3\n", "\0", "clusters: []\ncontexts: []\n"])
def test_a_file_that_is_not_a_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    detail, fix = failed_check("usable")
    assert str(tmp_path / "kubeconfig") in detail
    assert "kubectl" in fix


LOGIN_PROGRAM = """#!/bin/sh
case $KUBERNETES_EXEC_INFO in *'"{version}"'*) ;; *) echo "no version" >&2; exit 1 ;; esac
echo '{{"kind": "ExecCredential", "apiVersion": "{version}", "status": {{"token": "'$GIVEN'"}}}}'
"""


@pytest.mark.parametrize("version", ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"])
def test_a_login_program_is_asked(
    cluster: KubernetesStandin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    """As the kubeconfig files of EKS, GKE, AKS and OpenID Connect name one."""
    program = tmp_path / "login"
    program.write_text(LOGIN_PROGRAM.format(version=version))
    program.chmod(0o755)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    def checks(command: Path, given: str) -> list[str]:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        variables = [{"name": "GIVEN", "value": given}]
        login = {"apiVersion": version, "command": str(command), "env": variables, "interactiveMode": "Never"}
        config["users"][0]["user"] = {"exec": login}
        # A name of its own for each: a process keeps its client.
        path = tmp_path / f"kubeconfig-{command.name}-{given}"
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return [f"{check.name}: {check.detail}" for check in readiness("kubernetes").checks if not check.ok]

    assert checks(program, cluster.token) == []
    assert checks(program, "old") == ["cluster: the cluster rejects the credentials"]
    [missing] = checks(tmp_path / "missing", cluster.token)
    assert missing.startswith("cluster: cannot log in: ")
    program.write_text("#!/bin/sh\necho please log in >&2; exit 3\n")
    [failed] = checks(program, "nothing")
    assert "please log in" in failed


def test_contexts_of_several_files(cluster: KubernetesStandin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = cluster.write_kubeconfig(tmp_path / "other", context="other", namespace="nowhere")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{other}:{cluster.kubeconfig}")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('[kubernetes]\ncontext = "standin"\n')
    assert readiness("kubernetes").ready
    (tmp_path / "config" / "config.toml").write_text('[kubernetes]\ncontext = "stand-in"\n')
    with pytest.raises(UnknownNameError, match="did you mean 'standin'"):
        orphans(backends=["kubernetes"])
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="which does not exist"):
        orphans(backends=["kubernetes"])


@pytest.mark.slow
def test_without_the_client_the_extra_is_named() -> None:
    hidden = (
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'lightkube' else real(name, *rest)\n"
        "from cooperbench.environments import readiness\n"
        "[check] = readiness('kubernetes').checks\n"
        "print(check.detail, '|', check.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=True)
    detail, _, fix = done.stdout.partition("|")
    assert "needs the extra 'k8s'" in detail
    assert "[k8s]" in fix
