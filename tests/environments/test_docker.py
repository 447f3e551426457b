"""What is particular to Docker: engines, images, and what the conformance suite cannot ask for."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cooperbench.environments import (
    DockerEnvironment,
    EnvironmentOptions,
    SandboxHandle,
    SandboxLabels,
    attach,
    build_image,
    ensure_image,
)
from cooperbench.environments.docker.engine import resolve
from cooperbench.environments.ssh import SshTarget, forwarded_engine
from cooperbench.errors import ImageError, SandboxCredentialsError, TransportError, UsageError
from cooperbench.records import ImageRecipe
from cooperbench.testing.conformance.commands import until
from cooperbench.testing.images import git, make_repository
from tests.needs import need

pytestmark = pytest.mark.docker

DOCKERFILE = """ARG BASE_IMAGE=python:3.11-slim
FROM $BASE_IMAGE
RUN command -v git >/dev/null || (apt-get update && apt-get install -y git)
RUN git clone https://git.invalid/upstream/project.git /workspace/repo \\
    && cd /workspace/repo \\
    && git checkout {commit}
WORKDIR /workspace/repo
COPY runner.sh /usr/local/bin/runner.sh
ENTRYPOINT ["/usr/local/bin/runner.sh"]
"""


def docker(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def archive_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def tag() -> Iterator[str]:
    name = f"cooperbench-test/made:{uuid4().hex[:8]}"
    yield name
    subprocess.run(["docker", "rmi", "--force", name], capture_output=True, check=False)


def test_a_missing_engine_is_said_with_its_remedy() -> None:
    with pytest.raises(TransportError, match="no Docker engine answers") as caught:
        DockerEnvironment("cooperbench-test/sandbox", host="unix:///nowhere/docker.sock")
    assert "--backend local" in str(caught.value.hint)


def test_the_engine_is_the_one_that_the_command_line_would_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    docker("context", "create", "elsewhere", "--docker", "host=tcp://127.0.0.1:2399")
    assert resolve(None)[0] == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    assert resolve(None)[0] == "tcp://127.0.0.1:2399"
    monkeypatch.setenv("DOCKER_HOST", "unix:///from/the/environment.sock")
    assert resolve(None)[0] == "unix:///from/the/environment.sock"
    assert resolve("unix:///given.sock")[0] == "unix:///given.sock"


def test_an_image_of_the_published_kind_is_built_from_a_local_clone(tmp_path: Path, tag: str) -> None:
    clone = tmp_path / "clone"
    base = make_repository(clone, {"a.py": "1\n"})
    (clone / "a.py").write_text("the solution\n")
    git(clone, "commit", "--quiet", "--all", "--message", "later")
    later = git(clone, "rev-parse", "HEAD")
    task = tmp_path / "task"
    (task / "feature1").mkdir(parents=True)
    (task / "feature1" / "tests.patch").write_text("hidden")
    (task / "Dockerfile").write_text(DOCKERFILE.format(commit=base))
    (task / "runner.sh").write_text("#!/bin/sh\nexit 3\n")
    recipe = ImageRecipe(name=tag, context=task, dockerfile=task / "Dockerfile", base_commit=base)
    digest = build_image("docker", recipe, repo_source=clone, base_image="cooperbench-test/base")
    assert ensure_image("docker", recipe) == digest
    with DockerEnvironment(tag) as environment:
        assert environment.image_digest == digest
        assert environment.execute("git rev-parse HEAD; cat a.py; git remote; git tag")["output"] == f"{base}\n1\n"
        assert environment.execute(f"git cat-file -e {later}")["returncode"] != 0
        assert (
            environment.execute("ls /cooperbench-source /etc/gitconfig /tmp/cooperbench-strip.sh")["output"].count(
                "No such"
            )
            == 3
        )


def test_an_image_that_an_earlier_version_built_under_another_name_is_found(tmp_path: Path) -> None:
    name = f"cooperbench-own-{uuid4().hex[:8]}:task1"
    recipe = ImageRecipe(name=name, former_name=f"akhatua/{name}", context=tmp_path, repository=tmp_path / "bundle")
    with pytest.raises(ImageError, match="was not built"):
        ensure_image("docker", recipe)
    subprocess.run(["docker", "tag", "cooperbench-test/busybox", f"akhatua/{name}"], check=True)
    try:
        digest = ensure_image("docker", recipe)
        with DockerEnvironment(name, cwd="/") as environment:
            assert environment.image_digest == digest
    finally:
        subprocess.run(["docker", "rmi", f"akhatua/{name}", name], check=True, capture_output=True)


def test_a_failing_build_shows_the_end_of_its_output(tmp_path: Path, tag: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM cooperbench-test/busybox\nRUN echo about to fail; exit 7\n")
    with pytest.raises(ImageError, match="about to fail"):
        build_image("docker", ImageRecipe(name=tag, context=tmp_path))


def test_an_image_for_another_processor_says_so(tag: str) -> None:
    # The header of a program for a processor that this engine is not: enough for the kernel to refuse it.
    machine = 183 if os.uname().machine == "x86_64" else 62
    program = (
        b"\x7fELF\x02\x01\x01" + b"\0" * 9 + (2).to_bytes(2, "little") + machine.to_bytes(2, "little") + b"\0" * 44
    )
    layer = archive_of({"bin/sleep": program, "bin/sh": program})
    configuration = {
        "architecture": "arm64" if machine == 183 else "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    parts = {"config.json": configuration, "manifest.json": manifest}
    image = archive_of({"layer.tar": layer, **{name: json.dumps(part).encode() for name, part in parts.items()}})
    docker("load", given=image)
    with pytest.raises(ImageError, match=r"for (arm64|amd64)") as caught:
        DockerEnvironment(tag)
    assert "images build" in str(caught.value.hint)
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={tag}") == ""


def test_an_image_without_a_shell_says_so(tmp_path: Path, tag: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --from=cooperbench-test/busybox /bin/busybox /bin/sleep\n")
    docker("build", "--quiet", "--tag", tag, str(tmp_path))
    with pytest.raises(ImageError, match="does not run a shell"):
        DockerEnvironment(tag)
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={tag}") == ""


ENDS_OF_WATCHERS = [
    "kill -9 -1",
    "pkill -9 python3",
    "rm -f $(command -v sleep); kill -9 -1",
    # The first process's own sleep goes on, and nothing wakes it.
    "pkill -9 '^(sh|bash|python3)$'",
    # Its sleep ends while the rest still runs.
    "pkill -9 sleep; pkill -9 '^(sh|bash|python3)$'",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", ENDS_OF_WATCHERS)
def test_the_end_of_what_watches_a_command_is_noticed_at_once(command: str) -> None:
    with DockerEnvironment("cooperbench-test/sandbox") as environment:
        assert environment.execute(command, timeout=3000)["returncode"] == 137
        assert environment.execute("echo on", timeout=3000)["output"] == "on\n"


def test_a_lifetime_is_kept_although_its_clock_was_killed() -> None:
    with DockerEnvironment("cooperbench-test/sandbox", timeout=5) as environment:
        name = environment.handle().identifier
        environment.execute("pkill -9 sleep; kill -USR1 1")
        assert docker("inspect", "--format", "{{.State.Running}}", name) == "true"
        assert until(lambda: docker("ps", "--all", "--quiet", "--filter", f"name={name}") == "", 60)


def test_a_read_only_root_with_a_writable_tmp() -> None:
    name = f"cooperbench-{uuid4().hex[:12]}"
    flags = ["--detach", "--rm", "--init", "--read-only", "--tmpfs", "/tmp", "--name", name, "--entrypoint", "sleep"]
    docker("run", *flags, "cooperbench-test/busybox", "300")
    handle = SandboxHandle(
        backend="docker",
        identifier=name,
        image="cooperbench-test/busybox",
        options=EnvironmentOptions(cwd="/tmp"),
        labels=SandboxLabels(),
    )
    with attach(handle) as environment:
        assert environment.execute("echo x >/root/x")["returncode"] != 0
        environment.write_file("/tmp/x", b"x")
        assert environment.execute("cat x")["output"] == "x"
        assert environment.execute("sleep 30", timeout=1)["timed_out"]


def test_another_machine_over_ssh(box: str) -> None:
    with DockerEnvironment("cooperbench-test/sandbox", host=box) as environment:
        assert environment.execute("git log --format=%s")["output"] == "Base commit\n"
        environment.write_file("/tmp/x", os.urandom(300_000))
        assert len(environment.read_file("/tmp/x")) == 300_000
        assert environment.handle().details["host"] == box
        forwarded_engine(SshTarget.parse(box)).cut()
        assert environment.execute("echo on a new connection")["output"] == "on a new connection\n"


def test_a_machine_that_cannot_be_trusted_or_reached(box: str, tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "known_hosts").write_text("")
    stranger = box.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(SandboxCredentialsError, match="host key") as caught:
        DockerEnvironment("cooperbench-test/sandbox", host=stranger)
    assert "ssh 127.0.0.2" in str(caught.value.hint)
    with pytest.raises(TransportError, match="cannot reach"):
        DockerEnvironment("cooperbench-test/sandbox", host="ssh://nobody@127.0.0.1:9")
    with pytest.raises(UsageError, match="not an SSH address"):
        DockerEnvironment("cooperbench-test/sandbox", host="ssh://")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a real SSH server of our own on loopback, which the user's set-up below HOME knows."""
    import pwd
    import socket

    need("sshd")
    (tmp_path / ".ssh").mkdir()
    for name in ("host", ".ssh/id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    (tmp_path / "authorized_keys").write_bytes((tmp_path / ".ssh" / "id_ed25519.pub").read_bytes())
    (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nListenAddress 127.0.0.2\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized_keys\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        f"PidFile {tmp_path}/pid\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", str(tmp_path / "sshd_config")], stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert server.poll() is None, "sshd did not start"
    yield f"ssh://{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.mark.parametrize(
    ("incomplete", "remedy"),
    [(("--depth", "1"), "git fetch --unshallow"), (("--bare", "--filter=blob:none"), "git fetch --refetch")],
    ids=["shallow", "partial"],
)
def test_an_incomplete_clone_is_refused_with_the_remedy(
    tmp_path: Path, incomplete: tuple[str, ...], remedy: str
) -> None:
    source = tmp_path / "source"
    commit = make_repository(source, {"a": "first\n"})
    git(source, "config", "uploadpack.allowFilter", "true")
    git(source, "commit", "--quiet", "--allow-empty", "--message", "later")
    git(tmp_path, "clone", "--quiet", *incomplete, f"file://{source}", "clone")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE.format(commit=commit))
    recipe = ImageRecipe(name="cooperbench-test/never-built", context=context, base_commit=commit)
    with pytest.raises(ImageError, match="does not hold") as caught:
        build_image("docker", recipe, repo_source=tmp_path / "clone")
    assert remedy in str(caught.value.hint)


KILL_SLEEPS = """for round in 1 2 3 4 5 6 7; do
    for place in /proc/[0-9]*; do read -r name <$place/comm; [ "$name" != sleep ] || kill -9 "${place#/proc/}"; done
    sleep 0.05 & wait $!
done"""


def test_without_a_network_a_container_has_its_loopback_and_keeps_its_connection() -> None:
    with DockerEnvironment("cooperbench-test/base", cwd="/", network="none") as environment:
        listed = environment.execute("cat /proc/net/dev; getent ahosts localhost")["output"]
        assert [line.split(":")[0].strip() for line in listed.splitlines() if ":" in line] == ["lo"]
        assert "127.0.0.1" in listed
        served = "import socket; s = socket.create_server(('localhost', 0)); socket.create_connection(s.getsockname()); print('reached')"
        assert environment.execute(f'python3 -c "{served}"')["output"] == "reached\n"
        # The first process has nothing to wait for but input now, and must not take that of the supervisor beside it.
        assert environment.execute(KILL_SLEEPS)["returncode"] == 0
        for number in range(20):
            assert environment.execute(f"echo {number}", timeout=60)["output"] == f"{number}\n"
        assert environment.execute("cat /proc/[0-9]*/comm")["output"].split().count("python3") == 1
